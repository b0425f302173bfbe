//! A real PKCS#11 module: SoftHSM 2. Each test runs in a child process with a token directory of its own, because the module
//! reads its configuration from the environment once. Skips, loudly, where the module is not installed.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use jose::{SignError, Signer, UnixTime, json, jws};
use store::{Key, Row, TenantId, Write};
use vault::hsm::{Hsm, HsmAccess, HsmError, KeyId, Pin, WrappedHalf};
use vault::{KeyRole, KeyState, Namespace, OpenError, SealError, TenantKey, TenantSigners, Vault};

const NOW: UnixTime = UnixTime(1_800_000_000);
const IN_CHILD: &str = "HEALTHID_HSM_TEST_DIRECTORY";
const PIN: &str = "271828";
const LABEL: &str = "healthid";

/// Where Debian and others put it; `SOFTHSM2_MODULE` says otherwise.
fn module() -> Option<PathBuf> {
    let places = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    ];
    let named = std::env::var_os("SOFTHSM2_MODULE").map(PathBuf::from);
    named
        .into_iter()
        .chain(places.map(PathBuf::from))
        .find(|path| path.exists())
}

/// Runs the body with a fresh token, in a child process of its own.
fn with_token(test: &str, body: impl FnOnce(&Path)) {
    let Some(module) = module() else {
        println!("SKIPPED {test}: SoftHSM 2 is not installed (Debian: softhsm2)");
        return;
    };
    if let Some(directory) = std::env::var_os(IN_CHILD) {
        init_token(&module);
        return body(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("tokens")).unwrap();
    let configuration = directory.path().join("softhsm2.conf");
    let tokens = directory.path().join("tokens");
    std::fs::write(
        &configuration,
        format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        ),
    )
    .unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env("SOFTHSM2_CONF", &configuration)
        .env(IN_CHILD, directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
    assert!(!said.contains(PIN), "the PIN was printed");
}

fn init_token(module: &Path) {
    let library = Pkcs11::new(module).unwrap();
    library
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .unwrap();
    let slot = library.get_slots_with_token().unwrap()[0];
    let officer = AuthPin::from("31415926");
    library.init_token(slot, &officer, LABEL).unwrap();
    let session = library.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&officer)).unwrap();
    session.init_pin(&AuthPin::from(PIN)).unwrap();
    drop(session);
    library.finalize().unwrap();
}

/// The token as whoever has the PIN sees it, without our code.
fn bare_session() -> Session {
    let library = Pkcs11::new(module().unwrap()).unwrap();
    let _ = library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let slots = library.get_slots_with_initialized_token().unwrap();
    let session = library.open_rw_session(slots[0]).unwrap();
    let _ = session.login(UserType::User, Some(&AuthPin::from(PIN)));
    session
}

fn hsm_with(pin: &str, label: &str, sessions: usize) -> Arc<Hsm> {
    Arc::new(Hsm::new(HsmAccess {
        module: module().unwrap(),
        token_label: label.to_owned(),
        pin: Pin::parse(pin.as_bytes()).unwrap(),
        sessions,
        limit: Duration::from_secs(20),
    }))
}

fn hsm() -> Arc<Hsm> {
    hsm_with(PIN, LABEL, 2)
}

fn namespace() -> Namespace {
    Namespace::parse("de.example").unwrap()
}

fn tenant() -> TenantId {
    vault::tenant_id("https://idp.example")
}

fn row(change: vault::SealedChange) -> (Key, Row) {
    let Write::Put {
        key,
        sealed,
        expires_at,
    } = change.write
    else {
        panic!("a put")
    };
    let row = Row {
        version: 1,
        sealed,
        expires_at,
    };
    (key, row)
}

