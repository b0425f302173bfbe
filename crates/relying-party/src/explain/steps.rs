//! The steps of an account, made from the evidence the verification kept.

use federation::EntityId;
use federation::chain::{self, Origin};
use jose::base64url;
use serde_json::Value;

use super::texts::moment;
use super::{Fact, FactName, Step, StepKind};
use crate::client::{TokenEvidence, VerifiedIdToken};

pub(super) fn of(token: &VerifiedIdToken) -> Vec<Step> {
    let evidence = token.evidence();
    vec![
        outer_header(evidence),
        own_key(evidence),
        inner_header(evidence),
        certificate(evidence),
        signature(evidence),
        key_set(evidence),
        own_statement(evidence),
        statement_about(evidence),
        trust_anchor(evidence),
        metadata(evidence),
        checks(token),
    ]
}

fn fact(name: FactName, value: impl Into<String>) -> Fact {
    Fact {
        name,
        value: value.into(),
    }
}

fn outer_header(evidence: &TokenEvidence) -> Step {
    let header = &evidence.outer;
    let mut facts = vec![
        fact(FactName::Member("alg"), header.alg()),
        fact(FactName::Member("enc"), header.enc()),
    ];
    let members = [("cty", &header.cty), ("kid", &header.kid), ("version", &header.version)];
    for (member, value) in members {
        facts.extend(
            value
                .as_ref()
                .map(|value| fact(FactName::Member(member), value.as_str())),
        );
    }
    if header.version.is_none() {
        facts.push(fact(FactName::Absent, "version: 1.0.0 (A_27505)"));
    }
    Step {
        kind: StepKind::OuterHeader,
        facts,
        document: part(&evidence.encrypted, 0),
    }
}

fn own_key(evidence: &TokenEvidence) -> Step {
    let key = &evidence.opened_with;
    Step {
        kind: StepKind::OwnKey,
        facts: vec![
            fact(FactName::Member("kid"), key.kid.clone().unwrap_or_default()),
            fact(FactName::KeyThumbprint, key.key.thumbprint()),
            fact(FactName::VouchedBy, evidence.client_id.as_str()),
        ],
        document: Some(key.to_value()),
    }
}

fn inner_header(evidence: &TokenEvidence) -> Step {
    let header = evidence.signed.header();
    let mut facts = vec![fact(FactName::Member("alg"), header.alg.as_str())];
    for (member, value) in [("typ", &header.typ), ("kid", &header.kid)] {
        facts.extend(
            value
                .as_ref()
                .map(|value| fact(FactName::Member(member), value.as_str())),
        );
    }
    Step {
        kind: StepKind::InnerHeader,
        facts,
        document: part(evidence.signed.compact(), 0).map(without_certificates),
    }
}

fn certificate(evidence: &TokenEvidence) -> Step {
    let facts = match &evidence.certificate {
        None => vec![fact(FactName::Absent, "x5c")],
        Some(certificate) => vec![
            fact(FactName::Subject, certificate.subject.as_str()),
            fact(FactName::Issuer, certificate.issuer.as_str()),
            fact(FactName::ValidFrom, moment(certificate.not_before)),
            fact(FactName::ValidUntil, moment(certificate.not_after)),
            fact(FactName::Fingerprint, certificate.sha256.as_str()),
        ],
    };
    Step {
        kind: StepKind::Certificate,
        facts,
        document: None,
    }
}

fn signature(evidence: &TokenEvidence) -> Step {
    let key = &evidence.verified_with;
    Step {
        kind: StepKind::Signature,
        facts: vec![
            fact(FactName::SignedWith, key.kid.clone().unwrap_or_default()),
            fact(FactName::KeyThumbprint, key.key.thumbprint()),
            fact(
                FactName::VouchedBy,
                evidence.provider.metadata().signed_jwks_uri.as_str(),
            ),
        ],
        document: Some(without_certificates(key.to_value())),
    }
}

fn key_set(evidence: &TokenEvidence) -> Step {
    let provider = &evidence.provider;
    let set = provider.key_set();
    let mut facts = vec![
        fact(FactName::Address, provider.metadata().signed_jwks_uri.as_str()),
        fact(FactName::SignedWith, set.kid()),
        fact(FactName::KeyCount, provider.token_keys().keys.len().to_string()),
        fact(FactName::VouchedBy, provider.chain().trust_anchor().as_str()),
    ];
    facts.extend(set.iat().map(|iat| fact(FactName::ValidFrom, moment(iat))));
    facts.extend(set.exp().map(|exp| fact(FactName::ValidUntil, moment(exp))));
    Step {
        kind: StepKind::KeySet,
        facts,
        document: Some(without_certificates(set.to_value().clone())),
    }
}

