//! How a verdict is reached.

use jose::UnixTime;

use super::{Line, Overall, Pins, Release, State, Subject, Verdict};
use crate::binding::{Endpoint, Session};
use crate::bundle::Bundle;
use crate::encoding::hex;
use crate::manifest::{AdmissionError, ApprovedInstance, ApprovedManifest, ListedMeasurement, ManifestError};
use crate::platform::Platform;
use crate::profile::{Control, ControlState};
use crate::verify::{EvidenceError, VerificationTime, VerifiedEvidence, verify};

/// The lock that needs both the quorum of the share set and the HSM. The only one that is no development lock.
const QUORUM_AND_HSM: &str = "quorum+hsm";
const DEVELOPMENT: &str = "development";

/// How a bundle was come by.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    /// Over this session, by whoever judges: its nonce, exporter and key are the verifier's own.
    Here(Session),
    /// Somebody saved it with this session. That it was his is his word.
    Recorded(Session),
    /// Nobody says over what session.
    Somehow,
}

/// Judges a bundle at a stated time.
#[must_use]
pub fn judge(bundle: &Bundle, asked: &Asked, pins: &Pins, now: UnixTime) -> Verdict {
    let mut sheet = Sheet::default();
    let manifest = judge_manifest(bundle, pins, now, &mut sheet);
    let evidence = judge_evidence(bundle, pins, manifest.as_ref(), now, &mut sheet);
    let instance = judge_instance(bundle, manifest.as_ref(), evidence.as_ref(), now, &mut sheet);
    judge_binding(bundle, asked, pins, instance.as_ref(), now, &mut sheet);
    sheet.verdict(bundle, instance.as_ref())
}

/// The lines as they fill.
#[derive(Default)]
struct Sheet {
    lines: Vec<Line>,
}

impl Sheet {
    /// What is said first about a subject stays.
    fn say(&mut self, subject: Subject, state: State) {
        if !self.lines.iter().any(|line| line.subject == subject) {
            self.lines.push(Line { subject, state });
        }
    }

    fn ok(&mut self, subject: Subject, found: impl Into<String>) {
        self.say(subject, State::Ok(found.into()));
    }

    fn refused(&mut self, subject: Subject, code: &'static str, reason: impl Into<String>) {
        let reason = reason.into();
        self.say(subject, State::Refused { code, reason });
    }

    fn unknown(&mut self, subject: Subject, reason: impl Into<String>) {
        self.say(subject, State::Unknown(reason.into()));
    }

    fn verdict(mut self, bundle: &Bundle, instance: Option<&ApprovedInstance>) -> Verdict {
        for subject in Subject::ALL {
            self.unknown(subject, "not judged, because of what stands above");
        }
        self.lines.sort_by_key(|line| line.subject);
        let platform = bundle.evidence.platform;
        let refused = self.lines.iter().find_map(|line| match &line.state {
            State::Refused { code, reason } => Some((line.subject, *code, reason.clone())),
            State::Ok(_) | State::Unknown(_) => None,
        });
        let is_protected = platform.excludes_operator() && bundle.statement.lock != DEVELOPMENT;
        let is_undecided = self.lines.iter().any(|line| !matches!(line.state, State::Ok(_)));
        let (overall, sentence) = match (refused, instance) {
            (Some((subject, code, reason)), _) => (
                Overall::Refused,
                format!("Refused: {}: {reason} [{code}].", subject.title()),
            ),
            (None, _) if !is_protected => (Overall::Unprotected, unprotected(platform, &bundle.statement.lock)),
            (None, Some(instance)) if !is_undecided => (Overall::Trusted, trusted(instance)),
            (None, _) => (
                Overall::Undecided,
                "Cannot decide: nothing was refused, but not everything could be judged.".to_owned(),
            ),
        };
        Verdict {
            overall,
            lines: self.lines,
            sentence,
            release: instance.map(Release::of).map(Box::new),
        }
    }
}

