//! Which models of authenticators an insurer believes, as data.

use serde::{Deserialize, Serialize};

use crate::attestation::Roots;

/// Most models, and most roots of one.
pub const MAX_MODELS: usize = 64;

/// One insurer's rules for passkeys. Unknown members are refused.
///
/// Which class a passkey becomes follows from the classes' evidence ([`crate::policy::DeviceEvidence`]): the first with
/// `attested-passkey` where the key cannot leave its authenticator and its model stands here, else the first with
/// `passkey`. Without either class passkeys are not offered.
///
/// ```
/// use authenticator::passkey::PasskeyPolicy;
/// let policy: PasskeyPolicy = serde_json::from_str(r#"{"authenticators": []}"#).unwrap();
/// assert!(policy.check().is_ok());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PasskeyPolicy {
    /// Models whose attestation is believed. Default: none, so that every passkey is for the insurer's own pages.
    pub authenticators: Vec<AllowedAuthenticator>,
}

/// One model of an authenticator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowedAuthenticator {
    /// The model's identifier, as its maker writes it: `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
    pub aaguid: String,
    /// The format it attests in. Default: `packed`. A statement in another one is not believed about this model: what a maker's root vouches for in
    /// one format (a key that signs what it is given, say) it does not vouch for in another.
    #[serde(default)]
    pub format: AttestationFormat,
    /// The maker's certificates for it, PEM each; a chain must end at one of them.
    pub roots: Vec<String>,
}

/// Formats of attestation statements that makers are believed in (Web Authentication, §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttestationFormat {
    /// Of authenticators in general.
    #[default]
    Packed,
    /// Of TPMs, as Windows has them.
    Tpm,
    /// Apple's.
    Apple,
    /// Android's.
    AndroidKey,
}

/// Why the rules are none. Shown by a configuration check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyPolicyError {
    /// No identifier of a model, the one that says nothing, or one twice.
    #[error("passkeys.authenticators: aaguid {0:?} must be an identifier of a model, not all zeros, and stand once")]
    Model(String),
    /// No certificate, none at all, or too many.
    #[error("passkeys.authenticators: roots of {0:?} must be 1 to {MAX_MODELS} certificates in PEM")]
    Roots(String),
    /// More than `MAX_MODELS`.
    #[error("passkeys.authenticators: at most {MAX_MODELS} models")]
    TooMany,
}

impl PasskeyPolicy {
    /// Checks what serde cannot.
    ///
    /// # Errors
    /// The first defect, as [`PasskeyPolicyError`].
    pub fn check(&self) -> Result<(), PasskeyPolicyError> {
        if self.authenticators.len() > MAX_MODELS {
            return Err(PasskeyPolicyError::TooMany);
        }
        for (index, model) in self.authenticators.iter().enumerate() {
            let name = model.aaguid.clone();
            let Some(aaguid) = parse_aaguid(&name).filter(|aaguid| *aaguid != [0; 16]) else {
                return Err(PasskeyPolicyError::Model(name));
            };
            let again = self.authenticators[..index]
                .iter()
                .any(|other| parse_aaguid(&other.aaguid) == Some(aaguid));
            if again {
                return Err(PasskeyPolicyError::Model(name));
            }
            if !(1..=MAX_MODELS).contains(&model.roots.len()) || model.believed().is_none() {
                return Err(PasskeyPolicyError::Roots(name));
            }
        }
        Ok(())
    }

    /// Whom to believe about this model; `None` where the policy does not name it with this format.
    pub(super) fn roots_of(&self, aaguid: &[u8; 16], format: AttestationFormat) -> Option<Roots> {
        self.authenticators
            .iter()
            .find(|model| parse_aaguid(&model.aaguid).as_ref() == Some(aaguid))
            .filter(|model| model.format == format)?
            .believed()
    }
}

impl AllowedAuthenticator {
    fn believed(&self) -> Option<Roots> {
        let roots: Vec<&[u8]> = self.roots.iter().map(String::as_bytes).collect();
        Roots::of(&roots)
    }
}

/// 8-4-4-4-12 hexadecimal digits.
fn parse_aaguid(text: &str) -> Option<[u8; 16]> {
    let groups: Vec<&str> = text.split('-').collect();
    if groups.iter().map(|group| group.len()).ne([8, 4, 4, 4, 12]) {
        return None;
    }
    let digits = groups.concat();
    let mut aaguid = [0; 16];
    for (byte, pair) in aaguid.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let digit = |digit: u8| {
            char::from(digit)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(aaguid)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn model(aaguid: &str, roots: &[&str]) -> AllowedAuthenticator {
        AllowedAuthenticator {
            aaguid: aaguid.to_owned(),
            format: AttestationFormat::Packed,
            roots: roots.iter().map(|&root| root.to_owned()).collect(),
        }
    }

    const ROOT: &str = include_str!("../attestation/roots/apple-app-attestation.pem");
    const NAME: &str = "01020304-0506-0708-0102-030405060708";

    #[test]
    fn a_model_has_one_name_and_roots_that_are_certificates() {
        let check = |authenticators| PasskeyPolicy { authenticators }.check();
        assert_eq!(check(vec![model(NAME, &[ROOT])]), Ok(()));
        for name in [
            "",
            "01020304050607080102030405060708",
            "01020304-0506-0708-0102-03040506070",
            "01020304-0506-0708-0102-03040506070g",
            "+1020304-0506-0708-0102-030405060708",
            "ä020304-0506-0708-0102-030405060708",
            "00000000-0000-0000-0000-000000000000",
        ] {
            let refused = check(vec![model(name, &[ROOT])]);
            assert_eq!(refused, Err(PasskeyPolicyError::Model(name.to_owned())), "{name}");
        }
        let twice = check(vec![model(NAME, &[ROOT]), model(&NAME.to_uppercase(), &[ROOT])]);
        assert_eq!(twice, Err(PasskeyPolicyError::Model(NAME.to_owned())));
        for roots in [&[][..], &["no certificate"], &[ROOT, ""]] {
            let refused = check(vec![model(NAME, roots)]);
            assert_eq!(refused, Err(PasskeyPolicyError::Roots(NAME.to_owned())));
        }
        let many = (0..=MAX_MODELS).map(|_| model(NAME, &[ROOT])).collect();
        assert_eq!(check(many), Err(PasskeyPolicyError::TooMany));
    }

    #[test]
    fn only_a_named_model_is_believed() {
        let policy = PasskeyPolicy {
            authenticators: vec![model(NAME, &[ROOT])],
        };
        let mut aaguid = parse_aaguid(NAME).unwrap();
        assert!(policy.roots_of(&aaguid, AttestationFormat::Packed).is_some());
        for format in [
            AttestationFormat::Tpm,
            AttestationFormat::Apple,
            AttestationFormat::AndroidKey,
        ] {
            assert!(policy.roots_of(&aaguid, format).is_none());
        }
        aaguid[15] ^= 1;
        assert!(policy.roots_of(&aaguid, AttestationFormat::Packed).is_none());
        let read = |format: &str| serde_json::from_str::<AttestationFormat>(&format!("\"{format}\""));
        assert_eq!(read("android-key").unwrap(), AttestationFormat::AndroidKey);
        assert!(
            ["none", "fido-u2f", "android-safetynet", "Tpm"]
                .iter()
                .all(|format| read(format).is_err())
        );
        assert!(serde_json::from_str::<PasskeyPolicy>(r#"{"models": []}"#).is_err());
    }
}
