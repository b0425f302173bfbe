//! A sandbox with a data directory ends, starts again, and is the same.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{options, run};
use sandbox::headless::{Decision, Headless, HeadlessError, Means};
use sandbox::people::Person;
use sandbox::services::Service;
use sandbox::{Sandbox, SandboxOptions, StartError};
use wallet::phone::BindingWish;

#[test]
fn people_devices_pseudonyms_and_authorities_survive_a_restart() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let options = SandboxOptions {
            data: Some(directory.path().join("data")),
            ..options()
        };
        let lena = Person::find("lena").unwrap();
        let login_options = Headless::options(Service::Record, None);
        let by_card = || Means::Person {
            word: lena.word,
            pin: lena.pin,
        };

        let running = Sandbox::start(options.clone()).await.unwrap();
        let headless = Headless::with(&running).unwrap();
        let first = headless
            .log_in(
                Service::Record,
                lena.insurer,
                &login_options,
                by_card(),
                &Decision::ApproveAll,
            )
            .await
            .unwrap();
        let wish = BindingWish {
            name: "Handy",
            class: lena.device_class,
            consent_to_substantial: false,
            hardware: None,
        };
        let mut device = headless.bind(lena.insurer, lena.word, lena.pin, &wish).await.unwrap();
        let wrong = Means::Person {
            word: lena.word,
            pin: "000000",
        };
        let refused = headless
            .log_in(
                Service::Record,
                lena.insurer,
                &login_options,
                wrong,
                &Decision::ApproveAll,
            )
            .await;
        assert!(matches!(refused, Err(HeadlessError::Use(_))));
        let before = running.description().clone();
        let ca = std::fs::read(&before.ca).unwrap();
        running.stop().await;

        let running = Sandbox::start(options.clone()).await.unwrap();
        assert_eq!(*running.description(), before);
        assert_eq!(std::fs::read(&before.ca).unwrap(), ca);
        let headless = Headless::with(&running).unwrap();
        let cards = headless.cards().list().unwrap();
        assert_eq!(
            cards.iter().find(|card| card.word == lena.word).unwrap().tries_left,
            Some(2)
        );
        let means = Means::Device(&mut device);
        let by_device = headless
            .log_in(
                Service::Record,
                lena.insurer,
                &login_options,
                means,
                &Decision::ApproveAll,
            )
            .await
            .unwrap();
        assert_eq!(by_device.token.subject(), first.token.subject());
        running.stop().await;

        let other = SandboxOptions {
            port_base: 64_000,
            ..options
        };
        assert!(matches!(Sandbox::start(other).await, Err(StartError::Data(_))));
    });
}

#[test]
fn a_temporary_sandbox_leaves_nothing_behind() {
    run(async {
        let running = Sandbox::start(options()).await.unwrap();
        let data = running.description().data.clone();
        assert!(data.is_dir());
        running.stop().await;
        assert!(!data.exists());
    });
}

#[test]
fn what_cannot_work_is_refused_before_anything_listens() {
    run(async {
        let cases = [
            SandboxOptions {
                domain: "ti.test".into(),
                ..options()
            },
            SandboxOptions {
                domain: "Ti.test".into(),
                pages: sandbox::addresses::PageScheme::Https,
                ..options()
            },
            SandboxOptions {
                listen: "0.0.0.0".parse().unwrap(),
                ..options()
            },
            SandboxOptions {
                port_base: 65_530,
                ..options()
            },
        ];
        for case in cases {
            assert!(Sandbox::start(case).await.is_err());
        }
    });
}
