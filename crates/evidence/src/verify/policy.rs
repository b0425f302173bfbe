//! What a platform must be like beyond "genuine": data, so that a manifest can carry it.
//!
//! The defaults are the strict ones. Debugging is refused whatever stands here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::tcb::{SnpProduct, SnpTcb, TcbStatus};

/// Everything a verifier asks of a platform. `Default` is the strict policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlatformPolicy {
    /// For `sgx` and `tdx` (and `simulated`, which is shaped like `sgx`).
    pub intel: IntelPolicy,
    /// For `sgx` (and `simulated`).
    pub sgx: SgxPolicy,
    /// For `tdx`.
    pub tdx: TdxPolicy,
    /// For `sev-snp`.
    pub snp: SnpPolicy,
    /// For `vtpm-dev`.
    pub tpm: TpmPolicy,
}

/// What to do about a property a platform may have, lack, or not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlagRule {
    /// The platform must say that it does not have the property.
    MustBeClear,
    /// A platform that says it has the property is refused; one that does not tell is not.
    #[default]
    RefusedWhenSet,
    /// No matter.
    Allowed,
}

/// Whether a protection must be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// Must be in force.
    #[default]
    Required,
    /// No matter.
    Optional,
}

/// The rules for Intel's judgement of its platforms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntelPolicy {
    /// The judgements that are good enough. Default: up to date only. `Revoked` is never accepted, listed or not.
    pub allowed_statuses: BTreeSet<TcbStatus>,
    /// Advisories that must not apply, as `INTEL-SA-00615`, whatever the status says.
    pub rejected_advisories: BTreeSet<String>,
    /// Least TCB evaluation data number: keeps a host from showing an older, kinder statement that is still valid.
    pub min_evaluation_number: u32,
    /// Platforms that take further processor packages at run time.
    pub dynamic_platform: FlagRule,
    /// Platforms whose root keys are kept by Intel's registration service.
    pub cached_keys: FlagRule,
    /// Threads that share a core with others.
    pub smt: FlagRule,
}

impl Default for IntelPolicy {
    fn default() -> Self {
        Self {
            allowed_statuses: BTreeSet::from([TcbStatus::UpToDate]),
            rejected_advisories: BTreeSet::new(),
            min_evaluation_number: 0,
            dynamic_platform: FlagRule::default(),
            cached_keys: FlagRule::default(),
            smt: FlagRule::default(),
        }
    }
}

/// The rules for enclaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SgxPolicy {
    /// The expected ISVPRODID; `None` leaves it to the measurement in the manifest, which names it too.
    pub product_id: Option<u16>,
    /// Least ISVSVN.
    pub min_security_version: u16,
    /// The attribute flags an enclave may have. Default: INIT, MODE64BIT, CET, AEXNOTIFY. INIT and MODE64BIT must be
    /// set. DEBUG is refused even when listed; PROVISION_KEY and EINITTOKEN_KEY are not for applications, and KSS lets
    /// the host choose a configuration id.
    pub allowed_attributes: u64,
    /// The MISCSELECT bits an enclave may have. Default: none.
    pub allowed_misc_select: u32,
}

impl SgxPolicy {
    /// INIT.
    pub(crate) const INIT: u64 = 1;
    /// DEBUG.
    pub(crate) const DEBUG: u64 = 1 << 1;
    /// MODE64BIT.
    pub(crate) const MODE64BIT: u64 = 1 << 2;
    const CET: u64 = 1 << 6;
    const AEX_NOTIFY: u64 = 1 << 10;
}

impl Default for SgxPolicy {
    fn default() -> Self {
        Self {
            product_id: None,
            min_security_version: 0,
            allowed_attributes: Self::INIT | Self::MODE64BIT | Self::CET | Self::AEX_NOTIFY,
            allowed_misc_select: 0,
        }
    }
}

/// The rules for trust domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TdxPolicy {
    /// The TD attributes a domain may have. Default: SEPT_VE_DISABLE, PKS, LASS, ICSSD. The debug byte (bits 0 to 7)
    /// is refused even when listed.
    pub allowed_attributes: u64,
    /// The TD attributes a domain must have. Default: SEPT_VE_DISABLE, without which the host can make a page vanish
    /// under the kernel.
    pub required_attributes: u64,
    /// The expected MRCONFIGID, hexadecimal digits or empty for zero: chosen by the host when it builds the domain.
    pub config_id: String,
    /// Whether MROWNER and MROWNERCONFIG must be zero.
    pub owner_zero: Demand,
}

impl TdxPolicy {
    /// TUD: any bit of the first byte means the domain is under debug or will not be trusted.
    pub(crate) const DEBUG_BITS: u64 = 0xff;
    /// MIGRATABLE.
    pub(crate) const MIGRATABLE: u64 = 1 << 29;
    const ICSSD: u64 = 1 << 16;
    const LASS: u64 = 1 << 27;
    const SEPT_VE_DISABLE: u64 = 1 << 28;
    const PKS: u64 = 1 << 30;
}

impl Default for TdxPolicy {
    fn default() -> Self {
        Self {
            allowed_attributes: Self::SEPT_VE_DISABLE | Self::PKS | Self::LASS | Self::ICSSD,
            required_attributes: Self::SEPT_VE_DISABLE,
            config_id: String::new(),
            owner_zero: Demand::Required,
        }
    }
}

/// The rules for confidential virtual machines of AMD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SnpPolicy {
    /// Least TCB per processor product. A product that is not listed is refused, so the default refuses every one.
    pub tcb_floors: BTreeMap<SnpProduct, SnpTcb>,
    /// Least guest SVN (from the ID block).
    pub min_guest_svn: u32,
    /// Least firmware ABI the guest policy must insist on: major and minor.
    pub min_abi: (u8, u8),
    /// Whether the guest policy may allow simultaneous multithreading.
    pub smt: FlagRule,
    /// Whether the firmware must have checked memory for aliases (CVE-2024-21944).
    pub alias_check: Demand,
    /// Whether ciphertext must be hidden from the host.
    pub ciphertext_hiding: Demand,
    /// The expected host data, hexadecimal digits or empty for "no matter": the hash of the manifest at launch.
    pub host_data: String,
    /// Whether AMD's revocation list must be stapled.
    pub revocation_list: Demand,
}

impl Default for SnpPolicy {
    fn default() -> Self {
        Self {
            tcb_floors: BTreeMap::new(),
            min_guest_svn: 0,
            min_abi: (0, 0),
            smt: FlagRule::MustBeClear,
            alias_check: Demand::Required,
            ciphertext_hiding: Demand::Optional,
            host_data: String::new(),
            revocation_list: Demand::Required,
        }
    }
}

/// The rules for a measured boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TpmPolicy {
    /// The registers that must be quoted. Default: 0 to 9, the firmware's, the loader's, the kernel's and its data.
    pub required_registers: BTreeSet<u8>,
}

impl Default for TpmPolicy {
    fn default() -> Self {
        Self {
            required_registers: (0..=9).collect(),
        }
    }
}
