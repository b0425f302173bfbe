//! A measured boot made here: what is taken from it, and everything that must not be.

mod machine;

use std::collections::BTreeMap;

use rcgen::{CustomExtension, KeyUsagePurpose};

use self::machine::{
    BOOT_APPLICATION, EVENT_TAG, Event, FIRMWARE, IPL, Machine, NOW, REPORT_DATA, SEPARATOR, attest, auxiliary, boot,
    header, log, parameters, registers, sha256, written,
};
use super::{EventLogError, parse_event_log, replay};
use crate::platform::{Evidence, Measurement, Platform};
use crate::verify::policy::PlatformPolicy;
use crate::verify::tcb::TcbStatus;
use crate::verify::{BootDifference, EvidenceError, Roots, VerificationTime, boot_differences, verify};

#[test]
fn a_measured_boot_is_verified_and_its_components_are_named() {
    let machine = Machine::new();
    let events = boot(b"initramfs", "quiet");
    let verified = machine.judge(&machine.evidence(&events)).unwrap();
    assert_eq!(verified.platform(), Platform::VtpmDev);
    assert!(!verified.platform().excludes_operator());
    assert_eq!(verified.tcb(), &TcbStatus::NotRated);
    assert_eq!(verified.report_data(), &REPORT_DATA);
    assert_eq!(
        verified.measurement(),
        &Measurement::Tpm {
            pcrs: registers(&events)
        }
    );
    let in_9: Vec<_> = verified
        .boot_components()
        .iter()
        .filter(|component| component.register == 9)
        .map(|component| (component.name.as_str(), component.digest))
        .collect();
    let utf16: Vec<u8> = "quiet".encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    assert_eq!(
        in_9,
        [
            ("LOADED_IMAGE::LoadOptions", sha256(&utf16)),
            ("Linux initrd", sha256(b"initramfs"))
        ]
    );
    let names: Vec<_> = verified
        .boot_components()
        .iter()
        .map(|component| component.name.as_str())
        .collect();
    assert!(names.contains(&"firmware") && names.contains(&"boot application"));
    assert!(names.contains(&"grub_cmd: linux /vmlinuz") && names.contains(&"separator"));
}

/// Attack 41, without the emulator: one changed byte is named.
#[test]
fn a_changed_component_is_named() {
    let machine = Machine::new();
    let judged = |initramfs: &[u8], command_line: &str| {
        machine
            .judge(&machine.evidence(&boot(initramfs, command_line)))
            .unwrap()
    };
    let golden = judged(b"initramfs", "quiet");
    assert!(
        boot_differences(
            golden.boot_components(),
            judged(b"initramfs", "quiet").boot_components()
        )
        .is_empty()
    );
    for (changed, name) in [
        (judged(b"initramfS", "quiet"), "Linux initrd"),
        (judged(b"initramfs", "quiet debug"), "LOADED_IMAGE::LoadOptions"),
    ] {
        assert_ne!(changed.measurement(), golden.measurement());
        let differences = boot_differences(golden.boot_components(), changed.boot_components());
        let [BootDifference::Changed { expected, found }] = differences[..] else {
            panic!("{differences:?}")
        };
        assert_eq!((expected.name.as_str(), expected.register), (name, 9));
        assert_ne!(expected.digest, found.digest);
    }
    let fewer = &golden.boot_components()[..golden.boot_components().len() - 1];
    assert!(matches!(
        boot_differences(golden.boot_components(), fewer)[..],
        [BootDifference::Missing(component)] if component.name == "Linux initrd"
    ));
    assert!(matches!(
        boot_differences(fewer, golden.boot_components())[..],
        [BootDifference::Unexpected(_)]
    ));
}

#[test]
fn every_bit_of_the_quote_and_its_signature_is_refused_when_flipped() {
    let machine = Machine::new();
    let mut evidence = machine.evidence(&boot(b"initramfs", "quiet"));
    machine.judge(&evidence).unwrap();
    for position in 0..evidence.report.len() {
        for bit in 0..8 {
            evidence.report[position] ^= 1 << bit;
            assert!(machine.judge(&evidence).is_err(), "byte {position} bit {bit}");
            evidence.report[position] ^= 1 << bit;
        }
    }
    for length in 0..evidence.report.len() {
        let shorter = Evidence {
            report: evidence.report[..length].to_vec(),
            ..evidence.clone()
        };
        assert!(machine.judge(&shorter).is_err(), "{length}");
    }
}