/// The only place that says so.
fn trusted(instance: &ApprovedInstance) -> String {
    format!(
        "Trusted: release {} of {} runs here on {} hardware at site {}, and the operator is excluded as far as {} keeps \
         its promise.",
        instance.version(),
        instance.namespace(),
        instance.platform(),
        instance.site(),
        instance.platform(),
    )
}

fn unprotected(platform: Platform, lock: &str) -> String {
    let why = match platform {
        Platform::Simulated => "the evidence is simulated and says nothing about hardware",
        Platform::VtpmDev => "a measured boot alone shows what was started and keeps nobody out",
        Platform::Sgx | Platform::Tdx | Platform::SevSnp => "the vault has a development lock",
    };
    let lock = match lock {
        DEVELOPMENT if platform.excludes_operator() => "",
        DEVELOPMENT => ", and the vault has a development lock",
        _ => "",
    };
    format!("Not protected: {why}{lock}; whoever runs this machine can read everything on it.")
}

fn judge_manifest(bundle: &Bundle, pins: &Pins, now: UnixTime, sheet: &mut Sheet) -> Option<ApprovedManifest> {
    let approved = match ApprovedManifest::verify(&bundle.manifests, &pins.trust, pins.seen.as_ref(), now) {
        Ok(approved) => approved,
        Err(error) => {
            let subject = match error {
                ManifestError::Log(_) | ManifestError::TooYoung { .. } => Subject::Log,
                _ => Subject::Approvals,
            };
            sheet.refused(subject, error.code(), error.to_string());
            return None;
        }
    };
    let signers: Vec<String> = approved
        .approved_by()
        .iter()
        .map(|signer| format!("{} ({})", signer.name, signer.role))
        .collect();
    let number = approved.manifest().number;
    sheet.ok(
        Subject::Approvals,
        format!(
            "{}: manifest {number} {}",
            signers.join(", "),
            hex(&approved.hash()[..8])
        ),
    );
    let emergency = if approved.is_emergency() { ", an emergency" } else { "" };
    sheet.ok(
        Subject::Log,
        format!(
            "{} at entry {} of {}, witnessed since {} by {}{emergency}",
            pins.trust.governance.log.name,
            bundle.manifests.last().map_or(0, |logged| logged.inclusion.index),
            approved.log().size,
            approved.included_since().0,
            approved.witnesses().join(", "),
        ),
    );
    Some(approved)
}

fn judge_evidence(
    bundle: &Bundle,
    pins: &Pins,
    manifest: Option<&ApprovedManifest>,
    now: UnixTime,
    sheet: &mut Sheet,
) -> Option<VerifiedEvidence> {
    let platform = bundle.evidence.platform;
    if platform == Platform::Simulated {
        // Said before anything else, so that no line below can be read as being about hardware.
        sheet.unknown(Subject::Hardware, "simulated: there is no hardware behind this");
    }
    let Some(manifest) = manifest else {
        sheet.unknown(Subject::Hardware, "no manifest says what is expected of the platform");
        return None;
    };
    // The newest moment that has certainly passed: the witnesses saw the manifest then.
    let clock = VerificationTime {
        now,
        floor: manifest.included_since(),
    };
    let verified = match verify(
        &bundle.evidence,
        &pins.roots,
        &manifest.manifest().platform_policy,
        clock,
    ) {
        Ok(verified) => verified,
        Err(error) => {
            say_evidence_error(&error, sheet);
            return None;
        }
    };
    match platform {
        Platform::Sgx | Platform::Tdx | Platform::SevSnp => {
            sheet.ok(Subject::Hardware, format!("{platform}, signed for by its maker"));
            sheet.ok(Subject::Debug, "as the quote says");
        }
        Platform::VtpmDev => {
            sheet.unknown(Subject::Hardware, "vtpm-dev: a TPM signed, which may be emulated");
            sheet.unknown(Subject::Debug, "vtpm-dev: a TPM does not know");
        }
        Platform::Simulated => sheet.unknown(Subject::Debug, "simulated"),
    }
    let advisories = match verified.advisories() {
        [] => String::new(),
        some => format!(", with {}", some.join(", ")),
    };
    match platform {
        Platform::Simulated => sheet.unknown(Subject::Tcb, "simulated"),
        Platform::VtpmDev => sheet.unknown(Subject::Tcb, "vtpm-dev: nobody judges this platform"),
        Platform::Sgx | Platform::Tdx | Platform::SevSnp => sheet.ok(
            Subject::Tcb,
            format!(
                "{}{advisories}, as the manifest accepts, stated at {}",
                verified.tcb(),
                verified.collateral_dates().latest_issue.0
            ),
        ),
    }
    Some(verified)
}

