//! HPKE with one suite, and private keys in secret memory.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use jose::jwk::P256PublicKey;
use zeroize::Zeroizing;

use super::CeremonyError;
use crate::hierarchy::KeyMaterial;
use crate::random::VaultRandom;
use crate::secret_memory::Secret;

type Suite = DhP256HkdfSha256;
/// Bytes of the encapsulated key.
const ENCAPSULATED_BYTES: usize = 65;

/// A private key that opens.
pub(super) struct OpeningKey {
    secret: KeyMaterial,
    public: P256PublicKey,
}

impl OpeningKey {
    pub fn generate() -> Result<Self, CeremonyError> {
        let (secret, _) = Suite::gen_keypair_with_rng(&mut VaultRandom);
        let bytes = Zeroizing::new(<[u8; 32]>::from(secret.to_bytes()));
        Self::from_bytes(&bytes)
    }

    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, CeremonyError> {
        let private = <Suite as Kem>::PrivateKey::from_bytes(bytes).map_err(|_| CeremonyError::Malformed)?;
        let public = Suite::sk_to_pk(&private).to_bytes();
        Ok(Self {
            secret: Secret::copy_of(bytes),
            public: P256PublicKey::from_uncompressed(&public).map_err(|_| CeremonyError::Failed)?,
        })
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.secret
    }

    pub const fn public_key(&self) -> &P256PublicKey {
        &self.public
    }

    pub fn open(&self, info: &[u8], about: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CeremonyError> {
        let refused = CeremonyError::NotOpened;
        let (encapsulated, sealed) = sealed.split_at_checked(ENCAPSULATED_BYTES).ok_or(refused.clone())?;
        let encapsulated = <Suite as Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| refused.clone())?;
        let private = <Suite as Kem>::PrivateKey::from_bytes(&self.secret[..]).map_err(|_| refused.clone())?;
        hpke::single_shot_open::<AesGcm256, HkdfSha256, Suite>(
            &OpModeR::Base,
            &private,
            &encapsulated,
            info,
            sealed,
            about,
        )
        .map(Zeroizing::new)
        .map_err(|_| refused)
    }
}

pub(super) fn seal(to: &P256PublicKey, info: &[u8], about: &[u8], content: &[u8]) -> Result<Vec<u8>, CeremonyError> {
    let to = <Suite as Kem>::PublicKey::from_bytes(&to.to_uncompressed()).map_err(|_| CeremonyError::Failed)?;
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, Suite>(
        &OpModeS::Base,
        &to,
        info,
        content,
        about,
        &mut VaultRandom,
    )
    .map_err(|_| CeremonyError::Failed)?;
    Ok([&encapsulated.to_bytes()[..], &sealed].concat())
}
