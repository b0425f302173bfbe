//! The few TPM 2.0 commands needed, as bytes (TPM 2.0 Library, parts 2 and 3). Numbers are big-endian.

use std::ops::RangeInclusive;

use super::super::ProduceError;

/// Tag, size, code.
pub(super) const HEADER_BYTES: usize = 10;

const TAG_NO_SESSIONS: u16 = 0x8001;
const TAG_SESSIONS: u16 = 0x8002;
const CODE_CREATE_PRIMARY: u32 = 0x0131;
const CODE_QUOTE: u32 = 0x0158;
const CODE_FLUSH_CONTEXT: u32 = 0x0165;
const CODE_PCR_READ: u32 = 0x017E;

const ENDORSEMENT: u32 = 0x4000_000B;
const PASSWORD_SESSION: u32 = 0x4000_0009;

const ALG_SHA256: u16 = 0x000B;
const ALG_NULL: u16 = 0x0010;
const ALG_ECDSA: u16 = 0x0018;
const ALG_ECC: u16 = 0x0023;
const CURVE_P256: u16 = 0x0003;

/// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign: signs only what the TPM made itself.
const ATTESTATION_KEY: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10 | 1 << 16 | 1 << 18;

/// PCR 0 to 9: firmware, its configuration, boot loader, kernel, command line, initial file system. In two parts, because
/// TPM2_PCR_Read answers with at most eight.
pub(super) const REGISTER_PARTS: [RangeInclusive<u8>; 2] = [0..=7, 8..=9];

const COORDINATE_BYTES: usize = 32;

/// A command, ready to send.
pub(super) struct Command {
    name: &'static str,
    bytes: Vec<u8>,
}

impl Command {
    fn new(name: &'static str, tag: u16, code: u32, body: &[u8]) -> Self {
        let length = u32::try_from(HEADER_BYTES + body.len()).unwrap_or(u32::MAX);
        let mut bytes = tag.to_be_bytes().to_vec();
        bytes.extend(length.to_be_bytes());
        bytes.extend(code.to_be_bytes());
        bytes.extend(body);
        Self { name, bytes }
    }

    /// TPM2_CreatePrimary: a restricted signing key on P-256, ECDSA with SHA-256, empty authorisation.
    pub(super) fn create_attestation_key() -> Self {
        let mut public = Vec::new();
        push_u16(&mut public, ALG_ECC);
        push_u16(&mut public, ALG_SHA256);
        public.extend(ATTESTATION_KEY.to_be_bytes());
        push_sized(&mut public, &[]); // policy
        push_u16(&mut public, ALG_NULL); // symmetric
        push_u16(&mut public, ALG_ECDSA);
        push_u16(&mut public, ALG_SHA256);
        push_u16(&mut public, CURVE_P256);
        push_u16(&mut public, ALG_NULL); // key derivation
        push_sized(&mut public, &[]); // unique: x
        push_sized(&mut public, &[]); // unique: y

        let mut body = with_password(ENDORSEMENT);
        push_sized(&mut body, &[0, 0, 0, 0]); // sensitive: empty authorisation, empty data
        push_sized(&mut body, &public);
        push_sized(&mut body, &[]); // outside information
        body.extend(0u32.to_be_bytes()); // creation PCRs
        Self::new("TPM2_CreatePrimary", TAG_SESSIONS, CODE_CREATE_PRIMARY, &body)
    }

    /// TPM2_Quote over PCR 0 to 9 of the SHA-256 bank, by the key's own scheme; the handle comes when it is known.
    pub(super) fn quote(qualifying: &[u8]) -> impl Fn(u32) -> Self {
        move |handle| {
            let mut body = with_password(handle);
            push_sized(&mut body, qualifying);
            push_u16(&mut body, ALG_NULL);
            push_selection(&mut body, REGISTER_PARTS.into_iter().flatten());
            Self::new("TPM2_Quote", TAG_SESSIONS, CODE_QUOTE, &body)
        }
    }

    /// TPM2_PCR_Read of the SHA-256 bank.
    pub(super) fn read_registers(registers: RangeInclusive<u8>) -> Self {
        let mut body = Vec::new();
        push_selection(&mut body, registers);
        Self::new("TPM2_PCR_Read", TAG_NO_SESSIONS, CODE_PCR_READ, &body)
    }

    /// TPM2_FlushContext.
    pub(super) fn flush(handle: u32) -> Self {
        Self::new(
            "TPM2_FlushContext",
            TAG_NO_SESSIONS,
            CODE_FLUSH_CONTEXT,
            &handle.to_be_bytes(),
        )
    }

    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A response with code "success", still to be taken apart.
pub(super) struct Response {
    command: &'static str,
    body: Vec<u8>,
}

impl Response {
    pub(super) fn parse(command: &'static str, bytes: Vec<u8>) -> Result<Self, ProduceError> {
        let malformed = ProduceError::TpmAnswer { command };
        let Some((head, body)) = bytes.split_at_checked(HEADER_BYTES) else {
            return Err(malformed);
        };
        if announced_length(head) != Some(bytes.len()) {
            return Err(malformed);
        }
        let mut code = Reader(&head[6..]);
        match code.u32() {
            Some(0) => Ok(Self {
                command,
                body: body.to_vec(),
            }),
            Some(code) => Err(ProduceError::TpmRefused { command, code }),
            None => Err(malformed),
        }
    }