fn say_evidence_error(error: &EvidenceError, sheet: &mut Sheet) {
    use EvidenceError as E;
    let text = error.to_string();
    match error {
        // Missing or stale endorsements leave the question open. They never make anything trusted.
        E::Simulated | E::NoRoot(_) => sheet.unknown(Subject::Hardware, format!("{text} [{}]", error.code())),
        E::ClockBelowFloor
        | E::NotYetValid(_)
        | E::Expired(_)
        | E::RevocationListExpired(_)
        | E::RevocationListMissing => {
            sheet.unknown(Subject::Hardware, format!("{text} [{}]", error.code()));
        }
        E::Debug => sheet.refused(Subject::Debug, error.code(), text),
        E::TcbUnknown
        | E::TcbRevoked
        | E::TcbStatus(_)
        | E::TcbBelowFloor(_)
        | E::Advisory(_)
        | E::EvaluationNumber { .. }
        | E::DynamicPlatform
        | E::CachedKeys
        | E::Smt
        | E::Abi
        | E::Product
        | E::MemoryProtection(_) => sheet.refused(Subject::Tcb, error.code(), text),
        E::ProductId { .. }
        | E::SecurityVersion { .. }
        | E::HostConfiguration(_)
        | E::EventLogReplay(_)
        | E::RegisterMissing(_) => sheet.refused(Subject::Measurement, error.code(), text),
        E::ReportData => sheet.refused(Subject::Tls, error.code(), text),
        // Whatever else is wrong, it is wrong with what the hardware is said to have signed.
        _ => sheet.refused(Subject::Hardware, error.code(), text),
    }
}

fn judge_instance(
    bundle: &Bundle,
    manifest: Option<&ApprovedManifest>,
    evidence: Option<&VerifiedEvidence>,
    now: UnixTime,
    sheet: &mut Sheet,
) -> Option<ApprovedInstance> {
    let (manifest, evidence) = (manifest?, evidence?);
    let measured = evidence.measurement();
    let instance = match manifest.admit(evidence, bundle.statement.role, now) {
        Ok(instance) => instance,
        Err(error) => {
            let subject = match error {
                AdmissionError::MachineNotListed { .. } => Subject::Site,
                AdmissionError::TcbNotAccepted
                | AdmissionError::CollateralTooOld
                | AdmissionError::AdvisoryRejected { .. } => Subject::Tcb,
                AdmissionError::Manifest(_) => Subject::Approvals,
                AdmissionError::Evidence(_) => Subject::Hardware,
                AdmissionError::MeasurementNotListed { .. }
                | AdmissionError::RoleNotAllowed { .. }
                | AdmissionError::SecurityVersionTooLow { .. } => Subject::Measurement,
            };
            sheet.refused(subject, error.code(), error.to_string());
            return None;
        }
    };
    sheet.ok(
        Subject::Measurement,
        format!(
            "{} = release {}, commit {}, recipe {}, as {}",
            short(&ListedMeasurement::from(measured)),
            instance.version(),
            hex(instance.commit()),
            hex(&instance.build_recipe()[..8]),
            instance.role(),
        ),
    );
    sheet.ok(
        Subject::Site,
        format!("{} in {}", instance.site(), instance.namespace()),
    );
    Some(instance)
}

