//! One encoding, the rules a manifest keeps, and what differs between two.

use super::*;

#[test]
fn a_manifest_has_one_encoding_which_is_that_of_rfc_8785() {
    let fixture = fixture();
    let manifest = fixture.manifest(1);
    let bytes = manifest.encode();
    assert_eq!(Manifest::parse(&bytes).unwrap(), manifest);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with(r#"{"format":"healthid-manifest/v1","governance":{"emergency_approvals":5,"#));
    // Another order, white space, another spelling of a string or number, a member that is not known.
    let number_first = format!(r#"{{"number":1,{}"#, text[1..].replacen(r#","number":1"#, "", 1));
    for (what, changed) in [
        ("order", number_first),
        ("white space", text.replacen(":", ": ", 1)),
        ("line end", format!("{text}\n")),
        ("escape", text.replacen("site-a", r"site-\u0061", 1)),
        ("upper case", text.replacen(&"51".repeat(32), &"5A".repeat(32), 1)),
        ("exponent", text.replacen(r#""number":1"#, r#""number":1e0"#, 1)),
        ("sign", text.replacen(r#""number":1"#, r#""number":-1"#, 1)),
        (
            "member",
            text.replacen(r#","number":1"#, r#","note":"x","number":1"#, 1),
        ),
        ("missing", text.replacen(r#","number":1"#, "", 1)),
        ("twice", text.replacen(r#","number":1"#, r#","number":1,"number":1"#, 1)),
        (
            "left out default",
            text.replacen(r#""min_evaluation_number":0,"#, "", 1),
        ),
    ] {
        assert_ne!(changed, text, "{what}: the case changes nothing");
        let code = Manifest::parse(changed.as_bytes()).unwrap_err().code();
        assert!(
            matches!(code, "manifest.malformed" | "manifest.not_canonical"),
            "{what}: {code}"
        );
    }
}

#[test]
fn a_manifest_nobody_could_live_with_is_refused() {
    let fixture = fixture();
    let refused = |what: &str, change: &dyn Fn(&mut Manifest)| {
        let mut manifest = fixture.manifest(1);
        change(&mut manifest);
        let error = Manifest::parse(&manifest.encode()).unwrap_err();
        assert_eq!(error.code(), "manifest.rule_broken", "{what}: {error}");
    };
    refused("number 0", &|m| m.number = 0);
    refused("a number that other readers round", &|m| m.number = 1 << 53);
    refused("no namespace", &|m| m.namespace.clear());
    refused("a namespace that JSON escapes", &|m| m.namespace = "a\"b".to_owned());
    refused("a namespace in another script", &|m| {
        m.namespace = "g\u{0435}sundheit".to_owned()
    });
    refused("ends before it begins", &|m| m.valid_until = LOGGED.minus_seconds(1));
    refused("unreachable threshold", &|m| m.governance.manifest_set.threshold = 6);
    refused("threshold 0", &|m| m.governance.manifest_set.threshold = 0);
    refused("a role nobody has", &|m| {
        m.governance.manifest_set.at_least.insert(OrganisationRole::Auditor, 2);
    });
    refused("roles above the threshold", &|m| m.share_set.threshold = 1);
    refused("nobody", &|m| m.share_set.members.clear());
    refused("unsorted members", &|m| m.share_set.members.reverse());
    refused("a key for two members", &|m| {
        m.share_set.members[1].key = m.share_set.members[0].key.clone();
    });
    refused("no witness needed", &|m| m.governance.witness_threshold = 0);
    refused("more witnesses than there are", &|m| m.governance.witness_threshold = 4);
    refused("a key for two witnesses", &|m| {
        m.governance.witnesses[1].key = m.governance.witnesses[0].key;
    });
    refused("a witness that is the log", &|m| {
        m.governance.witnesses[0].key = m.governance.log.key;
    });
    refused("a log name that no note can carry", &|m| {
        m.governance.log.name = "a b".to_owned()
    });
    refused("an emergency easier than the usual way", &|m| {
        m.governance.emergency_approvals = 2
    });
    refused("an emergency nobody can declare", &|m| {
        m.governance.emergency_approvals = 6
    });
    refused("a machine in two sites", &|m| {
        let mut site = m.sites[0].clone();
        site.name = "site-b".to_owned();
        m.sites.push(site);
    });
    refused("a site twice", &|m| m.sites.push(m.sites[0].clone()));
    refused("a build twice", &|m| m.measurements.push(m.measurements[0].clone()));
    refused("a build without a role", &|m| m.measurements[0].roles.clear());
    refused("a commit of another length", &|m| {
        m.measurements[0].commit = vec![1; 19]
    });
    refused("a register beyond the TPM's", &|m| {
        m.measurements[0].measurement = ListedMeasurement::VtpmDev {
            pcrs: vec![Register {
                index: 24,
                value: [0; 32],
            }],
        };
    });
    refused("host data that is no hexadecimal", &|m| {
        m.platform_policy.snp.host_data = "xx".to_owned()
    });
}

#[test]
fn a_manifest_that_fits_no_log_entry_is_refused() {
    let fixture = fixture();
    let mut manifest = fixture.manifest(1);
    manifest.sites[0].machines = (1..=MAX_LIST as u64)
        .map(|number| Machine {
            id: PlatformId::new([&[7; 56][..], &number.to_be_bytes()].concat()).unwrap(),
            platform: Platform::Sgx,
        })
        .collect();
    assert!(manifest.encode().len() > MAX_MANIFEST_BYTES);
    assert_eq!(
        Manifest::parse(&manifest.encode()).unwrap_err().code(),
        "manifest.malformed"
    );
    let envelope = fixture.house.approve(&manifest, &QUORUM).unwrap();
    assert!(Envelope::parse(&envelope.encode()).is_err());
    manifest.sites[0].machines.truncate(200);
    Manifest::parse(&manifest.encode()).unwrap();
}

#[test]
fn a_diff_names_every_change_and_nothing_else() {
    let fixture = fixture();
    let old = fixture.manifest(6);
    assert_eq!(diff(&old, &old), Vec::<String>::new());
    let mut new = old.clone();
    new.number = 7;
    new.measurements[0].measurement = ListedMeasurement::Sgx {
        mr_enclave: [0x52; 32],
        product_id: 7,
    };
    new.governance.manifest_set.members[0].role = OrganisationRole::Operator;
    new.sites[0].machines[0].id = PlatformId::new([0xab; 16]).unwrap();
    new.share_set.members.pop();
    let lines = diff(&old, &new);
    let starts: Vec<String> = lines
        .iter()
        .map(|line| line.split(": ").next().unwrap().chars().take(60).collect())
        .collect();
    assert_eq!(lines.len(), 7, "{lines:#?}");
    assert_eq!(
        lines[0],
        r#"~ governance.manifest_set.members[auditor-a].role: "auditor" -> "operator""#
    );
    assert!(
        lines[1].starts_with("- measurements[") && lines[1].contains(&"51".repeat(32)),
        "{starts:?}"
    );
    assert!(
        lines[2].starts_with("+ measurements[") && lines[2].contains(&"52".repeat(32)),
        "{starts:?}"
    );
    assert_eq!(lines[3], "~ number: 6 -> 7");
    assert!(lines[4].starts_with("- share_set.members[operator-a]"), "{starts:?}");
    assert!(lines[5].starts_with("- sites[site-a].machines["), "{starts:?}");
    assert!(lines[6].starts_with("+ sites[site-a].machines["), "{starts:?}");
}
