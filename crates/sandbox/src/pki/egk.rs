//! The authority that issues health cards, `GEM.EGK-CA99 TEST-ONLY`, on brainpoolP256r1 like gematik's.

use authenticator::{Ik, Kvnr};
use jose::UnixTime;

use super::x509::{self, IssuerKey, PkiError, Template};
use super::{DAY_SECONDS, derive_scalar, shortened};

/// Validity of a card, in days: five years.
pub const CARD_DAYS: u64 = 5 * 365;

/// Issues cards and the list of revoked ones.
pub struct EgkAuthority {
    key: IssuerKey,
    name: Vec<u8>,
    certificate: Vec<u8>,
}

/// Whom a card is for. Invented people only. Texts beyond 64 bytes are cut.
pub struct CardHolder<'a> {
    /// `O`: the insurer's name.
    pub insurer: &'a str,
    /// First `OU`.
    pub ik: &'a Ik,
    /// Second `OU`.
    pub kvnr: &'a Kvnr,
    /// `GN`
    pub given_name: &'a str,
    /// `SN`
    pub family_name: &'a str,
    /// `CN`
    pub display_name: &'a str,
}

impl EgkAuthority {
    /// The authority of a seed; the same seed and moment give the same bytes.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn from_seed(seed: &[u8; 32], not_before: UnixTime) -> Result<Self, PkiError> {
        let scalar = derive_scalar(seed, "egk authority");
        let key = ecdsa::SigningKey::from_slice(&scalar).map_err(|_| PkiError::Key)?;
        let key = IssuerKey::Brainpool(Box::new(key));
        let name = x509::name(&[
            (x509::COUNTRY, "DE"),
            (x509::ORGANIZATION, "healthid sandbox NOT-VALID"),
            (
                x509::ORGANIZATIONAL_UNIT,
                "Elektronische Gesundheitskarte-CA der Telematikinfrastruktur",
            ),
            (x509::COMMON_NAME, "GEM.EGK-CA99 TEST-ONLY"),
        ]);
        let certificate = super::authority_certificate(&name, &key, not_before, &["1.2.276.0.76.4.163"], None)?;
        Ok(Self { key, name, certificate })
    }

    /// The authority's certificate in DER, to be trusted by providers.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// A card's authentication certificate (C.CH.AUT) for the key with this private scalar.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn issue_card(
        &self,
        holder: &CardHolder<'_>,
        scalar: &[u8; 32],
        serial: u64,
        not_before: UnixTime,
    ) -> Result<Vec<u8>, PkiError> {
        let key = ecdsa::SigningKey::from_slice(scalar).map_err(|_| PkiError::Key)?;
        let spki = x509::brainpool_spki(key.verifying_key());
        let template = Template {
            serial: serial.to_be_bytes().to_vec(),
            issuer: self.name.clone(),
            not_before,
            not_after: not_before.plus_seconds(CARD_DAYS * DAY_SECONDS),
            subject: x509::name(&[
                (x509::COUNTRY, "DE"),
                (x509::ORGANIZATION, shortened(holder.insurer)),
                (x509::ORGANIZATIONAL_UNIT, holder.ik.as_str()),
                (x509::ORGANIZATIONAL_UNIT, holder.kvnr.as_str()),
                (x509::SURNAME, shortened(holder.family_name)),
                (x509::GIVEN_NAME, shortened(holder.given_name)),
                (x509::COMMON_NAME, shortened(holder.display_name)),
            ]),
            extensions: vec![
                x509::subject_key_identifier(&spki),
                x509::authority_key_identifier(&self.key.spki()),
                x509::policies(&["1.2.276.0.76.4.163", "1.2.276.0.76.4.70"]),
                x509::admission("Versicherte/-r", "1.2.276.0.76.4.49"),
                x509::basic_constraints(false),
                x509::key_usage(x509::DIGITAL_SIGNATURE),
            ],
            spki,
        };
        x509::certificate(&template, &self.key)
    }

    /// The list of revoked cards: serial number and since when. `number` grows with each list.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn issue_crl(
        &self,
        revoked: &[(u64, UnixTime)],
        number: u64,
        this_update: UnixTime,
        next_update: UnixTime,
    ) -> Result<Vec<u8>, PkiError> {
        let entries: Vec<_> = revoked
            .iter()
            .map(|(serial, since)| (serial.to_be_bytes().to_vec(), *since))
            .collect();
        let extensions = [
            x509::authority_key_identifier(&self.key.spki()),
            x509::crl_number(number),
        ];
        x509::revocation_list(&self.name, &entries, this_update, next_update, &extensions, &self.key)
    }
}
