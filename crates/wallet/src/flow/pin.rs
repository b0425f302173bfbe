//! An app's PIN: one try at the provider, and what it unlocks. The PIN never leaves this half (`docs/adr/0018-app-pin.md`).
//!
//! ```text
//! let (attempt, want) = PinTry::begin(issuer, device, pin, random)?;        // or PinTry::set, with a card login
//! let (secret, tries_left) = attempt.tell(app.do(want))?;
//! let key_material = secret.unwrap(&kept)?;                                 // None: this was not the PIN
//! ```

use authenticator::pin::{Blinding, Element, PinError};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use jose::json;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::login::{body, post};
use super::{FlowError, Told, Want};

/// First byte of what is kept.
const FORM: u8 = 1;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;

/// One try of a PIN, under way.
#[derive(Debug)]
pub struct PinTry {
    blinding: Blinding,
    info: Vec<u8>,
}

/// What came of a try: the right one, if the PIN was. Wiped when dropped.
pub struct PinSecret {
    secret: Zeroizing<[u8; 32]>,
    info: Vec<u8>,
}

#[derive(Deserialize)]
struct Evaluated {
    evaluated: String,
    tries_left: u64,
}

impl PinTry {
    /// Tries a PIN of this device. `random` fills bytes with randomness.
    ///
    /// # Errors
    /// [`PinError`] for an empty or overlong PIN.
    pub fn begin(
        issuer: &str,
        device: &str,
        pin: &str,
        random: impl FnMut(&mut [u8; 32]),
    ) -> Result<(Self, Want), PinError> {
        let (attempt, point) = Self::new(issuer, device, pin, random)?;
        let body = json!({"device": device, "blinded": point.to_text()});
        Ok((attempt, post(issuer, "devices/pin/evaluate", body)))
    }

    /// Sets a PIN, the first one or a new one: `login` was answered with the card, just now. What was wrapped before is lost.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn set(
        issuer: &str,
        client_id: &str,
        login: &str,
        device: &str,
        pin: &str,
        random: impl FnMut(&mut [u8; 32]),
    ) -> Result<(Self, Want), PinError> {
        let (attempt, point) = Self::new(issuer, device, pin, random)?;
        let body = json!({"client_id": client_id, "login": login, "device": device, "blinded": point.to_text()});
        Ok((attempt, post(issuer, "devices/pin", body)))
    }

    fn new(
        issuer: &str,
        device: &str,
        pin: &str,
        random: impl FnMut(&mut [u8; 32]),
    ) -> Result<(Self, Element), PinError> {
        let (blinding, point) = Blinding::new(pin.as_bytes(), random)?;
        let info = format!("healthid/app-pin/v1\0{issuer}\0{device}").into_bytes();
        Ok((Self { blinding, info }, point))
    }

    /// Takes the answer to [`Want::Send`]: the secret of this PIN, and how many tries are left.
    ///
    /// # Errors
    /// [`FlowError::Refused`], with [`authenticator::Reason::PinLocked`] where only the card helps; [`FlowError::Answer`].
    pub fn tell(self, told: Told) -> Result<(PinSecret, u64), FlowError> {
        let wrong = || FlowError::Answer("devices/pin");
        let text = body(told)?;
        let answer: Evaluated = json::parse_as(text.as_bytes(), &json::DEFAULT).map_err(|_| wrong())?;
        let element = Element::parse(&answer.evaluated).map_err(|_| wrong())?;
        let secret = self.blinding.finish(element).map_err(|_| wrong())?;
        let info = self.info;
        Ok((PinSecret { secret, info }, answer.tries_left))
    }
}

impl PinSecret {
    /// Wraps what the PIN protects. `salt` must be fresh randomness.
    #[must_use]
    pub fn wrap(&self, salt: [u8; SALT_BYTES], content: &[u8]) -> Option<Vec<u8>> {
        let mut kept = vec![FORM];
        kept.extend_from_slice(&salt);
        let mut sealed = content.to_vec();
        self.key(&salt)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key([0; NONCE_BYTES]),
                Aad::from(&self.info),
                &mut sealed,
            )
            .ok()?;
        kept.append(&mut sealed);
        Some(kept)
    }

    /// Opens what [`wrap`](Self::wrap) made; `None` with another PIN's secret, another device's, or after a change.
    #[must_use]
    pub fn unwrap(&self, kept: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (&form, rest) = kept.split_first()?;
        let (salt, sealed) = rest.split_first_chunk::<SALT_BYTES>()?;
        if form != FORM {
            return None;
        }
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key([0; NONCE_BYTES]);
        let length = self
            .key(salt)?
            .open_in_place(nonce, Aad::from(&self.info), &mut bytes)
            .ok()?
            .len();
        bytes.truncate(length);
        Some(bytes)
    }

    /// A key for one content: the salt is never used twice, so the nonce may be constant.
    fn key(&self, salt: &[u8; SALT_BYTES]) -> Option<LessSafeKey> {
        let pseudorandom = Salt::new(HKDF_SHA256, salt).extract(&self.secret[..]);
        let info = [&self.info[..]];
        let derived = pseudorandom.expand(&info, &AES_256_GCM).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(derived)))
    }
}

