#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixtures::{NOW, insurer_form, service_form};
use crate::registration::{Profile, RegistrationForm};

fn participant(form: RegistrationForm) -> Participant {
    Participant::new(form.check(Profile::Production).unwrap())
}

fn unreachable() -> Finding {
    Finding::new(Rule::Reachable, "statement", "a statement", "nothing")
}

fn good() -> ParticipantCheck {
    ParticipantCheck {
        findings: vec![],
        observed: Some(Observed::default()),
    }
}

fn offence() -> ParticipantCheck {
    let finding = Finding::new(Rule::RegisteredScopes, "scope", "openid", "email");
    ParticipantCheck {
        findings: vec![finding],
        observed: Some(Observed::default()),
    }
}

#[test]
fn an_unreachable_participant_stays_published_and_becomes_overdue() {
    let mut participant = participant(insurer_form());
    participant.observe(Err(unreachable()), NOW);
    assert_eq!(
        participant.state,
        ParticipantState::NotReachable {
            since: NOW,
            overdue: false
        }
    );
    assert!(participant.state.is_published());
    participant.observe(Err(unreachable()), NOW.plus_seconds(MAX_DOWNTIME_SECONDS));
    assert_eq!(
        participant.state,
        ParticipantState::NotReachable {
            since: NOW,
            overdue: false
        }
    );
    participant.observe(Err(unreachable()), NOW.plus_seconds(MAX_DOWNTIME_SECONDS + 1));
    assert_eq!(
        participant.state,
        ParticipantState::NotReachable {
            since: NOW,
            overdue: true
        }
    );
    participant.observe(Ok(good()), NOW.plus_seconds(MAX_DOWNTIME_SECONDS + 2));
    assert_eq!(participant.state, ParticipantState::Active);
    assert_eq!(participant.findings, []);
}

#[test]
fn an_unregistered_scope_locks_a_relying_party_until_a_verified_statement_is_clean() {
    let mut participant = participant(service_form());
    participant.observe(Ok(offence()), NOW);
    let locked = ParticipantState::Locked { since: NOW };
    assert_eq!(participant.state, locked);
    assert!(!participant.state.is_published());
    // Neither hiding nor a broken statement lifts the lock.
    participant.observe(Err(unreachable()), NOW.plus_seconds(1));
    assert_eq!(participant.state, locked);
    let unverified = ParticipantCheck {
        findings: vec![unreachable()],
        observed: None,
    };
    participant.observe(Ok(unverified), NOW.plus_seconds(2));
    assert_eq!(participant.state, locked);
    participant.observe(Ok(offence()), NOW.plus_seconds(3));
    assert_eq!(participant.state, locked);
    participant.observe(Ok(good()), NOW.plus_seconds(4));
    assert_eq!(participant.state, ParticipantState::Active);
}

#[test]
fn no_other_finding_locks() {
    let mut participant = participant(service_form());
    let finding = Finding::new(Rule::AuthorityHints, "authority_hints", "one", "two");
    participant.observe(
        Ok(ParticipantCheck {
            findings: vec![finding],
            observed: None,
        }),
        NOW,
    );
    assert_eq!(participant.state, ParticipantState::Active);
    assert_eq!(participant.findings.len(), 1);
}
