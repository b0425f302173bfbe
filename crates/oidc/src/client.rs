//! The relying party as the protocol needs it, and its authentication by certificate.
//!
//! Trusted for: an [`AuthenticatedClient`] exists only after the certificate of the real handshake was found among the ones the
//! relying party publishes in its verified statement (`self_signed_tls_client_auth`, RFC 8705 §2.2, A_22991, A_22654).

use aws_lc_rs::digest;
use federation::relying_party::VerifiedRelyingParty;
use jose::{UnixTime, base64url, jwk::Jwk};
use thiserror::Error;

use crate::{
    refusal::{ErrorCode, Refusal},
    scope::ScopeSet,
    version::{self, IdTokenVersion},
};

/// Names a client in a sealed login state: the first 12 bytes of SHA-256 over its identifier. The identifier itself travels beside the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientTag(pub(crate) [u8; 12]);

/// Names one of a client's redirect URIs: the first 8 bytes of SHA-256 over it. Only ever looked up among the client's registered ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RedirectTag(pub(crate) [u8; 8]);

/// Longest service name shown to a person, in characters: as long as the Federation Master lets an organisation's be (gematik digest 3.5).
pub const MAX_NAME_CHARACTERS: usize = 128;

/// A service's name, made safe to show: shortened, without characters that change how the text around them reads (Unicode UAX #9).
fn shown_name(name: &str) -> String {
    let unsafe_to_show = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    name.chars()
        .filter(|c| !unsafe_to_show(*c))
        .take(MAX_NAME_CHARACTERS)
        .collect()
}

fn sha256_prefix<const N: usize>(text: &str) -> [u8; N] {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let mut prefix = [0; N];
    prefix.copy_from_slice(&hash.as_ref()[..N]);
    prefix
}

impl ClientTag {
    /// The tag of this client identifier.
    pub fn of(client_id: &str) -> Self {
        Self(sha256_prefix(client_id))
    }
}

impl RedirectTag {
    /// The tag of this redirect URI.
    pub fn of(redirect_uri: &str) -> Self {
        Self(sha256_prefix(redirect_uri))
    }
}

/// A relying party of the federation, verified to the trust anchor, in the shape the endpoints use.
#[derive(Debug, Clone)]
pub struct RelyingParty {
    client_id: String,
    tag: ClientTag,
    name: String,
    logo_uri: Option<String>,
    redirect_uris: Vec<(RedirectTag, String)>,
    scopes: ScopeSet,
    tls_certificates: Vec<Vec<u8>>,
    encryption_key: Jwk,
    version: Option<IdTokenVersion>,
}

impl RelyingParty {
    /// Reads what the protocol needs from a verified relying party.
    ///
    /// Redirect URIs and scopes are the Federation Master's, not the party's own (gematik digest 3.2).
    pub fn from_verified(verified: &VerifiedRelyingParty) -> Self {
        let client_id = verified.client_id().as_str().to_owned();
        Self {
            tag: ClientTag::of(&client_id),
            client_id,
            name: shown_name(verified.name()),
            logo_uri: verified.logo_uri().map(str::to_owned),
            redirect_uris: verified
                .redirect_uris()
                .iter()
                .map(|uri| (RedirectTag::of(uri), uri.clone()))
                .collect(),
            scopes: verified
                .scopes()
                .iter()
                .filter_map(|scope| crate::scope::Scope::parse(scope))
                .collect(),
            tls_certificates: verified.tls_certificates().to_vec(),
            encryption_key: verified.encryption_key().clone(),
            version: version::negotiate(verified.id_token_versions().iter().map(String::as_str)),
        }
    }

    /// The client identifier: the party's entity identifier.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Its tag in sealed login states.
    pub const fn tag(&self) -> ClientTag {
        self.tag
    }

    /// The name shown to the person.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The logo shown to the person, if any.
    pub fn logo_uri(&self) -> Option<&str> {
        self.logo_uri.as_deref()
    }

    /// Scopes it is registered for.
    pub const fn scopes(&self) -> ScopeSet {
        self.scopes
    }

    /// The key its ID tokens are encrypted to.
    pub const fn encryption_key(&self) -> &Jwk {
        &self.encryption_key
    }