#[test]
fn half_is_unwrapped_by_its_key_for_its_namespace_and_by_nothing_else() {
    with_token(
        "half_is_unwrapped_by_its_key_for_its_namespace_and_by_nothing_else",
        |_| {
            let hsm = hsm();
            assert_eq!(hsm.new_half(&namespace(), "root-1").unwrap_err(), HsmError::KeyAbsent);
            hsm.generate_wrapping_key("root-1").unwrap();
            assert_eq!(hsm.generate_wrapping_key("root-1"), Err(HsmError::KeyExists));
            let (half, wrapped) = hsm.new_half(&namespace(), "root-1").unwrap();
            let wrapped_again = hsm.wrap_half(&namespace(), "root-1", &half).unwrap();
            assert_ne!(wrapped, wrapped_again, "a nonce of its own");
            hsm.unwrap_half(&namespace(), &wrapped).unwrap();
            hsm.unwrap_half(&namespace(), &wrapped_again).unwrap();

            let elsewhere = Namespace::parse("de.example.test").unwrap();
            assert_eq!(
                hsm.unwrap_half(&elsewhere, &wrapped).unwrap_err(),
                HsmError::NotUnwrapped
            );
            hsm.generate_wrapping_key("root-2").unwrap();
            let bytes = wrapped.to_bytes();
            let mut other_key = bytes.clone();
            other_key[2 + 5] = b'2';
            let other_key = WrappedHalf::parse(&other_key).unwrap();
            assert_eq!(other_key.key_label(), "root-2");
            assert_eq!(
                hsm.unwrap_half(&namespace(), &other_key).unwrap_err(),
                HsmError::NotUnwrapped
            );
            for at in 2 + "root-1".len()..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 1;
                let changed = WrappedHalf::parse(&changed).unwrap();
                assert_eq!(
                    hsm.unwrap_half(&namespace(), &changed).unwrap_err(),
                    HsmError::NotUnwrapped
                );
            }
        },
    );
}

#[test]
fn wrapping_key_cannot_be_read_or_taken_out_with_the_pin() {
    with_token("wrapping_key_cannot_be_read_or_taken_out_with_the_pin", |_| {
        let hsm = hsm();
        hsm.generate_wrapping_key("root-1").unwrap();
        let id = KeyId::of(tenant(), 2, "k");
        hsm.generate_signing_key(id).unwrap();
        let session = bare_session();
        for template in [
            [Attribute::Label(b"root-1".to_vec()), Attribute::Extractable(false)],
            [Attribute::Id(id.as_bytes().to_vec()), Attribute::Sensitive(true)],
        ] {
            let objects = session.find_objects(&template).unwrap();
            assert_eq!(objects.len(), 1);
            let value = session.get_attributes(objects[0], &[AttributeType::Value]);
            assert!(
                value.map_or(true, |found| !found
                    .iter()
                    .any(|one| matches!(one, Attribute::Value(bytes) if !bytes.is_empty()))),
                "the value was given out"
            );
            let wrapping = session
                .generate_key(
                    &Mechanism::AesKeyGen,
                    &[
                        Attribute::ValueLen(32.into()),
                        Attribute::Wrap(true),
                        Attribute::Token(false),
                    ],
                )
                .unwrap();
            assert!(session.wrap_key(&Mechanism::AesKeyWrap, wrapping, objects[0]).is_err());
            assert!(
                session
                    .update_attributes(objects[0], &[Attribute::Extractable(true)])
                    .is_err(),
                "a key does not become extractable"
            );
        }
    });
}

#[test]
fn key_that_could_leave_the_module_is_refused() {
    with_token("key_that_could_leave_the_module_is_refused", |_| {
        let session = bare_session();
        let template = [
            Attribute::Token(true),
            Attribute::Label(b"weak".to_vec()),
            Attribute::ValueLen(32.into()),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Sensitive(false),
            Attribute::Extractable(true),
        ];
        session.generate_key(&Mechanism::AesKeyGen, &template).unwrap();
        // Brought from outside: what its owner may still know.
        let imported = [
            Attribute::Token(true),
            Attribute::Class(cryptoki::object::ObjectClass::SECRET_KEY),
            Attribute::KeyType(cryptoki::object::KeyType::AES),
            Attribute::Label(b"imported".to_vec()),
            Attribute::Value(vec![7; 32]),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
        ];
        session.create_object(&imported).unwrap();
        let hsm = hsm();
        for label in ["weak", "imported"] {
            assert_eq!(
                hsm.new_half(&namespace(), label).unwrap_err(),
                HsmError::KeyUnfit,
                "{label}"
            );
        }
    });
}

