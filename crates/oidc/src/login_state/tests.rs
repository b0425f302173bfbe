#![allow(clippy::unwrap_used)]
use super::*;
use crate::asking_device::SendingRight;
use proptest::prelude::*;

fn request() -> impl Strategy<Value = LoginRequest> {
    (
        (
            any::<[u8; 16]>(),
            any::<[u8; 12]>(),
            any::<[u8; 8]>(),
            any::<[u8; 32]>(),
        ),
        ("[ -~]{1,512}", "[0-9a-f]{32}|[ -~]{1,64}"),
        (0u16..1024, 0u16..1024, 0u8..64),
        (
            any::<bool>(),
            any::<bool>(),
            proptest::option::of(any::<bool>()),
            proptest::option::of(any::<u32>()),
        ),
        prop_oneof![Just("login"), Just("none"), Just("consent login")],
    )
        .prop_map(|(ids, texts, sets, wishes, prompt)| LoginRequest {
            login_id: LoginId(ids.0),
            client: ClientTag(ids.1),
            redirect: RedirectTag(ids.2),
            code_challenge: ids.3,
            nonce: texts.0,
            state: texts.1,
            essential: ClaimSet::from_bits(sets.0).unwrap(),
            voluntary: ClaimSet::from_bits(sets.1).unwrap(),
            acr: level(wishes.0),
            essential_acr: wishes.2.map(level),
            essential_amr: AmrSet::from_bits(sets.2).unwrap(),
            prompts: Prompts::parse(prompt).unwrap(),
            max_age: wishes.3,
            version: version(wishes.1),
        })
}

fn performed() -> impl Strategy<Value = Performed> {
    (0u8..4, any::<bool>(), any::<bool>(), any::<bool>(), 0u64..1 << 32).prop_map(|(byte, high, consent, sso, time)| {
        Performed {
            method: method(byte).unwrap(),
            level: level(high),
            consented_to_substantial: consent,
            session: if sso { Session::SingleSignOn } else { Session::Fresh },
            auth_time: UnixTime(time),
        }
    })
}