    /// Handle and uncompressed public point from the answer to [`Command::create_attestation_key`].
    pub(super) fn attestation_key(&self) -> Result<(u32, [u8; 65]), ProduceError> {
        let read = || {
            let mut body = Reader(&self.body);
            let handle = body.u32()?;
            let _parameters = body.u32()?;
            let mut public = Reader(body.sized()?);
            // Type, name algorithm, attributes: as asked, or it is another key.
            if public.u16()? != ALG_ECC || public.u16()? != ALG_SHA256 || public.u32()? != ATTESTATION_KEY {
                return None;
            }
            public.sized()?;
            let scheme = [
                public.u16()?,
                public.u16()?,
                public.u16()?,
                public.u16()?,
                public.u16()?,
            ];
            if scheme != [ALG_NULL, ALG_ECDSA, ALG_SHA256, CURVE_P256, ALG_NULL] {
                return None;
            }
            let mut point = [0; 65];
            point[0] = 4;
            // Coordinates come without leading zeros from some TPMs.
            for end in [1 + COORDINATE_BYTES, 1 + 2 * COORDINATE_BYTES] {
                let coordinate = public.sized()?;
                let start = end
                    .checked_sub(coordinate.len())
                    .filter(|start| *start > end - COORDINATE_BYTES - 1)?;
                point.get_mut(start..end)?.copy_from_slice(coordinate);
            }
            Some((handle, point))
        };
        read().ok_or(ProduceError::TpmAnswer { command: self.command })
    }

    /// The values from the answer to [`Command::read_registers`], which must be of exactly these registers.
    pub(super) fn registers(&self, registers: RangeInclusive<u8>) -> Result<Vec<(u8, [u8; 32])>, ProduceError> {
        let read = || {
            let mut body = Reader(&self.body);
            let _update_counter = body.u32()?;
            let mut asked = Vec::new();
            push_selection(&mut asked, registers.clone());
            if body.take(asked.len())? != asked || usize::try_from(body.u32()?).ok()? != registers.clone().count() {
                return None;
            }
            registers
                .map(|register| Some((register, body.sized()?.try_into().ok()?)))
                .collect()
        };
        read().ok_or(ProduceError::TpmAnswer { command: self.command })
    }

    /// TPMS_ATTEST and TPMT_SIGNATURE from the answer to [`Command::quote`].
    pub(super) fn quote(&self) -> Result<(Vec<u8>, Vec<u8>), ProduceError> {
        let read = || {
            let mut body = Reader(&self.body);
            let length = usize::try_from(body.u32()?).ok()?;
            let mut parameters = Reader(body.take(length)?);
            let attest = parameters.sized()?.to_vec();
            let signature = parameters.0.to_vec();
            (!attest.is_empty() && !signature.is_empty()).then_some((attest, signature))
        };
        read().ok_or(ProduceError::TpmAnswer { command: self.command })
    }
}

/// The length a header announces for the whole response.
pub(super) fn announced_length(header: &[u8]) -> Option<usize> {
    let mut size = Reader(header.get(2..)?);
    usize::try_from(size.u32()?).ok()
}

/// A handle with an authorisation area: the password session with an empty password.
fn with_password(handle: u32) -> Vec<u8> {
    let mut bytes = handle.to_be_bytes().to_vec();
    bytes.extend(9u32.to_be_bytes());
    bytes.extend(PASSWORD_SESSION.to_be_bytes());
    bytes.extend([0, 0]); // nonce
    bytes.extend([0]); // attributes
    bytes.extend([0, 0]); // password
    bytes
}

/// TPML_PCR_SELECTION with one entry: the SHA-256 bank and 24 bits.
fn push_selection(bytes: &mut Vec<u8>, registers: impl Iterator<Item = u8>) {
    let bits = registers.fold(0u32, |bits, register| bits | 1 << (register % 24));
    let [low, middle, high, _] = bits.to_le_bytes();
    bytes.extend(1u32.to_be_bytes());
    push_u16(bytes, ALG_SHA256);
    bytes.extend([3, low, middle, high]);
}

fn push_u16(bytes: &mut Vec<u8>, value: u16) {
    bytes.extend(value.to_be_bytes());
}

/// TPM2B: two bytes of length, then the content. All contents here are far shorter than 64 KiB.
fn push_sized(bytes: &mut Vec<u8>, content: &[u8]) {
    push_u16(bytes, u16::try_from(content.len()).unwrap_or(u16::MAX));
    bytes.extend(content);
}

/// Reads from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(front)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }
}