#[test]
fn every_digest_of_the_log_counts_and_words_do_not() {
    let machine = Machine::new();
    let mut evidence = machine.evidence(&boot(b"initramfs", "quiet"));
    let name = *machine.judge(&evidence).unwrap().digest();
    let end = evidence.auxiliary.len() - 10 * 33;
    let digest = sha256(b"initramfs");
    let digest = evidence
        .auxiliary
        .windows(32)
        .position(|window| window == digest)
        .unwrap();
    for position in (digest..digest + 32).chain(end..end + 33) {
        evidence.auxiliary[position] ^= 1;
        assert!(machine.judge(&evidence).is_err(), "{position}");
        evidence.auxiliary[position] ^= 1;
    }
    // The words are the firmware's; changing them changes no digest, and the evidence keeps its name.
    let words = evidence
        .auxiliary
        .windows(6)
        .position(|window| window == b"initrd")
        .unwrap();
    evidence.auxiliary[words] = b'I';
    assert_eq!(machine.judge(&evidence).unwrap().digest(), &name);
}

#[test]
fn a_log_that_does_not_lead_to_the_registers_names_the_register() {
    let machine = Machine::new();
    let events = boot(b"initramfs", "quiet");
    let evidence = machine.evidence(&events);
    let with_log = |events: &[Event]| auxiliary(&evidence, |parts| parts.event_log = log(events));
    let other = boot(b"another", "quiet");
    assert_eq!(machine.judge(&with_log(&other)), Err(EvidenceError::EventLogReplay(9)));
    let mut without_kernel = events.clone();
    without_kernel.retain(|(register, kind, ..)| (*register, *kind) != (4, BOOT_APPLICATION));
    assert_eq!(
        machine.judge(&with_log(&without_kernel)),
        Err(EvidenceError::EventLogReplay(4))
    );
    let mut reordered = events.clone();
    reordered.reverse();
    assert!(matches!(
        machine.judge(&with_log(&reordered)),
        Err(EvidenceError::EventLogReplay(_))
    ));
    assert_eq!(
        machine.judge(&auxiliary(&evidence, |parts| parts.event_log.clear())),
        Err(EvidenceError::EventLogReplay(0))
    );
    let pretended = auxiliary(&evidence, |parts| {
        parts.registers = registers(&other);
        parts.event_log = log(&other);
    });
    assert_eq!(machine.judge(&pretended), Err(EvidenceError::Signature("registers")));
    let fewer = auxiliary(&evidence, |parts| {
        parts.registers.remove(&9);
    });
    assert_eq!(machine.judge(&fewer), Err(EvidenceError::Malformed("registers")));
}

#[test]
fn a_register_the_policy_asks_for_must_be_quoted() {
    let machine = Machine::new();
    let events = boot(b"initramfs", "quiet");
    let mut some = registers(&events);
    some.remove(&9);
    let evidence = machine.signed(attest(&sha256(&REPORT_DATA), &some), log(&events), some);
    assert_eq!(machine.judge(&evidence), Err(EvidenceError::RegisterMissing(9)));
}

/// Registers that others extend after the firmware's log was closed are quoted and not explained.
#[test]
fn a_register_nobody_asked_for_needs_no_log() {
    let machine = Machine::new();
    let events = boot(b"initramfs", "quiet");
    let mut more = registers(&events);
    more.insert(10, [0xaa; 32]);
    let evidence = machine.signed(attest(&sha256(&REPORT_DATA), &more), log(&events), more);
    assert!(machine.judge(&evidence).is_ok());
}

#[test]
fn a_quote_for_other_report_data_is_refused() {
    let machine = Machine::new();
    let events = boot(b"initramfs", "quiet");
    let all = registers(&events);
    for extra in [&sha256(b"another nonce")[..], &REPORT_DATA[..], &[]] {
        let evidence = machine.signed(attest(extra, &all), log(&events), all.clone());
        assert_eq!(machine.judge(&evidence), Err(EvidenceError::ReportData));
    }
}

