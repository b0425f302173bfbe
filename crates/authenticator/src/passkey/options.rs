//! What a browser is asked at registration, in the JSON form of §5.1.9 (`PublicKeyCredential.parseCreationOptionsFromJSON`).
//!
//! A login needs no options from here: the wallet derives the challenge ([`super::login_challenge`]) from the provider's signed one, after it has
//! verified that, and the browser knows the site.

use jose::base64url;
use serde::Serialize;

use super::cose::{ES256, RS256};
use super::statement::FORMATS;
use super::{USER_HANDLE_BYTES, registration_challenge};

/// How long a browser waits for the person, in milliseconds: as long as the provider's challenge is good.
const TIMEOUT_MILLISECONDS: u64 = crate::challenge::LIFETIME_SECONDS * 1_000;

/// The insurer as a site: where its passkeys are made and used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    rp_id: String,
    origin: String,
}

impl Party {
    /// The site of this base address, `https://host[:port][/path]`; on `localhost` also `http`. `None` for another address: browsers have
    /// passkeys for host names in secure contexts only.
    #[must_use]
    pub fn of(base: &str) -> Option<Self> {
        let (scheme, rest) = base.split_once("://")?;
        let authority = rest.split('/').next()?;
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        let label = |label: &str| {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            !label.is_empty() && label.bytes().all(plain)
        };
        // The last label of a name has a letter; addresses have none.
        let is_name = host.split('.').all(label)
            && host
                .rsplit('.')
                .next()
                .is_some_and(|last| last.bytes().any(|byte| byte.is_ascii_lowercase()));
        let is_secure = scheme == "https" || scheme == "http" && host == "localhost";
        let is_port = |port: &str| port.parse::<u16>().is_ok_and(|number| number.to_string() == port);
        if !is_secure || !is_name || !port.is_none_or(is_port) {
            return None;
        }
        let usual = if scheme == "https" { "443" } else { "80" };
        let port = port.filter(|port| *port != usual);
        Some(Self {
            rp_id: host.to_owned(),
            origin: port.map_or_else(
                || format!("{scheme}://{host}"),
                |port| format!("{scheme}://{host}:{port}"),
            ),
        })
    }

    /// The host.
    #[must_use]
    pub fn rp_id(&self) -> &str {
        &self.rp_id
    }

    /// Scheme, host and port, as browsers write them.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// `PublicKeyCredentialCreationOptionsJSON`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreationOptions {
    rp: Rp,
    user: User,
    challenge: String,
    pub_key_cred_params: [Parameters; 2],
    exclude_credentials: Vec<Descriptor>,
    timeout: u64,
    authenticator_selection: Selection,
    attestation: &'static str,
    attestation_formats: [&'static str; 4],
}

#[derive(Debug, Clone, Serialize)]
struct Rp {
    id: String,
    name: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: String,
    name: String,
    display_name: String,
}

#[derive(Debug, Clone, Serialize)]
struct Parameters {
    #[serde(rename = "type")]
    kind: &'static str,
    alg: i64,
}

/// A passkey she has. Its transports are not kept: browsers ask every authenticator they have.
#[derive(Debug, Clone, Serialize)]
struct Descriptor {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Selection {
    resident_key: &'static str,
    require_resident_key: bool,
    user_verification: &'static str,
}

impl CreationOptions {
    /// Options for a passkey that becomes the device `handle`, in the login `login_id`. `insurer` is what the browser shows; a person's name
    /// never goes to an authenticator, which may keep it in a cloud. `known`: identifiers of the passkeys she has here, base64url; an authenticator
    /// that holds one of them makes no second one.
    #[must_use]
    pub fn new(
        party: &Party,
        insurer: &str,
        login_id: &[u8; 16],
        handle: &[u8; USER_HANDLE_BYTES],
        known: Vec<String>,
    ) -> Self {
        let parameters = |alg| Parameters {
            kind: "public-key",
            alg,
        };
        Self {
            rp: Rp {
                id: party.rp_id.clone(),
                name: insurer.to_owned(),
            },
            user: User {
                id: base64url::encode(handle),
                name: insurer.to_owned(),
                display_name: insurer.to_owned(),
            },
            challenge: base64url::encode(&registration_challenge(login_id, handle)),
            // In the order of preference: an RSA key is for authenticators that make no other.
            pub_key_cred_params: [parameters(ES256), parameters(RS256)],
            exclude_credentials: known
                .into_iter()
                .map(|id| Descriptor { kind: "public-key", id })
                .collect(),
            timeout: TIMEOUT_MILLISECONDS,
            authenticator_selection: Selection {
                resident_key: "required",
                require_resident_key: true,
                user_verification: "required",
            },
            attestation: "direct",
            attestation_formats: FORMATS,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_site_is_a_host_name_in_a_secure_context() {
        for (base, rp_id, origin) in [
            ("https://idp.example", "idp.example", "https://idp.example"),
            ("https://idp.example/109900019", "idp.example", "https://idp.example"),
            ("https://idp.example:443/a", "idp.example", "https://idp.example"),
            ("https://idp.example:8443", "idp.example", "https://idp.example:8443"),
            ("http://localhost:8402/a", "localhost", "http://localhost:8402"),
        ] {
            let party = Party::of(base).unwrap();
            assert_eq!((party.rp_id(), party.origin()), (rp_id, origin), "{base}");
        }
        for base in [
            "http://idp.example",
            "https://127.0.0.1",
            "https://[::1]:8443",
            "https://IDP.example",
            "https://idp..example",
            "https://idp.example:",
            "https://idp.example:08443",
            "https://idp.example:99999",
            "https://user@idp.example",
            "https://",
            "idp.example",
            "",
        ] {
            assert_eq!(Party::of(base), None, "{base}");
        }
    }

    #[test]
    fn options_are_what_browsers_read() {
        let party = Party::of("https://idp.example/a").unwrap();
        let made = serde_json::to_value(CreationOptions::new(
            &party,
            "Kasse",
            &[1; 16],
            &[2; 32],
            vec!["AQID".to_owned()],
        ))
        .unwrap();
        let challenge = base64url::encode(&registration_challenge(&[1; 16], &[2; 32]));
        let expected = serde_json::json!({
            "rp": {"id": "idp.example", "name": "Kasse"},
            "user": {"id": base64url::encode(&[2; 32]), "name": "Kasse", "displayName": "Kasse"},
            "challenge": challenge,
            "pubKeyCredParams": [{"type": "public-key", "alg": -7}, {"type": "public-key", "alg": -257}],
            "excludeCredentials": [{"type": "public-key", "id": "AQID"}],
            "timeout": 180_000,
            "authenticatorSelection":
                {"residentKey": "required", "requireResidentKey": true, "userVerification": "required"},
            "attestation": "direct",
            "attestationFormats": ["packed", "tpm", "apple", "android-key"],
        });
        assert_eq!(made, expected);
    }
}