impl std::fmt::Debug for PinSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PinSecret")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use authenticator::pin::PinShare;

    use super::*;

    /// The same in `apps/wallet/src/core/pin.test.ts`.
    #[derive(Deserialize)]
    struct Vector {
        issuer: String,
        device: String,
        pin: String,
        blind: String,
        share: String,
        blinded: String,
        evaluated: String,
        salt: String,
        content: String,
        kept: String,
    }

    fn vectors() -> Vec<Vector> {
        serde_json::from_str(include_str!("../../testdata/pin.json")).unwrap()
    }

    fn bytes(text: &str) -> Vec<u8> {
        jose::base64url::decode(text).unwrap()
    }

    fn drawn(text: &str) -> impl FnMut(&mut [u8; 32]) {
        let bytes = bytes(text);
        move |out| out.copy_from_slice(&bytes)
    }

    fn answer(evaluated: &str) -> Told {
        Told::Answer {
            status: 200,
            body: json!({"evaluated": evaluated, "tries_left": 9}).to_string(),
        }
    }

    #[test]
    fn what_the_typescript_half_recorded_comes_out_here_too() {
        for vector in vectors() {
            let (attempt, want) =
                PinTry::begin(&vector.issuer, &vector.device, &vector.pin, drawn(&vector.blind)).unwrap();
            let Want::Send(request) = want else { panic!("{want:?}") };
            assert_eq!(request.url, format!("{}/devices/pin/evaluate", vector.issuer));
            assert_eq!(
                request.body.unwrap(),
                json!({"device": vector.device, "blinded": vector.blinded})
            );
            let share = PinShare::new(drawn(&vector.share)).unwrap();
            let evaluated = share.evaluate(Element::parse(&vector.blinded).unwrap()).unwrap();
            assert_eq!(evaluated.to_text(), vector.evaluated);
            let (secret, left) = attempt.tell(answer(&vector.evaluated)).unwrap();
            assert_eq!(left, 9);
            let salt = bytes(&vector.salt).try_into().unwrap();
            assert_eq!(secret.wrap(salt, &bytes(&vector.content)).unwrap(), bytes(&vector.kept));
            assert_eq!(secret.unwrap(&bytes(&vector.kept)).unwrap()[..], bytes(&vector.content));
        }
    }

    #[test]
    fn another_pin_device_or_insurer_and_every_changed_bit_unlock_nothing() {
        let vector = &vectors()[0];
        let kept = bytes(&vector.kept);
        let secret = |issuer: &str, device: &str, pin: &str| {
            let (attempt, want) = PinTry::begin(issuer, device, pin, drawn(&vector.blind)).unwrap();
            let Want::Send(request) = want else { panic!("{want:?}") };
            let body = request.body.unwrap();
            let point = Element::parse(body["blinded"].as_str().unwrap()).unwrap();
            let evaluated = PinShare::new(drawn(&vector.share)).unwrap().evaluate(point).unwrap();
            attempt.tell(answer(&evaluated.to_text())).unwrap().0
        };
        let right = secret(&vector.issuer, &vector.device, &vector.pin);
        assert!(right.unwrap(&kept).is_some());
        for other in [
            secret(&vector.issuer, &vector.device, "135791"),
            secret(&vector.issuer, "other", &vector.pin),
            secret("https://other.example", &vector.device, &vector.pin),
        ] {
            assert!(other.unwrap(&kept).is_none());
        }
        for bit in 0..kept.len() * 8 {
            let mut changed = kept.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(right.unwrap(&changed).is_none(), "bit {bit}");
        }
        for length in 0..kept.len() {
            assert!(right.unwrap(&kept[..length]).is_none(), "{length}");
        }
        assert_eq!(format!("{right:?}"), "PinSecret");
    }

    #[test]
    fn an_answer_that_is_none_and_a_refusal_are_told() {
        let begin = || {
            PinTry::begin("https://idp.example", "d", "135790", |out| out.fill(7))
                .unwrap()
                .0
        };
        for body in [
            "",
            "{}",
            r#"{"evaluated":"","tries_left":1}"#,
            r#"{"evaluated":7,"tries_left":1}"#,
        ] {
            let told = Told::Answer {
                status: 200,
                body: body.to_owned(),
            };
            assert_eq!(begin().tell(told).unwrap_err().code(), "answer", "{body}");
        }
        let locked = Told::Answer {
            status: 403,
            body: r#"{"error":"access_denied","error_description":"x","reason":"pin-locked"}"#.to_owned(),
        };
        let error = begin().tell(locked).unwrap_err();
        assert_eq!(error.reason(), Some(authenticator::Reason::PinLocked));
        assert_eq!(begin().tell(Told::Decline).unwrap_err().code(), "out-of-order");
        assert!(PinTry::begin("https://idp.example", "d", "", |out| out.fill(7)).is_err());
    }
}