/// The key signs whatever it is given when it is not restricted: what does not start as a TPM's structures do is refused.
#[test]
fn what_a_tpm_did_not_make_is_refused_although_the_signature_fits() {
    let machine = Machine::new();
    let events = boot(b"initramfs", "quiet");
    let all = registers(&events);
    let good = attest(&sha256(&REPORT_DATA), &all);
    let with = |position: usize, value: u8| {
        let mut changed = good.clone();
        changed[position] = value;
        machine
            .judge(&machine.signed(changed, log(&events), all.clone()))
            .unwrap_err()
    };
    assert_eq!(with(0, 0xfe), EvidenceError::NotFromTpm);
    // Another kind of attestation, another bank, two banks.
    let selection = 4 + 2 + 2 + 34 + 2 + 32 + 25;
    assert_eq!(with(5, 0x17), EvidenceError::Malformed("quote"));
    assert_eq!(with(selection + 5, 0x04), EvidenceError::Malformed("quote"));
    assert_eq!(with(selection + 3, 2), EvidenceError::Malformed("quote"));
    let longer = [&good[..], &[0]].concat();
    assert_eq!(
        machine.judge(&machine.signed(longer, log(&events), all.clone())),
        Err(EvidenceError::Malformed("quote"))
    );
}

#[test]
fn a_key_without_a_chain_to_a_known_root_is_refused() {
    let machine = Machine::new();
    let evidence = machine.evidence(&boot(b"initramfs", "quiet"));
    let judge = |evidence: &Evidence, roots: &Roots| {
        verify(evidence, roots, &PlatformPolicy::default(), VerificationTime::at(NOW))
    };
    let own = Roots::vendors().with_tpm_root(machine.root.clone());
    assert!(judge(&evidence, &own).is_ok());
    assert_eq!(
        judge(&evidence, &Roots::vendors()),
        Err(EvidenceError::NoRoot(Platform::VtpmDev))
    );
    let stranger = Roots::vendors().with_tpm_root(Machine::new().root);
    assert_eq!(judge(&evidence, &stranger), Err(EvidenceError::Chain));
    let without_middle = auxiliary(&evidence, |parts| parts.certificates.truncate(1));
    assert_eq!(judge(&without_middle, &own), Err(EvidenceError::Chain));
    let none = auxiliary(&evidence, |parts| parts.certificates.clear());
    assert_eq!(judge(&none, &own).unwrap_err().code(), "evidence.malformed");
    let foreign = auxiliary(&evidence, |parts| parts.certificates = Machine::new().certificates);
    assert_eq!(judge(&foreign, &own), Err(EvidenceError::Signature("quote")));
    let no_authority = Machine::with(false, 2040);
    let evidence = no_authority.evidence(&boot(b"initramfs", "quiet"));
    assert_eq!(no_authority.judge(&evidence), Err(EvidenceError::Chain));
    // An authority whose key is for something else, and a key's certificate that demands what nobody here understands.
    let mut wrong_usage = parameters("middle", true, 2040);
    wrong_usage.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let mut demanding = parameters("attestation key", false, 2040);
    let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    unknown.set_criticality(true);
    demanding.custom_extensions.push(unknown);
    let (middle, leaf) = (
        parameters("middle", true, 2040),
        parameters("attestation key", false, 2040),
    );
    for machine in [
        Machine::certified(&wrong_usage, &leaf),
        Machine::certified(&middle, &demanding),
    ] {
        let evidence = machine.evidence(&boot(b"initramfs", "quiet"));
        assert_eq!(machine.judge(&evidence), Err(EvidenceError::Chain));
    }
    let ended = Machine::with(true, 2025);
    let evidence = ended.evidence(&boot(b"initramfs", "quiet"));
    assert_eq!(ended.judge(&evidence).unwrap_err().code(), "evidence.expired");
}

