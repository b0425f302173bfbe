//! Event logs, TPM quotes and the frames around them.

#![no_main]

use std::sync::LazyLock;

use evidence::platform::{Evidence, Platform, TpmAuxiliary, TpmReport};
use evidence::verify::{
    self, BootComponent, PlatformPolicy, Roots, VerificationTime, boot_differences, parse_event_log, replay,
};
use healthid_fuzz::NOW;
use libfuzzer_sys::fuzz_target;

static ROOTS: LazyLock<Roots> = LazyLock::new(Roots::vendors);
static POLICY: LazyLock<PlatformPolicy> = LazyLock::new(PlatformPolicy::default);

fuzz_target!(|data: &[u8]| {
    if let Ok(events) = parse_event_log(data) {
        let registers = replay(&events);
        assert!(registers.keys().all(|register| *register < 24));
        let components: Vec<BootComponent> = events
            .iter()
            .filter(|event| event.extends)
            .map(|event| BootComponent {
                register: event.register,
                name: event.name.clone(),
                digest: event.digest,
            })
            .collect();
        assert!(boot_differences(&components, &components).is_empty());
        assert!(
            events
                .iter()
                .all(|event| !event.name.is_empty() && !event.name.contains(char::is_control))
        );
    }
    if let Some(report) = TpmReport::parse(data) {
        assert_eq!(report.to_bytes(), data);
    }
    if let Some(auxiliary) = TpmAuxiliary::parse(data) {
        assert_eq!(auxiliary.to_bytes(), data);
    }
    let middle = data.len() / 2;
    let (report, auxiliary) = data.split_at(middle);
    for (report, auxiliary) in [(data, data), (report, auxiliary)] {
        let evidence = Evidence {
            platform: Platform::VtpmDev,
            report: report.to_vec(),
            auxiliary: auxiliary.to_vec(),
            collateral: Vec::new(),
        };
        assert!(verify::verify(&evidence, &ROOTS, &POLICY, VerificationTime::at(NOW)).is_err());
    }
});
