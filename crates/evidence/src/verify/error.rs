//! Why evidence is refused: one variant and one stable code per reason.

use crate::platform::{ParsePlatformIdError, Platform};

/// Why evidence is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The evidence is a simulation, and nothing said that simulations are to be judged here.
    #[error("simulated evidence: it says nothing about hardware")]
    Simulated,
    /// No root is known that could vouch for this platform.
    #[error("no root is known for {0}")]
    NoRoot(Platform),

    /// A report, a certificate table, an event log or collateral does not have its form; names the part.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// Bytes follow where the report ends that are not padding of zeros.
    #[error("bytes follow the report")]
    TrailingBytes,
    /// Bytes that mean nothing have a value: two forms of one report must not both be accepted.
    #[error("reserved bytes of the {0} have a value")]
    NotCanonical(&'static str),
    /// Two parsers read different values from the same bytes.
    #[error("two parsers disagree about the {0}")]
    ParsersDisagree(&'static str),

    /// The clock stands before the newest moment that is known to have passed.
    #[error("the clock stands before a moment that has passed")]
    ClockBelowFloor,
    /// Something is not valid yet: a certificate, a list, a statement; names it.
    #[error("{0} is not valid yet")]
    NotYetValid(&'static str),
    /// A statement or certificate is past its end; names it.
    #[error("{0} has expired")]
    Expired(&'static str),
    /// A revocation list is past its next update; names it.
    #[error("{0} has expired")]
    RevocationListExpired(&'static str),

    /// A signature does not verify; names what was to be signed.
    #[error("the signature of the {0} does not verify")]
    Signature(&'static str),
    /// A chain of certificates does not lead to the root.
    #[error("the certificates do not lead to a known root")]
    Chain,
    /// A certificate of the chain is revoked.
    #[error("a certificate of the platform is revoked")]
    Revoked,
    /// A revocation list is required and missing.
    #[error("a revocation list is required and none is there")]
    RevocationListMissing,
    /// The library refuses the evidence for a reason that has no code of its own.
    #[error("the evidence is refused by the vendor's rules")]
    Refused,
    /// The collateral speaks about another kind of platform or processor than the one that made the quote.
    #[error("the collateral speaks about another platform")]
    CollateralMismatch,
    /// The quoting enclave is not the one Intel describes.
    #[error("the quoting enclave is not the vendor's")]
    QuotingEnclave,
    /// The TDX module that runs the domain is not the one Intel describes.
    #[error("the TDX module is not the vendor's")]
    TdxModule,
    /// The platform's certificate names another chip than the report.
    #[error("the certificate belongs to another chip")]
    ChipMismatch,
    /// The platform's certificate names another TCB than the report.
    #[error("the certificate belongs to another TCB")]
    TcbMismatch,
    /// The report is signed with a key of another kind than the platform's own.
    #[error("the report is signed with a key of another kind")]
    SigningKey,
    /// The platform hides which machine it is.
    #[error("the platform hides its identity")]
    PlatformIdHidden,

    /// The enclave, domain or machine can be read by a debugger.
    #[error("debugging is on")]
    Debug,
    /// The enclave may derive provisioning or launch keys, or its attributes are otherwise outside the policy.
    #[error("attributes outside the policy: {0:#x}")]
    Attributes(u64),
    /// MISCSELECT, XFAM or XFRM outside the policy.
    #[error("extended features outside the policy: {0:#x}")]
    Features(u64),
    /// A configuration chosen by the host is not the expected one; names the field.
    #[error("{0} is not the expected one")]
    HostConfiguration(&'static str),
    /// ISVPRODID is another.
    #[error("wrong product id {found}, expected {expected}")]
    ProductId {
        /// What the enclave has.
        found: u16,
        /// What the policy wants.
        expected: u16,
    },
    /// ISVSVN or guest SVN is below the policy's.
    #[error("security version {found} below {minimum}")]
    SecurityVersion {
        /// What the report says.
        found: u32,
        /// What the policy wants at least.
        minimum: u32,
    },
    /// No level of the vendor's TCB statement fits this platform.
    #[error("the platform's TCB is below every level its maker lists")]
    TcbUnknown,
    /// The vendor says the platform's TCB is broken for good.
    #[error("the platform's TCB is revoked")]
    TcbRevoked,
    /// The vendor's judgement of the platform is not among those the policy allows.
    #[error("TCB status {0} is not allowed")]
    TcbStatus(&'static str),
    /// A part of the TCB is below the policy's floor; names the part.
    #[error("TCB below the floor: {0}")]
    TcbBelowFloor(&'static str),
    /// An advisory applies that the policy does not accept.
    #[error("advisory {0} applies")]
    Advisory(String),
    /// The vendor's TCB statement is older than the policy wants.
    #[error("TCB evaluation {found} below {minimum}")]
    EvaluationNumber {
        /// What the collateral says.
        found: u32,
        /// What the policy wants at least.
        minimum: u32,
    },
    /// The platform takes further packages at run time, against the policy.
    #[error("dynamic platform")]
    DynamicPlatform,
    /// The platform's keys are kept by the vendor's registration service, against the policy.
    #[error("cached keys")]
    CachedKeys,
    /// Threads of one core share it, against the policy.
    #[error("simultaneous multithreading is on")]
    Smt,
    /// The machine may be moved to another host by an agent, against the policy.
    #[error("migration is allowed")]
    Migration,
    /// Services run beside the domain that the policy does not know.
    #[error("a service domain is bound")]
    ServiceDomain,
    /// The report was asked for at a lower privilege level.
    #[error("VMPL {0} is not 0")]
    Vmpl(u32),
    /// The firmware interface the guest insists on is older than the policy's.
    #[error("firmware ABI below the policy")]
    Abi,
    /// The processor product is not one the policy knows a floor for.
    #[error("processor product is not in the policy")]
    Product,
    /// A protection of the memory the policy wants is not in force; names it.
    #[error("memory protection is missing: {0}")]
    MemoryProtection(&'static str),

    /// The quote does not answer for the report data it comes with.
    #[error("the quote binds other report data")]
    ReportData,
    /// Replaying the event log does not give the quoted registers; names the first register that differs.
    #[error("the event log does not lead to PCR {0}")]
    EventLogReplay(u8),
    /// A register the policy asks for is not quoted.
    #[error("PCR {0} is not quoted")]
    RegisterMissing(u8),
    /// The TPM's clock says the quote is from a machine whose log was reset, or the quote is not by a TPM.
    #[error("the structure was not made by a TPM")]
    NotFromTpm,
}

impl EvidenceError {
    /// The stable code for logs and verdicts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Simulated => "evidence.simulated",
            Self::NoRoot(_) => "evidence.no_root",
            Self::Malformed(_) => "evidence.malformed",
            Self::TrailingBytes => "evidence.trailing_bytes",
            Self::NotCanonical(_) => "evidence.not_canonical",
            Self::ParsersDisagree(_) => "evidence.parsers_disagree",
            Self::ClockBelowFloor => "evidence.clock_below_floor",
            Self::NotYetValid(_) => "evidence.not_yet_valid",
            Self::Expired(_) => "evidence.expired",
            Self::RevocationListExpired(_) => "evidence.revocation_list_expired",
            Self::Signature(_) => "evidence.signature",
            Self::Chain => "evidence.chain",
            Self::Revoked => "evidence.revoked",
            Self::RevocationListMissing => "evidence.revocation_list_missing",
            Self::Refused => "evidence.refused",
            Self::CollateralMismatch => "evidence.collateral_mismatch",
            Self::QuotingEnclave => "evidence.quoting_enclave",
            Self::TdxModule => "evidence.tdx_module",
            Self::ChipMismatch => "evidence.chip_mismatch",
            Self::TcbMismatch => "evidence.tcb_mismatch",
            Self::SigningKey => "evidence.signing_key",
            Self::PlatformIdHidden => "evidence.platform_id_hidden",
            Self::Debug => "evidence.debug",
            Self::Attributes(_) => "evidence.attributes",
            Self::Features(_) => "evidence.features",
            Self::HostConfiguration(_) => "evidence.host_configuration",
            Self::ProductId { .. } => "evidence.product_id",
            Self::SecurityVersion { .. } => "evidence.security_version",
            Self::TcbUnknown => "evidence.tcb_unknown",
            Self::TcbRevoked => "evidence.tcb_revoked",
            Self::TcbStatus(_) => "evidence.tcb_status",
            Self::TcbBelowFloor(_) => "evidence.tcb_below_floor",
            Self::Advisory(_) => "evidence.advisory",
            Self::EvaluationNumber { .. } => "evidence.evaluation_number",
            Self::DynamicPlatform => "evidence.dynamic_platform",
            Self::CachedKeys => "evidence.cached_keys",
            Self::Smt => "evidence.smt",
            Self::Migration => "evidence.migration",
            Self::ServiceDomain => "evidence.service_domain",
            Self::Vmpl(_) => "evidence.vmpl",
            Self::Abi => "evidence.abi",
            Self::Product => "evidence.product",
            Self::MemoryProtection(_) => "evidence.memory_protection",
            Self::ReportData => "evidence.report_data",
            Self::EventLogReplay(_) => "evidence.event_log_replay",
            Self::RegisterMissing(_) => "evidence.register_missing",
            Self::NotFromTpm => "evidence.not_from_tpm",
        }
    }
}

impl From<ParsePlatformIdError> for EvidenceError {
    fn from(error: ParsePlatformIdError) -> Self {
        match error {
            ParsePlatformIdError::Zero => Self::PlatformIdHidden,
            ParsePlatformIdError::Length | ParsePlatformIdError::Digits => Self::Malformed("platform id"),
        }
    }
}