#[test]
fn signatures_of_the_module_verify_and_its_keys_are_found_again() {
    with_token("signatures_of_the_module_verify_and_its_keys_are_found_again", |_| {
        let vault = Vault::development([1; 32]).with_hsm(hsm());
        let key = |role| {
            vault
                .generate_signing_key(tenant(), role, KeyState::Active, NOW)
                .unwrap()
        };
        let (token, statement, challenge) = (
            key(KeyRole::IdToken),
            key(KeyRole::EntityStatement),
            key(KeyRole::Challenge),
        );
        assert!(token.is_in_hsm() && statement.is_in_hsm());
        assert!(!challenge.is_in_hsm(), "challenges are signed by a sealed software key");
        let rows: Vec<_> = [&token, &statement, &challenge]
            .map(|key| row(vault.seal_signing_key(key, None).unwrap()))
            .into();
        // Another instance at another time.
        let vault = Vault::development([1; 32]).with_hsm(hsm());
        let signers = TenantSigners::open(&vault, &rows).unwrap();
        for (role, made) in [(KeyRole::IdToken, &token), (KeyRole::EntityStatement, &statement)] {
            let opened: &TenantKey = signers.active(role).unwrap();
            assert!(opened.is_in_hsm());
            assert_eq!((opened.kid(), opened.public_key()), (made.kid(), made.public_key()));
            for _ in 0..20 {
                let signed = jws::sign(&jws::SigningHeader::default(), b"{}", opened).unwrap();
                let parsed = jws::parse(&signed, &json::DEFAULT).unwrap();
                assert!(parsed.verify(made.public_key()).is_ok());
            }
        }
        assert_ne!(token.public_key(), statement.public_key());
        // Key life cycle: retired, destroyed, gone.
        vault
            .destroy_signing_key(signers.active(KeyRole::IdToken).unwrap())
            .unwrap();
        let gone = signers.active(KeyRole::IdToken).unwrap().sign(b"x");
        assert_eq!(gone, Err(SignError::Holder { code: "hsm.key_absent" }));
        assert!(signers.active(KeyRole::EntityStatement).unwrap().sign(b"x").is_ok());
    });
}

#[test]
fn attack_47_no_software_key_takes_the_place_of_the_module() {
    with_token("attack_47_no_software_key_takes_the_place_of_the_module", |_| {
        let with_module = Vault::development([1; 32]).with_hsm(hsm());
        let bare = Vault::development([1; 32]);
        let made_here = bare
            .generate_signing_key(tenant(), KeyRole::IdToken, KeyState::Active, NOW)
            .unwrap();
        let (at, stored) = row(bare.seal_signing_key(&made_here, None).unwrap());
        assert_eq!(
            with_module.open_signing_key(&at, &stored).unwrap_err(),
            OpenError::SoftwareKey,
            "a software key put in the store"
        );
        let import = with_module.import_signing_key(tenant(), KeyRole::IdToken, KeyState::Next, NOW, None, &[]);
        assert_eq!(import.unwrap_err(), SealError::HsmNeeded);
        let in_module = with_module
            .generate_signing_key(tenant(), KeyRole::IdToken, KeyState::Active, NOW)
            .unwrap();
        let (at, stored) = row(with_module.seal_signing_key(&in_module, None).unwrap());
        assert_eq!(bare.open_signing_key(&at, &stored).unwrap_err(), OpenError::NoHsm);
        // Another token: an error each time a key is made or used, and no key.
        let vault = Vault::development([1; 32]).with_hsm(hsm_with(PIN, "another token", 1));
        let made = vault.generate_signing_key(tenant(), KeyRole::IdToken, KeyState::Active, NOW);
        assert_eq!(made.unwrap_err(), SealError::Hsm(HsmError::Gone));
        let opened = vault.open_signing_key(&at, &stored).unwrap();
        assert_eq!(opened.sign(b"x"), Err(SignError::Holder { code: "hsm.gone" }));
    });
}

