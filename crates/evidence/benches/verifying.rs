//! What verifying evidence costs: microseconds of this thread per verification, on recorded genuine evidence.
//!
//! `cargo bench -p healthid-evidence`. Absolute values belong to the machine.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;

use evidence::platform::{Evidence, Platform};
use evidence::verify::{
    Demand, FlagRule, PlatformPolicy, Roots, SnpProduct, SnpTcb, TcbStatus, VerificationTime, certificate_table, verify,
};
use jose::UnixTime;

const ROUNDS: u32 = 200;

fn cpu_nanoseconds() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

fn measure(name: &str, mut work: impl FnMut()) {
    (0..20).for_each(|_| work());
    let mut figures: Vec<_> = (0..7)
        .map(|_| {
            let start = cpu_nanoseconds();
            (0..ROUNDS).for_each(|_| work());
            (cpu_nanoseconds() - start) as f64 / f64::from(ROUNDS) / 1000.0
        })
        .collect();
    figures.sort_by(f64::total_cmp);
    println!(
        "{name:<44} {:>8.0} us  [{:.0}-{:.0}]",
        figures[3], figures[0], figures[6]
    );
}

/// A file of a package, where cargo unpacked it.
fn file(package: &str, path: &str) -> Vec<u8> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--offline",
            "--manifest-path",
            manifest,
        ])
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let found = packages.iter().find(|candidate| candidate["name"] == package).unwrap();
    let mut directory = PathBuf::from(found["manifest_path"].as_str().unwrap());
    directory.pop();
    std::fs::read(directory.join(path)).unwrap()
}

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return; // built and started by `cargo test`, but not a test
    }
    let mut policy = PlatformPolicy::default();
    policy
        .intel
        .allowed_statuses
        .insert(TcbStatus::ConfigurationAndSwHardeningNeeded);
    policy.intel.dynamic_platform = FlagRule::Allowed;
    policy.intel.cached_keys = FlagRule::Allowed;
    policy.intel.smt = FlagRule::Allowed;
    policy.snp.tcb_floors.insert(SnpProduct::Milan, SnpTcb::default());
    policy.snp.smt = FlagRule::Allowed;
    policy.snp.alias_check = Demand::Optional;
    policy.snp.revocation_list = Demand::Optional;
    let roots = Roots::vendors();
    let quote = |platform, name: &str| Evidence {
        platform,
        report: file("dcap-qvl", &format!("sample/{name}")),
        auxiliary: Vec::new(),
        collateral: file("dcap-qvl", &format!("sample/{name}_collateral.json")),
    };
    let digits = String::from_utf8(file("sev", "tests/certs_data/report_milan.hex")).unwrap();
    let milan = Evidence {
        platform: Platform::SevSnp,
        report: (0..digits.len() / 2)
            .map(|position| u8::from_str_radix(&digits[2 * position..2 * position + 2], 16).unwrap())
            .collect(),
        auxiliary: certificate_table(&file("sev", "tests/certs_data/vcek_milan.der")),
        collateral: Vec::new(),
    };
    for (name, evidence, now) in [
        ("sgx, version 3", quote(Platform::Sgx, "sgx_quote"), 1_751_328_000),
        ("tdx, version 4", quote(Platform::Tdx, "tdx_quote"), 1_751_328_000),
        ("sev-snp, Milan", milan, 1_704_067_200),
    ] {
        let clock = VerificationTime::at(UnixTime(now));
        measure(name, || {
            black_box(verify(black_box(&evidence), &roots, &policy, clock).unwrap());
        });
    }
}
