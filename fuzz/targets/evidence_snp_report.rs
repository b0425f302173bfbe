//! Attestation reports of SEV-SNP, certificate tables and chip certificates: 1184 bytes of report, then the table; or a
//! certificate alone.

#![no_main]

use std::sync::LazyLock;

use evidence::platform::{Evidence, Platform};
use evidence::verify::{self, PlatformPolicy, Roots, VerificationTime, certificate_table};
use healthid_fuzz::NOW;
use libfuzzer_sys::fuzz_target;

const REPORT_BYTES: usize = 1184;

static ROOTS: LazyLock<Roots> = LazyLock::new(Roots::vendors);
static POLICY: LazyLock<PlatformPolicy> = LazyLock::new(PlatformPolicy::default);

/// A report that gets as far as its certificate: version 2, ECDSA over P-384, a chip id.
static REPORT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut report = vec![0; REPORT_BYTES];
    report[0] = 2;
    report[0x34] = 1;
    report[0x1a0] = 1;
    report
});

fn judge(report: &[u8], auxiliary: Vec<u8>, collateral: Vec<u8>) {
    let evidence = Evidence {
        platform: Platform::SevSnp,
        report: report.to_vec(),
        auxiliary,
        collateral,
    };
    assert!(verify::verify(&evidence, &ROOTS, &POLICY, VerificationTime::at(NOW)).is_err());
    let _ = verify::digest(&evidence);
}

fuzz_target!(|data: &[u8]| {
    let (report, table) = data.split_at(data.len().min(REPORT_BYTES));
    judge(report, table.to_vec(), Vec::new());
    judge(&REPORT, data.to_vec(), Vec::new());
    judge(&REPORT, certificate_table(data), data.to_vec());
});
