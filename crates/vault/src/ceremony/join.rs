//! Key forward: a newcomer that is admitted gets what its role needs, sealed to the key its evidence is bound to.

use std::fmt;

use evidence::binding::join_report_data;
use evidence::manifest::{ApprovedInstance, InstanceRole};
use jose::jwk::P256PublicKey;
use jose::{Signer, UnixTime, base64url, json, jws};
use serde::{Deserialize, Serialize};
use store::TenantId;

use super::encoding::{Framed, array, bytes, point, sha256};
use super::hpke_seal::{OpeningKey, seal};
use super::transcript::{Event, Transcript};
use super::{AttestedSetup, CeremonyError, SetupPurpose};
use crate::random::random_array;
use crate::tenant_bundle::TenantBundle;
use crate::{NamespaceSeed, Vault};

/// Nonces a donor has given out and not seen again; more, and the oldest is forgotten.
const MAX_NONCES: usize = 256;

/// What a newcomer asks with. Its evidence carries [`report_data`](Self::report_data).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// The namespace it wants to serve.
    pub namespace: String,
    /// SHA-256 of the manifest it believes in.
    #[serde(with = "array")]
    pub manifest: [u8; 32],
    /// The donor's nonce.
    #[serde(with = "array")]
    pub nonce: [u8; 32],
    /// What it wants to be.
    pub role: InstanceRole,
    /// Made for this boot, never stored.
    #[serde(with = "point")]
    pub key: P256PublicKey,
}

impl JoinRequest {
    /// What its evidence must be bound to.
    #[must_use]
    pub fn report_data(&self) -> [u8; 64] {
        let key = self.key.to_uncompressed();
        join_report_data(&self.namespace, &key, &self.nonce, &self.manifest, self.role)
    }

    fn info(&self) -> Vec<u8> {
        Framed::new("healthid-key-forward/v1")
            .field(&self.report_data())
            .bytes()
    }
}

/// The newcomer's side. `Debug` prints the type only.
pub struct Join {
    request: JoinRequest,
    opening: OpeningKey,
}

/// What came with a key forward.
pub enum Forwarded {
    /// For a `root` instance: the namespace seed. The other lock's half it unwraps in its own module.
    Seed(NamespaceSeed),
    /// For a `serve` instance: one tenant's keys.
    Tenant(TenantBundle),
}

/// Sealed keys for one newcomer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedForward {
    /// HPKE, to the newcomer's key.
    #[serde(with = "bytes")]
    pub sealed: Vec<u8>,
}

/// `typ` of a donor's signature over what it sealed.
const FORWARD_TYP: &str = "healthid-key-forward+jwt";

impl SealedForward {
    /// The donor's signature over this and over the request it answers: compact JWS. `donor` is the key its evidence is bound to
    /// ([`Setup::signer`](super::Setup::signer)).
    ///
    /// Without it a newcomer would take keys from anybody: whoever runs its machine could hand it keys of his own making.
    ///
    /// # Errors
    /// [`CeremonyError::Failed`].
    pub fn sign(&self, request: &JoinRequest, donor: &dyn Signer) -> Result<String, CeremonyError> {
        let header = jws::SigningHeader {
            typ: Some(FORWARD_TYP),
            ..Default::default()
        };
        jws::sign(&header, &self.signed_content(request), donor).map_err(|_| CeremonyError::Failed)
    }

    /// That an attested donor sealed this for this request.
    ///
    /// # Errors
    /// [`CeremonyError::WrongRole`] if what was attested is no donor; [`CeremonyError::OtherManifest`], [`CeremonyError::OtherNamespace`] if it is
    /// one of another; [`CeremonyError::NotSigned`].
    pub fn check_signed(
        &self,
        signed: &str,
        request: &JoinRequest,
        donor: &AttestedSetup,
    ) -> Result<(), CeremonyError> {
        let offer = donor.offer();
        if offer.purpose != SetupPurpose::KeyForward {
            return Err(CeremonyError::WrongRole);
        }
        if offer.namespace != request.namespace {
            return Err(CeremonyError::OtherNamespace);
        }
        if offer.manifest != request.manifest {
            return Err(CeremonyError::OtherManifest);
        }
        let signed = jws::parse(signed, &json::DEFAULT).map_err(|_| CeremonyError::Malformed)?;
        let right_type = signed.header().typ.as_deref() == Some(FORWARD_TYP);
        let signed = signed
            .verify(&offer.transcript_key)
            .map_err(|_| CeremonyError::NotSigned)?;
        if right_type && signed.bytes() == self.signed_content(request) {
            Ok(())
        } else {
            Err(CeremonyError::NotSigned)
        }
    }

    /// Hash of the request and of what was sealed, as a JSON string.
    fn signed_content(&self, request: &JoinRequest) -> Vec<u8> {
        let hash = sha256(
            &Framed::new("healthid-key-forward/v1 signature")
                .field(&request.report_data())
                .field(&self.sealed)
                .bytes(),
        );
        format!("{{\"hash\":\"{}\"}}", base64url::encode(&hash)).into_bytes()
    }
}

impl Join {
    /// A fresh key, and the request around it.
    ///
    /// # Errors
    /// [`CeremonyError::Failed`].
    pub fn begin(
        namespace: &str,
        manifest: [u8; 32],
        nonce: [u8; 32],
        role: InstanceRole,
    ) -> Result<Self, CeremonyError> {
        let opening = OpeningKey::generate()?;
        let request = JoinRequest {
            namespace: namespace.to_owned(),
            manifest,
            nonce,
            role,
            key: opening.public_key().clone(),
        };
        Ok(Self { request, opening })
    }

