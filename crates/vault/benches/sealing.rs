//! What sealing costs: nanoseconds of this thread per operation.
//!
//! `cargo bench -p healthid-vault`. Absolute values belong to the machine; keep the ratios (`performance.md` 1).

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::hint::black_box;

use authenticator::{Ik, Kvnr};
use jose::UnixTime;
use store::{Row, Write};
use vault::{BackgroundTask, PersonData, StateKind, Vault, tenant_id};

const NOW: UnixTime = UnixTime(1_800_000_000);
const ROUNDS: u32 = 100_000;

fn cpu_nanoseconds() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

fn measure(name: &str, mut work: impl FnMut()) {
    (0..200).for_each(|_| work());
    let mut figures: Vec<_> = (0..7)
        .map(|_| {
            let start = cpu_nanoseconds();
            (0..ROUNDS).for_each(|_| work());
            (cpu_nanoseconds() - start) as f64 / f64::from(ROUNDS)
        })
        .collect();
    figures.sort_by(f64::total_cmp);
    println!(
        "{name:<44} {:>8.0} ns  [{:.0}-{:.0}]",
        figures[3], figures[0], figures[6]
    );
}

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return; // built and started by `cargo test`, but not a test
    }
    let vault = Vault::development([1; 32]);
    let tenant = tenant_id("https://idp.example");
    let data = PersonData {
        kvnr: Kvnr::parse("Q000123451").unwrap(),
        ik: Ik::parse("109900019").unwrap(),
        given_name: "Ada".into(),
        family_name: "Mustermann".into(),
        display_name: "Dr. Ada Mustermann".into(),
        birthdate: "1984-02-29".into(),
        sex: "W".into(),
        email: "ada@example.org".into(),
        card_valid_until: "2028-02-29".into(),
    };
    let person = vault.create_person(tenant, &data).unwrap();
    let identity = person.identity_row().unwrap();
    let device_key = vault.device_key(tenant, &person.id, &[1; 16]).unwrap();
    let capability = || vault.background_capability(tenant, person.id, BackgroundTask::Reseal);
    let sealed = vault
        .with_person(capability(), &identity, |scope| {
            scope.seal_record(device_key, None, &scope.plaintext(vec![1; 500]), None)
        })
        .unwrap()
        .unwrap();
    let Write::Put { sealed, .. } = sealed.write else {
        return;
    };
    let device = Row {
        version: 1,
        sealed,
        expires_at: None,
    };
    let content = [7; 190];
    let state = vault
        .login_states()
        .seal(tenant, StateKind::Pushed, NOW, &content)
        .unwrap();

    measure("random, 32 bytes", || {
        let mut bytes = [0; 32];
        vault::random(&mut bytes);
        black_box(bytes);
    });
    measure("login state, seal 190 bytes", || {
        black_box(
            vault
                .login_states()
                .seal(tenant, StateKind::Pushed, NOW, black_box(&content))
                .unwrap(),
        );
    });
    measure("login state, open 190 bytes", || {
        black_box(
            vault
                .login_states()
                .open(tenant, StateKind::Pushed, NOW, black_box(&state))
                .unwrap(),
        );
    });
    measure("pseudonym", || {
        black_box(vault.pseudonym(tenant, &person.id, "https://epa.example").unwrap());
    });
    measure("blind index", || {
        black_box(vault.blind_index(tenant, &data.kvnr).unwrap());
    });
    measure("person, create and seal", || {
        black_box(vault.create_person(tenant, &data).unwrap());
    });
    measure("person, open scope", || {
        vault
            .with_person(capability(), black_box(&identity), |scope| {
                let _ = black_box(scope.person_id());
            })
            .unwrap();
    });
    measure("person, open scope and one record", || {
        vault
            .with_person(capability(), black_box(&identity), |scope| {
                black_box(scope.open_record(&device_key, &device).unwrap());
            })
            .unwrap();
    });
    measure("person, open scope and seal one record", || {
        let change = vault.with_person(capability(), black_box(&identity), |scope| {
            scope.seal_record(device_key, Some(1), &scope.plaintext(vec![1; 500]), None)
        });
        black_box(change.unwrap().unwrap());
    });
}