fn judge_binding(
    bundle: &Bundle,
    asked: &Asked,
    pins: &Pins,
    instance: Option<&ApprovedInstance>,
    now: UnixTime,
    sheet: &mut Sheet,
) {
    let Some(instance) = instance else { return };
    let statement = &bundle.statement;
    if let Err(error) = statement.check_by(instance, pins.quote_age, now) {
        sheet.refused(Subject::Tls, error.code(), error.to_string());
        // What follows is said by a statement that nobody vouches for.
        return;
    }
    let (session, how) = match asked {
        Asked::Here(session) => (Some(session), "this session"),
        Asked::Recorded(session) => (Some(session), "the session the file names, as whoever saved it says"),
        Asked::Somehow => (None, ""),
    };
    match session {
        None => sheet.unknown(Subject::Tls, "the bundle was saved without its session"),
        Some(session) => {
            let judged =
                statement.verify_session(&bundle.connection_proof, Endpoint::Server, session, &bundle.evidence);
            match judged {
                Ok(()) => sheet.ok(
                    Subject::Tls,
                    format!("{how}; quote {} seconds old", now.seconds_since(statement.quote_time)),
                ),
                Err(error) => sheet.refused(Subject::Tls, error.code(), error.to_string()),
            }
        }
    }
    judge_hardening(bundle, sheet);
    match statement.lock.as_str() {
        QUORUM_AND_HSM => sheet.ok(Subject::Lock, "quorum and HSM, both needed"),
        DEVELOPMENT => sheet.unknown(Subject::Lock, "development: whoever runs the machine has the keys"),
        _ => sheet.refused(Subject::Lock, "lock.unknown", "a lock this verifier does not know"),
    }
}

fn judge_hardening(bundle: &Bundle, sheet: &mut Sheet) {
    let profile = &bundle.hardening;
    if profile.hash() != bundle.statement.hardening_hash {
        sheet.refused(
            Subject::Hardening,
            "hardening.other_profile",
            "the profile is not the one the quote commits to",
        );
        return;
    }
    let named = |wanted: fn(&ControlState) -> bool| -> Vec<&'static str> {
        profile
            .controls()
            .filter(|(_, state)| wanted(state))
            .map(|(control, _)| Control::name(control))
            .collect()
    };
    let failed = named(|state| matches!(state, ControlState::Failed(_)));
    if !failed.is_empty() {
        sheet.refused(
            Subject::Hardening,
            "hardening.failed",
            format!("not in force: {}", failed.join(", ")),
        );
        return;
    }
    let absent = named(|state| matches!(state, ControlState::NotApplicable(_)));
    let in_force = named(|state| matches!(state, ControlState::Required));
    if in_force.is_empty() && bundle.evidence.platform != Platform::Sgx {
        // Inside an enclave the kernel's controls do not exist; anywhere else somebody switched them all off.
        sheet.unknown(Subject::Hardening, format!("none in force: {}", absent.join(", ")));
        return;
    }
    let list = |title: &str, names: &[&str]| match names {
        [] => None,
        names => Some(format!("{title}: {}", names.join(", "))),
    };
    let found = [list("in force", &in_force), list("not applicable", &absent)];
    sheet.ok(
        Subject::Hardening,
        found.into_iter().flatten().collect::<Vec<_>>().join("; "),
    );
}

/// Enough of a measurement to recognise it; the whole stands in the manifest.
fn short(measurement: &ListedMeasurement) -> String {
    let text = match measurement {
        ListedMeasurement::SevSnp { launch } => hex(&launch[..8]),
        ListedMeasurement::Sgx { mr_enclave, product_id } => format!("{}/{product_id}", hex(&mr_enclave[..8])),
        ListedMeasurement::Simulated { value } => hex(&value[..8]),
        ListedMeasurement::Tdx { mr_td, rtmr2, .. } => format!("{}/{}", hex(&mr_td[..8]), hex(&rtmr2[..8])),
        ListedMeasurement::VtpmDev { pcrs } => pcrs
            .iter()
            .map(|register| format!("{}:{}", register.index, hex(&register.value[..4])))
            .collect::<Vec<_>>()
            .join(" "),
    };
    format!("{} {text}", measurement.platform())
}