#[test]
fn a_log_is_read_within_its_limits_or_refused() {
    let good = log(&boot(b"initramfs", "quiet"));
    assert_eq!(parse_event_log(&good).unwrap().len(), 13);
    assert_eq!(parse_event_log(&[]), Err(EventLogError::Header));
    // Cut between two events it is a shorter log; anywhere else it is none.
    let mut ends = vec![header().len()];
    for (register, kind, measured, data) in boot(b"initramfs", "quiet") {
        ends.push(ends.last().unwrap() + written(register, kind, sha256(&measured), &data).len());
    }
    for length in 0..good.len() {
        assert_eq!(
            parse_event_log(&good[..length]).is_ok(),
            ends.contains(&length),
            "{length}"
        );
    }
    assert_eq!(parse_event_log(&vec![0; 256 * 1024 + 1]), Err(EventLogError::Limit));
    let with = |event: Vec<u8>| parse_event_log(&[header(), event].concat());
    let valid = written(9, SEPARATOR, [1; 32], &[]);
    assert!(with(valid.clone()).is_ok());
    let changed = |position: usize, bytes: &[u8]| {
        let mut event = valid.clone();
        event[position..position + bytes.len()].copy_from_slice(bytes);
        with(event)
    };
    assert_eq!(changed(0, &[24]), Err(EventLogError::Event(0)));
    assert_eq!(changed(1, &[1]), Err(EventLogError::Event(0)));
    assert_eq!(changed(8, &[255, 255, 255, 255]), Err(EventLogError::Event(0)));
    // An algorithm the header does not announce, and SHA-1 twice instead of SHA-256.
    assert_eq!(changed(12, &[0x0c]), Err(EventLogError::Event(0)));
    assert_eq!(changed(34, &[4]), Err(EventLogError::Event(0)));
    assert_eq!(changed(68, &[255, 255, 255, 255]), Err(EventLogError::Event(0)));
    let many: Vec<u8> = std::iter::repeat_n(valid.clone(), 3000).flatten().collect();
    assert!(with(many).is_ok());
    let sha1_only = {
        let mut log = header();
        // The second algorithm becomes SHA-384 with 32 bytes.
        let position = log.len() - 5;
        log[position] = 0x0c;
        parse_event_log(&log)
    };
    assert_eq!(sha1_only, Err(EventLogError::Algorithms));
}

#[test]
fn informative_events_extend_nothing_and_the_locality_is_where_register_0_starts() {
    let mut locality = b"StartupLocality\0".to_vec();
    locality.push(3);
    let log = [
        header(),
        written(0, 3, [0; 32], &locality),
        written(0, FIRMWARE, sha256(b"firmware"), &[]),
        written(9, 3, [9; 32], b"only information"),
        written(17, SEPARATOR, sha256(b"late launch"), &[]),
    ]
    .concat();
    let events = parse_event_log(&log).unwrap();
    let mut start = [0; 32];
    start[31] = 3;
    assert_eq!(
        replay(&events),
        BTreeMap::from([
            (0, sha256(&[start, sha256(b"firmware")].concat())),
            (17, sha256(&[[0xff; 32], sha256(b"late launch")].concat())),
        ])
    );
}

#[test]
fn words_of_the_log_are_printable_and_short_before_they_reach_a_verdict() {
    let named = |kind, data: &[u8]| {
        let log = [header(), written(9, kind, [1; 32], data)].concat();
        parse_event_log(&log).unwrap().remove(0).name
    };
    assert_eq!(
        named(IPL, b"grub_cmd: \x1b[2Jclear\nline\0rest"),
        "grub_cmd: [2Jclearline"
    );
    assert_eq!(named(IPL, "kernel \u{e4}".as_bytes()), "kernel \u{e4}");
    assert_eq!(named(IPL, &[0xff, 0xfe, 0xfd]), "loader");
    assert_eq!(named(IPL, b""), "loader");
    let utf16: Vec<u8> = "root=/dev/vda".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(named(IPL, &utf16), "root=/dev/vda");
    assert_eq!(named(IPL, &[b'x'; 5000]).len(), 120);
    assert_eq!(named(EVENT_TAG, &[1, 2, 3]), "tagged event");
    assert_eq!(named(0x1234, b"whatever"), "unknown event");
}