fn own_statement(evidence: &TokenEvidence) -> Step {
    let issuer = evidence.provider.issuer();
    let document = part(&evidence.provider.documents().own_statement, 1);
    statement(evidence, StepKind::OwnStatement, issuer, issuer, document)
}

fn statement_about(evidence: &TokenEvidence) -> Step {
    let document = part(&evidence.provider.documents().statement_about, 1);
    let master = evidence.provider.chain().trust_anchor();
    statement(
        evidence,
        StepKind::StatementAbout,
        master,
        evidence.provider.issuer(),
        document,
    )
}

fn trust_anchor(evidence: &TokenEvidence) -> Step {
    let document = part(&evidence.provider.documents().master_statement, 1);
    let master = evidence.provider.chain().trust_anchor();
    statement(evidence, StepKind::TrustAnchor, master, master, document)
}

/// What the resolution noted about the statement of `issuer` about `subject`.
fn statement(
    evidence: &TokenEvidence,
    kind: StepKind,
    issuer: &EntityId,
    subject: &EntityId,
    document: Option<Value>,
) -> Step {
    let mut facts = Vec::new();
    for step in evidence.provider.chain().explain() {
        match step {
            chain::Step::Read {
                url,
                issuer: by,
                subject: about,
            } if by == issuer && about == subject => {
                facts.push(fact(FactName::Address, url.as_str()));
            }
            chain::Step::SignatureVerified {
                issuer: by,
                subject: about,
                kid,
                vouched_by,
                expires_at,
            } if by == issuer && about == subject => {
                facts.push(fact(FactName::SignedWith, kid.as_str()));
                facts.push(match vouched_by {
                    Some(voucher) => fact(FactName::VouchedBy, voucher.as_str()),
                    None => fact(FactName::Held, "pinned key (A_23046)"),
                });
                facts.push(fact(FactName::ValidUntil, moment(*expires_at)));
            }
            _ => {}
        }
    }
    Step { kind, facts, document }
}

fn metadata(evidence: &TokenEvidence) -> Step {
    let facts = evidence
        .provider
        .chain()
        .explain()
        .iter()
        .filter_map(|step| match step {
            // What the provider alone says needs no word; what the Federation Master says does.
            chain::Step::MemberMerged {
                origin: Origin::Own, ..
            }
            | chain::Step::Read { .. }
            | chain::Step::SignatureVerified { .. }
            | chain::Step::Resolved { .. } => None,
            told => Some(fact(FactName::Note, told.to_string())),
        })
        .collect();
    let members = evidence.provider.chain().metadata().clone();
    Step {
        kind: StepKind::Metadata,
        facts,
        document: Some(Value::Object(members)),
    }
}

fn checks(token: &VerifiedIdToken) -> Step {
    let evidence = token.evidence();
    let asked = &evidence.asked;
    let mut facts = vec![
        fact(FactName::Held, format!("iss = {}", token.issuer())),
        fact(FactName::Held, format!("aud = {}", evidence.client_id)),
        fact(FactName::Held, "nonce"),
        fact(
            FactName::Held,
            format!("iat = {} ≤ {}", moment(token.issued_at()), moment(evidence.verified_at)),
        ),
        fact(
            FactName::Held,
            format!(
                "exp = {} > {}",
                moment(token.expires_at()),
                moment(evidence.verified_at)
            ),
        ),
        fact(FactName::Held, format!("version = {}", token.version().as_str())),
    ];
    let level = if token.acr() >= asked.acr {
        format!("acr = {} ≥ {}", token.acr().as_str(), asked.acr.as_str())
    } else {
        format!("acr = {} (A_23202-02, A_27593)", token.acr().as_str())
    };
    facts.push(fact(FactName::Held, level));
    if let (Some(max_age), Some(auth_time)) = (asked.max_age_seconds, token.auth_time()) {
        facts.push(fact(
            FactName::Held,
            format!("auth_time = {}, max_age = {max_age}", moment(auth_time)),
        ));
    }
    Step {
        kind: StepKind::Checks,
        facts,
        document: Some(Value::Object(token.claims().clone())),
    }
}

/// One dot-separated part of a compact token, decoded. Verified before, so it does decode.
fn part(compact: &str, at: usize) -> Option<Value> {
    let bytes = base64url::decode(compact.split('.').nth(at)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Certificates have a step of their own; in a document they would be half a page of base64.
fn without_certificates(mut document: Value) -> Value {
    shorten(&mut document);
    document
}

fn shorten(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (member, value) in members.iter_mut() {
                match value {
                    Value::Array(list) if member == "x5c" => {
                        for entry in list.iter_mut() {
                            let length = entry.as_str().map_or(0, str::len);
                            *entry = Value::String(format!("… ({length} characters of base64)"));
                        }
                    }
                    other => shorten(other),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(shorten),
        _ => {}
    }
}