#[test]
fn attack_47_wrong_pin_makes_no_key() {
    with_token("attack_47_wrong_pin_makes_no_key", |_| {
        let vault = Vault::development([1; 32]).with_hsm(hsm_with("000000", LABEL, 1));
        let make = || vault.generate_signing_key(tenant(), KeyRole::IdToken, KeyState::Active, NOW);
        assert_eq!(make().unwrap_err(), SealError::Hsm(HsmError::PinWrong));
        assert_eq!(make().unwrap_err(), SealError::Hsm(HsmError::PinNotTriedAgain));
    });
}

#[test]
fn attack_47_wrong_pin_is_tried_once_and_a_right_one_helps() {
    with_token("attack_47_wrong_pin_is_tried_once_and_a_right_one_helps", |_| {
        let hsm = hsm_with("000000", LABEL, 4);
        assert_eq!(hsm.check(), Err(HsmError::PinWrong));
        for _ in 0..5 {
            assert_eq!(hsm.check(), Err(HsmError::PinNotTriedAgain));
        }
        hsm.replace_pin(Pin::parse(PIN.as_bytes()).unwrap());
        assert_eq!(hsm.check(), Ok(()));
    });
}

#[test]
fn attack_47_module_that_is_gone_says_so_and_serves_again_when_it_is_back() {
    with_token(
        "attack_47_module_that_is_gone_says_so_and_serves_again_when_it_is_back",
        |directory| {
            let hsm = hsm_with(PIN, LABEL, 1);
            let id = KeyId::of(tenant(), 2, "k");
            let public = hsm.generate_signing_key(id).unwrap();
            hsm.sign(id, b"message").unwrap();
            let (tokens, away) = (directory.join("tokens"), directory.join("away"));
            std::fs::rename(&tokens, &away).unwrap();
            std::fs::create_dir(&tokens).unwrap();
            let mut failures = Vec::new();
            for _ in 0..4 {
                if let Err(error) = hsm.sign(id, b"message") {
                    failures.push(error);
                }
            }
            assert!(!failures.is_empty(), "the token's files are gone");
            assert!(
                failures
                    .iter()
                    .all(|error| matches!(error, HsmError::Gone | HsmError::KeyAbsent)),
                "{failures:?}"
            );
            assert_eq!(hsm.sign(id, b"message"), Err(*failures.last().unwrap()), "and stays so");
            std::fs::remove_dir_all(&tokens).unwrap();
            std::fs::rename(&away, &tokens).unwrap();
            let back = (0..3).find_map(|_| hsm.sign(id, b"message").ok());
            assert!(back.is_some(), "nobody had to do anything but bring it back");
            assert_eq!(hsm.public_key(id).unwrap(), public);
        },
    );
}

#[test]
fn many_threads_sign_at_once() {
    with_token("many_threads_sign_at_once", |_| {
        let hsm = hsm_with(PIN, LABEL, 4);
        let id = KeyId::of(tenant(), 2, "k");
        hsm.generate_signing_key(id).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..50).for_each(|_| assert!(hsm.sign(id, b"message").is_ok())));
            }
        });
    });
}

#[test]
fn library_that_is_none_is_named_so() {
    let hsm = Hsm::new(HsmAccess {
        module: PathBuf::from("/nonexistent/module.so"),
        token_label: LABEL.into(),
        pin: Pin::parse(b"1234").unwrap(),
        sessions: 1,
        limit: Duration::from_secs(20),
    });
    assert_eq!(hsm.check(), Err(HsmError::Module));
}