    /// The highest ID-token version both sides speak; `None` when there is none.
    pub const fn version(&self) -> Option<IdTokenVersion> {
        self.version
    }

    /// Every redirect URI registered with the Federation Master.
    pub fn redirect_uris(&self) -> impl Iterator<Item = &str> {
        self.redirect_uris.iter().map(|(_, uri)| uri.as_str())
    }

    /// The registered redirect URI equal to this one, character by character (RFC 6749 §3.1.2.3, OpenID Connect Core §3.1.2.1).
    pub fn registered_redirect_uri(&self, redirect_uri: &str) -> Option<RedirectTag> {
        self.redirect_uris
            .iter()
            .find(|(_, registered)| registered == redirect_uri)
            .map(|(tag, _)| *tag)
    }

    /// The registered redirect URI with this tag.
    pub fn redirect_uri(&self, tag: RedirectTag) -> Option<&str> {
        self.redirect_uris
            .iter()
            .find(|(registered, _)| *registered == tag)
            .map(|(_, uri)| uri.as_str())
    }
}

/// The certificate the peer proved in this handshake, with its validity period as read from it.
#[derive(Debug, Clone, Copy)]
pub struct PresentedCertificate<'a> {
    /// DER.
    pub der: &'a [u8],
    /// First second of validity; `None` when the certificate could not be read.
    pub not_before: Option<UnixTime>,
    /// Last second of validity; `None` when the certificate could not be read.
    pub not_after: Option<UnixTime>,
}

/// Why a client was not authenticated.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ClientError {
    /// The handshake brought no certificate.
    #[error(
        "no TLS client certificate was presented; expected one of those in the client's published keys (RFC 8705 section 2.2, A_22991)"
    )]
    CertificateMissing,
    /// The certificate is none of those the client publishes.
    #[error(
        "the TLS client certificate is not one of the client's (RFC 8705 section 2.2, A_22991): seen x5t#S256 {seen}, expected {expected}"
    )]
    CertificateUnknown {
        /// Thumbprint of the presented certificate.
        seen: String,
        /// Thumbprints of the published ones.
        expected: String,
    },
    /// GS-A_4662: application data only with currently valid certificates.
    #[error("the TLS client certificate is outside its validity period (GS-A_4662)")]
    CertificateNotValidNow,
}

impl ClientError {
    /// What the peer is told.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::CertificateMissing => Refusal::new(400, ErrorCode::InvalidRequest, self),
            Self::CertificateUnknown { .. } | Self::CertificateNotValidNow => {
                Refusal::new(401, ErrorCode::InvalidClient, self)
            }
        }
    }
}

/// A relying party that has proven one of its keys in this connection.
#[derive(Debug, Clone, Copy)]
pub struct AuthenticatedClient<'a> {
    party: &'a RelyingParty,
}

impl<'a> AuthenticatedClient<'a> {
    /// The relying party.
    pub const fn party(&self) -> &'a RelyingParty {
        self.party
    }
}

/// Authenticates a client by the certificate of this handshake. Several published certificates are fine (rollover).
///
/// # Errors
/// [`ClientError`]; a wrong certificate is answered with the thumbprints seen and expected.
pub fn check_client_certificate<'a>(
    party: &'a RelyingParty,
    presented: Option<PresentedCertificate<'_>>,
    now: UnixTime,
) -> Result<AuthenticatedClient<'a>, ClientError> {
    let presented = presented.ok_or(ClientError::CertificateMissing)?;
    if !party.tls_certificates.iter().any(|known| known == presented.der) {
        return Err(ClientError::CertificateUnknown {
            seen: thumbprint(presented.der),
            expected: party
                .tls_certificates
                .iter()
                .map(|known| thumbprint(known))
                .collect::<Vec<_>>()
                .join(" or "),
        });
    }
    match (presented.not_before, presented.not_after) {
        (Some(from), Some(until)) if from <= now && now <= until => Ok(AuthenticatedClient { party }),
        _ => Err(ClientError::CertificateNotValidNow),
    }
}

