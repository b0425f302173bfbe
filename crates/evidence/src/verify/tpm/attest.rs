//! TPMS_ATTEST of a quote and TPMT_SIGNATURE: TPM 2.0 Library, part 2, 10.12.12 and 11.3.4. Big-endian.

use crate::platform::Reader;
use crate::verify::error::EvidenceError;

/// TPM_GENERATED_VALUE: only a TPM puts it in front of what it signs with a restricted key.
const GENERATED: u32 = 0xff54_4347;
/// TPM_ST_ATTEST_QUOTE.
const QUOTE: u16 = 0x8018;
/// TPM_ALG_SHA256.
const SHA256: u16 = 0x000b;
/// TPM_ALG_ECDSA.
const ECDSA: u16 = 0x0018;
/// Name of a key, qualifying data, digest: no longer than a hash with its algorithm in front.
const MAX_FIELD_BYTES: usize = 66;
/// A PC's TPM has 24 registers: three bytes of selection.
const SELECTION_BYTES: u8 = 3;
const SCALAR_BYTES: usize = 32;

/// What the TPM signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quote {
    pub(super) extra_data: Vec<u8>,
    /// The quoted registers, rising.
    pub(super) selected: Vec<u8>,
    /// SHA-256 over their values.
    pub(super) registers_digest: Vec<u8>,
}

impl Quote {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, EvidenceError> {
        const MALFORMED: EvidenceError = EvidenceError::Malformed("quote");
        let mut reader = Reader::new(bytes);
        if reader.u32_be().ok_or(MALFORMED)? != GENERATED {
            return Err(EvidenceError::NotFromTpm);
        }
        read(reader).ok_or(MALFORMED)
    }
}

fn read(mut reader: Reader<'_>) -> Option<Quote> {
    if reader.u16_be()? != QUOTE {
        return None;
    }
    sized(&mut reader)?; // qualified signer: the key is known by its certificate
    let extra_data = sized(&mut reader)?.to_vec();
    reader.u64_be()?; // clock, resets, restarts, safe; firmware version
    reader.bytes(4 + 4 + 1 + 8)?;
    // One bank, SHA-256.
    if (reader.u32_be()?, reader.u16_be()?, reader.u8()?) != (1, SHA256, SELECTION_BYTES) {
        return None;
    }
    let selection = reader.bytes(SELECTION_BYTES.into())?;
    let selected = (0..24_u8)
        .filter(|number| {
            selection
                .get(usize::from(number / 8))
                .is_some_and(|byte| byte >> (number % 8) & 1 == 1)
        })
        .collect();
    let registers_digest = sized(&mut reader)?.to_vec();
    reader.is_empty().then_some(Quote {
        extra_data,
        selected,
        registers_digest,
    })
}

/// A TPM2B: 16-bit length and so many bytes.
fn sized<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = usize::from(reader.u16_be()?);
    if length > MAX_FIELD_BYTES {
        return None;
    }
    reader.bytes(length)
}

/// `r || s` of an ECDSA signature over P-256 with SHA-256.
pub(super) fn parse_signature(bytes: &[u8]) -> Result<[u8; 2 * SCALAR_BYTES], EvidenceError> {
    let mut reader = Reader::new(bytes);
    let mut fields = || {
        if (reader.u16_be()?, reader.u16_be()?) != (ECDSA, SHA256) {
            return None;
        }
        let mut signature = [0; 2 * SCALAR_BYTES];
        for half in signature.chunks_exact_mut(SCALAR_BYTES) {
            let scalar = sized(&mut reader)?;
            // TPMs leave leading zeros away, or do not.
            let start = SCALAR_BYTES.checked_sub(scalar.len())?;
            half.get_mut(start..)?.copy_from_slice(scalar);
        }
        reader.is_empty().then_some(signature)
    };
    fields().ok_or(EvidenceError::Malformed("signature of the quote"))
}