proptest! {
    #[test]
    fn every_state_survives_its_travel(request in request(), performed in performed(),
        browser in proptest::option::of(any::<[u8; 8]>()), digest in proptest::option::of(any::<[u8; 32]>()),
        device in proptest::option::of(any::<([u8; 16], u64)>()), expires in 0u64..1 << 32, remember in any::<bool>(),
        asking in proptest::option::of((proptest::option::of(any::<[u8; 8]>()), 0u64..1 << 32, proptest::option::of(any::<[u8; 8]>()))),
        extended in 0u8..=MAX_EXTENSIONS) {
        let asking = asking.map(|(network, at, right)| AskingDevice {
            sent_by: right.map(SendingRight),
            ..AskingDevice::new(Some("Firefox/1 (Windows)"), network, UnixTime(at))
        });
        let (browser, expires_at) = (browser.map(BrowserTag), UnixTime(expires));
        let pushed = PushedLogin { request: request.clone(), expires_at };
        prop_assert_eq!(PushedLogin::from_bytes(&pushed.to_bytes()).unwrap(), pushed);
        let device = device.map(|(device_id, counter)| DeviceUse { device_id, counter });
        let pending = PendingLogin { request: request.clone(), browser, challenge_digest: digest, asking, extended, expires_at };
        prop_assert_eq!(PendingLogin::from_bytes(&pending.to_bytes()).unwrap(), pending);
        let login = AuthenticatedLogin { request: request.clone(), browser, performed: performed.clone(), device, asking, extended, expires_at };
        prop_assert_eq!(AuthenticatedLogin::from_bytes(&login.to_bytes()).unwrap(), login);
        let code = AuthorizationCode {
            login_id: request.login_id, client: request.client, redirect: request.redirect, code_challenge: request.code_challenge,
            nonce: request.nonce.clone(), requested: request.voluntary, released: request.essential, performed: performed.clone(), device,
            version: request.version, remember: if remember { Remember::Yes } else { Remember::No }, expires_at,
        };
        prop_assert_eq!(AuthorizationCode::from_bytes(&code.to_bytes()).unwrap(), code);
        let session = SessionState { performed, device, expires_at };
        prop_assert_eq!(SessionState::from_bytes(&session.to_bytes()).unwrap(), session);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0u8..7) {
        let bytes = [&[kind][..], &bytes].concat();
        let _ = PushedLogin::from_bytes(&bytes);
        let _ = PendingLogin::from_bytes(&bytes);
        let _ = AuthenticatedLogin::from_bytes(&bytes);
        let _ = AuthorizationCode::from_bytes(&bytes);
        let _ = SessionState::from_bytes(&bytes);
    }

    #[test]
    fn a_shortened_or_lengthened_state_is_refused(request in request(), cut in 1usize..20) {
        let bytes = PushedLogin { request, expires_at: UnixTime(1_795_262_400) }.to_bytes();
        prop_assert!(PushedLogin::from_bytes(&bytes[..bytes.len() - cut]).is_err());
        prop_assert!(PushedLogin::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        prop_assert!(PendingLogin::from_bytes(&bytes).is_err(), "one kind is never another");
    }
}

/// Length of the sealed text: the vault adds 32 bytes and, after authentication, the person's 16; three bytes become four characters.
fn sealed_characters(content: &[u8], person_bytes: usize) -> usize {
    ((content.len() + 32 + person_bytes) * 4).div_ceil(3)
}

#[test]
fn every_state_of_an_ordinary_login_stays_below_300_characters() {
    let now = UnixTime(1_795_262_400);
    let request = LoginRequest {
        login_id: LoginId([1; 16]),
        client: ClientTag([2; 12]),
        redirect: RedirectTag([3; 8]),
        code_challenge: [4; 32],
        nonce: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into(),
        state: "n0NVeLWuwAbQdLhz0Tk6f5l5FqVjXqvGgWmMYbVrpSU".into(),
        essential: ClaimSet::EMPTY,
        voluntary: ClaimSet::all(),
        acr: Acr::High,
        essential_acr: Some(Acr::High),
        essential_amr: AmrSet::default(),
        prompts: Prompts::parse("login").unwrap(),
        max_age: Some(3600),
        version: IdTokenVersion::V2,
    };
    let performed = Performed {
        method: Method::DeviceKey,
        level: Acr::High,
        consented_to_substantial: false,
        session: Session::Fresh,
        auth_time: now,
    };
    let browser = Some(BrowserTag([5; 8]));
    let device = Some(DeviceUse {
        device_id: [6; 16],
        counter: 9_999,
    });
    let pushed = PushedLogin {
        request: request.clone(),
        expires_at: now.plus_seconds(90),
    };
    let pending = PendingLogin {
        request: request.clone(),
        browser,
        challenge_digest: Some([7; 32]),
        asking: None,
        extended: 0,
        expires_at: now.plus_seconds(PENDING_LIFETIME_SECONDS),
    };
    let authenticated = AuthenticatedLogin {
        request: request.clone(),
        browser,
        performed: performed.clone(),
        device,
        asking: None,
        extended: 0,
        expires_at: now.plus_seconds(AUTHENTICATED_LIFETIME_SECONDS),
    };
    let code = AuthorizationCode {
        login_id: request.login_id,
        client: request.client,
        redirect: request.redirect,
        code_challenge: request.code_challenge,
        nonce: request.nonce,
        requested: ClaimSet::all(),
        released: ClaimSet::all(),
        performed: performed.clone(),
        device,
        version: request.version,
        remember: Remember::Yes,
        expires_at: now.plus_seconds(60),
    };
    let session = SessionState {
        performed,
        device,
        expires_at: now.plus_seconds(900),
    };
    for (name, characters) in [
        (
            "request_uri",
            crate::push::REQUEST_URI_PREFIX.len() + sealed_characters(&pushed.to_bytes(), 0),
        ),
        ("pending", sealed_characters(&pending.to_bytes(), 0)),
        ("authenticated", sealed_characters(&authenticated.to_bytes(), 16)),
        ("code", sealed_characters(&code.to_bytes(), 16)),
        ("session", sealed_characters(&session.to_bytes(), 16)),
    ] {
        assert!(characters < 300, "{name}: {characters}");
    }
}