/// `x5t#S256` (RFC 7515 §4.1.8) of a certificate.
fn thumbprint(der: &[u8]) -> String {
    base64url::encode(digest::digest(&digest::SHA256, der).as_ref())
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jose::{SoftwareKey, jwk::KeyUse};

    pub(crate) const NOW: UnixTime = UnixTime(1_795_262_400);
    pub(crate) const CERTIFICATE: &[u8] = b"first certificate";
    const NEXT_CERTIFICATE: &[u8] = b"next certificate";

    /// A relying party registered for date of birth, mail address and the insured person's number.
    pub(crate) fn party() -> RelyingParty {
        let client_id = "https://record.example/ti";
        let uri = "https://record.example/return";
        RelyingParty {
            client_id: client_id.to_owned(),
            tag: ClientTag::of(client_id),
            name: "Patient record".to_owned(),
            logo_uri: None,
            redirect_uris: vec![(RedirectTag::of(uri), uri.to_owned())],
            scopes: ScopeSet::known_in(
                "openid urn:telematik:geburtsdatum urn:telematik:email urn:telematik:versicherter",
            ),
            tls_certificates: vec![CERTIFICATE.to_vec(), NEXT_CERTIFICATE.to_vec()],
            encryption_key: SoftwareKey::generate("enc").unwrap().jwk(KeyUse::Encryption),
            version: Some(IdTokenVersion::V2),
        }
    }

    pub(crate) fn party_without_common_version() -> RelyingParty {
        RelyingParty {
            version: None,
            ..party()
        }
    }

    pub(crate) fn presented(der: &[u8]) -> PresentedCertificate<'_> {
        PresentedCertificate {
            der,
            not_before: Some(NOW.minus_seconds(60)),
            not_after: Some(NOW.plus_seconds(60)),
        }
    }

    pub(crate) fn authenticated(party: &RelyingParty) -> AuthenticatedClient<'_> {
        check_client_certificate(party, Some(presented(CERTIFICATE)), NOW).unwrap()
    }

    #[test]
    fn a_services_name_is_short_and_cannot_rearrange_the_page() {
        assert_eq!(
            shown_name("Patientenakte Öztürk & Söhne"),
            "Patientenakte Öztürk & Söhne"
        );
        assert_eq!(shown_name("Bank\u{202e}etkA\n\u{0}\u{feff}"), "BanketkA");
        assert_eq!(shown_name(&"ä".repeat(5000)).chars().count(), MAX_NAME_CHARACTERS);
    }

    #[test]
    fn every_published_certificate_authenticates() {
        let party = party();
        for der in [CERTIFICATE, NEXT_CERTIFICATE] {
            assert!(check_client_certificate(&party, Some(presented(der)), NOW).is_ok());
        }
    }

    #[test]
    fn a_wrong_certificate_is_answered_with_the_thumbprints_seen_and_expected() {
        let party = party();
        let error = check_client_certificate(&party, Some(presented(b"foreign")), NOW).unwrap_err();
        assert_eq!(
            error,
            ClientError::CertificateUnknown {
                seen: thumbprint(b"foreign"),
                expected: format!("{} or {}", thumbprint(CERTIFICATE), thumbprint(NEXT_CERTIFICATE)),
            }
        );
        assert_eq!(
            (error.refusal().status, error.refusal().code),
            (401, ErrorCode::InvalidClient)
        );
    }

    #[test]
    fn no_certificate_is_no_client() {
        let party = party();
        let error = check_client_certificate(&party, None, NOW).unwrap_err();
        assert_eq!(error, ClientError::CertificateMissing);
        assert_eq!(
            (error.refusal().status, error.refusal().code),
            (400, ErrorCode::InvalidRequest)
        );
    }

    #[test]
    fn a_certificate_outside_its_validity_is_refused() {
        let party = party();
        let good = presented(CERTIFICATE);
        for bad in [
            PresentedCertificate {
                not_before: Some(NOW.plus_seconds(1)),
                ..good
            },
            PresentedCertificate {
                not_after: Some(NOW.minus_seconds(1)),
                ..good
            },
            PresentedCertificate {
                not_before: None,
                ..good
            },
            PresentedCertificate {
                not_after: None,
                ..good
            },
        ] {
            assert_eq!(
                check_client_certificate(&party, Some(bad), NOW).unwrap_err(),
                ClientError::CertificateNotValidNow
            );
        }
    }
}
