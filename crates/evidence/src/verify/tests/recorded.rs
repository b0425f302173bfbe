//! Recorded genuine evidence, read from the packages of `dcap-qvl` and `sev` where cargo unpacked them. Nothing is copied
//! into this repository. Where a package lacks its samples the test says so and does not run.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use jose::UnixTime;

use crate::platform::{Evidence, Platform};
use crate::verify::policy::{Demand, FlagRule, IntelPolicy, PlatformPolicy, SnpPolicy, TdxPolicy};
use crate::verify::tcb::{SnpProduct, SnpTcb, TcbStatus};
use crate::verify::{VerificationTime, certificate_table};

/// Where cargo unpacked the packages: name to directory.
static PACKAGES: LazyLock<Option<serde_json::Value>> = LazyLock::new(|| {
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
        .ok()?;
    serde_json::from_slice(&output.stdout).ok()
});

fn file(package: &str, path: &str) -> Option<Vec<u8>> {
    let packages = PACKAGES.as_ref()?.get("packages")?.as_array()?;
    let found = packages.iter().find(|candidate| candidate["name"] == package)?;
    let mut directory = PathBuf::from(found["manifest_path"].as_str()?);
    directory.pop();
    let content = std::fs::read(directory.join(path)).ok();
    if content.is_none() {
        eprintln!("SKIPPED: the package {package} does not carry {path}; recorded evidence is not verified");
    }
    content
}

/// A recorded quote with its collateral, and a moment at which both were valid.
#[derive(Clone)]
pub(crate) struct Recorded {
    pub(crate) name: &'static str,
    pub(crate) evidence: Evidence,
    pub(crate) now: UnixTime,
}

impl Recorded {
    pub(crate) fn clock(&self) -> VerificationTime {
        VerificationTime::at(self.now)
    }
}

fn quote(name: &'static str, platform: Platform, now: u64) -> Option<Recorded> {
    Some(Recorded {
        name,
        evidence: Evidence {
            platform,
            report: file("dcap-qvl", &format!("sample/{name}"))?,
            auxiliary: Vec::new(),
            collateral: file("dcap-qvl", &format!("sample/{name}_collateral.json"))?,
        },
        now: UnixTime(now),
    })
}

/// SGX, version 3. 1 July 2025.
pub(crate) fn sgx() -> Option<Recorded> {
    quote("sgx_quote", Platform::Sgx, 1_751_328_000)
}

/// TDX, version 4 with 70 bytes of padding. 1 July 2025.
pub(crate) fn tdx_v4() -> Option<Recorded> {
    quote("tdx_quote", Platform::Tdx, 1_751_328_000)
}

/// TDX, version 5 with the extended body. 20 October 2026.
pub(crate) fn tdx_v5() -> Option<Recorded> {
    quote("tdx_quote_td15ex", Platform::Tdx, 1_792_454_400)
}

/// TDX, version 5, from a platform below every level Intel lists. 1 March 2026.
pub(crate) fn tdx_outdated() -> Option<Recorded> {
    quote("tdx_quote_outdated", Platform::Tdx, 1_772_323_200)
}

/// SEV-SNP on Milan, version 2. 1 January 2024.
pub(crate) fn milan() -> Option<Recorded> {
    let digits = file("sev", "tests/certs_data/report_milan.hex")?;
    let report = digits
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    Some(Recorded {
        name: "report_milan",
        evidence: Evidence {
            platform: Platform::SevSnp,
            report,
            auxiliary: certificate_table(&file("sev", "tests/certs_data/vcek_milan.der")?),
            collateral: Vec::new(),
        },
        now: UnixTime(1_704_067_200),
    })
}

/// The certificate of a Turin chip.
pub(crate) fn turin_vcek() -> Option<Vec<u8>> {
    file("sev", "tests/certs_data/vcek_turin.der")
}

/// The certificate of a Milan chip.
pub(crate) fn milan_vcek() -> Option<Vec<u8>> {
    file("sev", "tests/certs_data/vcek_milan.der")
}

/// Two more quotes, which the package carries without collateral: for the parsers.
pub(crate) fn unjudged_quotes() -> Vec<Vec<u8>> {
    ["sample/tdx-quote.hex", "sample/quote-from-tappd.hex"]
        .into_iter()
        .filter_map(|path| file("dcap-qvl", path))
        .map(|digits| {
            let text = String::from_utf8(digits).unwrap();
            let digits = text.trim().trim_start_matches("0x").as_bytes();
            let pairs = digits.as_chunks::<2>().0.iter();
            pairs
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect()
        })
        .collect()
}

/// The quotes Intel's rules accept.
pub(crate) fn genuine_quotes() -> Vec<Recorded> {
    [sgx(), tdx_v4(), tdx_v5()].into_iter().flatten().collect()
}

/// What the recorded platforms are: the strict policy refuses each for a reason of its own.
pub(crate) fn lenient() -> PlatformPolicy {
    PlatformPolicy {
        intel: IntelPolicy {
            allowed_statuses: [TcbStatus::UpToDate, TcbStatus::ConfigurationAndSwHardeningNeeded].into(),
            dynamic_platform: FlagRule::Allowed,
            cached_keys: FlagRule::Allowed,
            smt: FlagRule::Allowed,
            ..IntelPolicy::default()
        },
        tdx: TdxPolicy::default(),
        snp: SnpPolicy {
            tcb_floors: [(SnpProduct::Milan, SnpTcb::default())].into(),
            smt: FlagRule::Allowed,
            alias_check: Demand::Optional,
            revocation_list: Demand::Optional,
            ..SnpPolicy::default()
        },
        ..PlatformPolicy::default()
    }
}
