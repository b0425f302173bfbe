//! What a phone's maker says about a key, and which class the insurer gives it for that.

use std::sync::Arc;

use authenticator::{
    Reason,
    attestation::{
        self, Statement,
        policy::{AttestationPolicy, FailedCheck, Verdict},
    },
    device::{ClassEvidence, attestation_challenge},
};
use jose::{UnixTime, base64url, jwk::P256PublicKey};
use serde::Deserialize;

use super::{Finding, trust::DeviceTrust};
use crate::{core::StepProblem, tenant::Tenant};

/// Which attested phones an insurer admits, and whom to believe about them.
#[derive(Debug, Clone)]
pub struct DeviceAttestation {
    /// The insurer's demands.
    pub policy: AttestationPolicy,
    /// Roots and list, the same for every insurer.
    pub trust: Arc<DeviceTrust>,
}

/// Member `attestation` of a binding.
#[derive(Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum MadeAttestation {
    /// Android Key Attestation: the chain, leaf first, DER in base64url.
    AndroidKey { chain: Vec<String> },
    /// Apple App Attest: the attestation object, base64url.
    AppleAppAttest { object: String },
}

impl MadeAttestation {
    fn statement(&self) -> Result<Statement, StepProblem> {
        let bytes = |text: &String| base64url::decode(text);
        match self {
            Self::AndroidKey { chain } => chain
                .iter()
                .map(bytes)
                .collect::<Result<_, _>>()
                .map(|chain| Statement::Android { chain }),
            Self::AppleAppAttest { object } => bytes(object).map(|object| Statement::Apple { object }),
        }
        .map_err(|_| StepProblem::invalid("member 'attestation': expected base64url"))
    }

    /// Judges it: the class it shows, or the one that is left without, and what stood against a stronger one.
    pub(super) fn judge(
        &self,
        tenant: &Tenant,
        login_id: &[u8; 16],
        key: &P256PublicKey,
        now: UnixTime,
    ) -> Result<(ClassEvidence, Vec<Finding>), StepProblem> {
        let Some(DeviceAttestation { policy, trust }) = &tenant.settings.attestation else {
            return Err(StepProblem::denied(
                Reason::AttestationRefused,
                "member 'attestation': this insurer judges none; leave it out",
            ));
        };
        let challenge = attestation_challenge(login_id);
        let verified = attestation::verify(&self.statement()?, &challenge, key, &trust.current(), now);
        let judgement = policy.judge(&verified, now);
        let findings = judgement.failed.iter().map(finding).collect();
        match judgement.verdict {
            Verdict::Attested(key) => Ok((ClassEvidence::Attested(key), findings)),
            Verdict::Unattested { class } => Ok((ClassEvidence::Claimed { class }, findings)),
            Verdict::Refused => {
                let code = verified.err().map(|error| format!(" [{}]", error.code()));
                Err(StepProblem::denied(
                    Reason::AttestationRefused,
                    format_args!(
                        "the phone's attestation is refused: {}{}. A login with the card stays possible",
                        names(&judgement.failed),
                        code.unwrap_or_default(),
                    ),
                ))
            }
        }
    }
}

fn finding(failed: &FailedCheck) -> Finding {
    Finding {
        check: failed.check.code(),
        outcome: "failed",
        class: failed.class.clone(),
    }
}

/// Each check once.
fn names(failed: &[FailedCheck]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for check in failed.iter().map(|failed| failed.check.code()) {
        if !names.contains(&check) {
            names.push(check);
        }
    }
    names.join(", ")
}
