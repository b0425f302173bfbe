//! Evidence bundles, saved ones and pin files. What is read is written and read back as the same, and what a fuzzer
//! makes up is never trusted.

#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use evidence::binding::Session;
use evidence::bundle::{Bundle, SavedBundle};
use evidence::manifest::{Governance, Member, OrganisationRole, RoleSet, Trust};
use evidence::transparency::NamedKey;
use evidence::verdict::{Asked, Overall, Pins, Subject, judge};
use healthid_fuzz::{NOW, key};
use libfuzzer_sys::fuzz_target;

static PINS: LazyLock<Pins> = LazyLock::new(|| {
    let named = |byte, name: &str| NamedKey {
        key: [byte; 32],
        name: name.to_owned(),
    };
    Pins::new(Trust {
        namespace: "fuzz".to_owned(),
        governance: Governance {
            emergency_approvals: 1,
            log: named(1, "log.example"),
            manifest_set: RoleSet {
                at_least: BTreeMap::new(),
                members: vec![Member {
                    key: key("leaf").expect("known").public_key().clone(),
                    name: "leaf".to_owned(),
                    role: OrganisationRole::Auditor,
                }],
                threshold: 1,
            },
            minimum_inclusion_seconds: 0,
            witness_threshold: 1,
            witnesses: vec![named(2, "witness.example")],
        },
    })
});

fn judged(bundle: &Bundle) {
    let session = Session {
        nonce: [1; 32],
        signer_spki_sha256: [2; 32],
        exporter: [3; 32],
    };
    for asked in [Asked::Here(session), Asked::Recorded(session), Asked::Somehow] {
        let verdict = judge(bundle, &asked, &PINS, NOW);
        assert_ne!(verdict.overall(), Overall::Trusted, "made-up evidence is trusted");
        assert_eq!(verdict.lines().len(), Subject::ALL.len());
    }
}

fuzz_target!(|data: &[u8]| {
    if let Ok(bundle) = Bundle::parse(data) {
        assert_eq!(Bundle::parse(&bundle.encode()).as_ref(), Ok(&bundle));
        judged(&bundle);
    }
    if let Ok(saved) = SavedBundle::parse(data) {
        assert_eq!(SavedBundle::parse(&saved.encode()).as_ref(), Ok(&saved));
        judged(&saved.bundle);
    }
    if let Ok(pins) = Pins::parse(data) {
        let again = Pins::parse(&pins.encode(None, &[])).expect("what was written reads back");
        assert_eq!(again.trust, pins.trust);
    }
});