    /// What to send to the donor, with evidence bound to it.
    #[must_use]
    pub const fn request(&self) -> &JoinRequest {
        &self.request
    }

    /// Opens what the donor sealed.
    ///
    /// # Errors
    /// [`CeremonyError::NotOpened`], [`CeremonyError::Malformed`], [`CeremonyError::Bundle`].
    pub fn open(self, sealed: &SealedForward) -> Result<Forwarded, CeremonyError> {
        let content = self.opening.open(&self.request.info(), &[], &sealed.sealed)?;
        match self.request.role {
            InstanceRole::Root => {
                let seed = content[..].try_into().map_err(|_| CeremonyError::Malformed)?;
                Ok(Forwarded::Seed(NamespaceSeed::from_bytes(seed)))
            }
            InstanceRole::Serve => Ok(Forwarded::Tenant(TenantBundle::parse(&content)?)),
        }
    }
}

/// What is asked of a donor.
#[derive(Clone, Copy)]
pub enum Forward<'a> {
    /// The seed.
    Seed(&'a NamespaceSeed),
    /// One tenant's keys.
    Tenant(&'a Vault, TenantId),
}

/// An instance that hands keys on. Every forward and every refusal stands in its transcript.
pub struct Donor<'a> {
    namespace: String,
    manifest: [u8; 32],
    manifest_number: u64,
    signer: &'a dyn Signer,
    nonces: Vec<[u8; 32]>,
    transcript: Transcript,
}

impl<'a> Donor<'a> {
    /// A donor under the manifest in force, which it has verified itself; `signer` is the key its own evidence is bound to.
    #[must_use]
    pub fn new(namespace: &str, manifest: [u8; 32], manifest_number: u64, signer: &'a dyn Signer) -> Self {
        Self {
            namespace: namespace.to_owned(),
            manifest,
            manifest_number,
            signer,
            nonces: Vec::new(),
            transcript: Transcript::default(),
        }
    }

    /// A nonce for one newcomer, good for one request.
    pub fn nonce(&mut self) -> [u8; 32] {
        if self.nonces.len() >= MAX_NONCES {
            self.nonces.remove(0);
        }
        let nonce = random_array();
        self.nonces.push(nonce);
        nonce
    }

    /// Seals keys to a newcomer, if its admission says that exactly this request is its.
    ///
    /// # Errors
    /// [`CeremonyError`]; nothing leaves then, and the reason stands in the transcript.
    pub fn forward(
        &mut self,
        request: &JoinRequest,
        newcomer: &ApprovedInstance,
        what: Forward<'_>,
        now: UnixTime,
    ) -> Result<SealedForward, CeremonyError> {
        let sealed = self.seal_if_admitted(request, newcomer, what);
        let event = match &sealed {
            Ok(_) => Event::KeyForwarded {
                role: newcomer.role(),
                to: sha256(&request.key.to_uncompressed()),
                site: newcomer.site().to_owned(),
                manifest: newcomer.manifest_number(),
            },
            Err(error) => Event::ForwardRefused {
                code: error.code().to_owned(),
            },
        };
        // What is not written down does not leave.
        self.transcript.append(self.signer, now, event)?;
        sealed
    }

    /// Writes down that a newcomer was not admitted at all: there was no [`ApprovedInstance`] to ask with.
    ///
    /// # Errors
    /// [`CeremonyError::Transcript`] if the transcript is full.
    pub fn refuse(&mut self, code: &str, now: UnixTime) -> Result<(), CeremonyError> {
        let event = Event::ForwardRefused { code: code.to_owned() };
        self.transcript.append(self.signer, now, event)
    }

    fn seal_if_admitted(
        &mut self,
        request: &JoinRequest,
        newcomer: &ApprovedInstance,
        what: Forward<'_>,
    ) -> Result<SealedForward, CeremonyError> {
        let known = self.nonces.iter().position(|nonce| *nonce == request.nonce);
        self.nonces.swap_remove(known.ok_or(CeremonyError::NonceUnknown)?);
        if newcomer.namespace() != self.namespace || request.namespace != self.namespace {
            return Err(CeremonyError::OtherNamespace);
        }
        if newcomer.manifest_number() < self.manifest_number {
            return Err(CeremonyError::OldManifest {
                found: newcomer.manifest_number(),
                own: self.manifest_number,
            });
        }
        if newcomer.manifest_hash() != self.manifest || request.manifest != self.manifest {
            return Err(CeremonyError::OtherManifest);
        }
        let needed = match what {
            Forward::Seed(_) => InstanceRole::Root,
            Forward::Tenant(..) => InstanceRole::Serve,
        };
        if newcomer.role() != needed || request.role != needed {
            return Err(CeremonyError::WrongRole);
        }
        if *newcomer.report_data() != request.report_data() {
            return Err(CeremonyError::NotBound);
        }
        let info = request.info();
        let sealed = match what {
            Forward::Seed(seed) => seal(&request.key, &info, &[], seed.bytes())?,
            Forward::Tenant(vault, tenant) => {
                let bundle = vault.tenant_bundle(tenant)?;
                seal(&request.key, &info, &[], &bundle.to_bytes())?
            }
        };
        Ok(SealedForward { sealed })
    }

    /// What happened so far.
    #[must_use]
    pub const fn transcript(&self) -> &Transcript {
        &self.transcript
    }
}

macro_rules! debug_by_name {
    ($($name:ty = $text:literal),*) => { $(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($text)
            }
        }
    )* };
}
debug_by_name!(Join = "Join", Forwarded = "Forwarded", Donor<'_> = "Donor", Forward<'_> = "Forward");
