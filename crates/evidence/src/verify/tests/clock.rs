//! Attack 4 on recorded evidence; the revocation list that ends before everything else is simulated.

use jose::UnixTime;

use super::recorded::{self, lenient};
use crate::verify::{EvidenceError, Roots, VerificationTime, verify};

const DAY: u64 = 86_400;

#[test]
fn recorded_quotes_are_valid_between_their_dates_only() {
    for recorded in recorded::genuine_quotes() {
        let mut policy = lenient();
        policy.tdx.config_id = match recorded.name {
            "tdx_quote_td15ex" => {
                let id = &recorded.evidence.report[48 + 6 + 184..][..48];
                id.iter().map(|byte| format!("{byte:02x}")).collect()
            }
            _ => String::new(),
        };
        let at = |now| {
            verify(
                &recorded.evidence,
                &Roots::vendors(),
                &policy,
                VerificationTime::at(now),
            )
        };
        let dates = at(recorded.now).unwrap().collateral_dates();
        assert_eq!(at(dates.latest_issue).unwrap().collateral_dates(), dates);
        assert_eq!(
            at(dates.earliest_expiration.minus_seconds(1))
                .unwrap()
                .collateral_dates(),
            dates
        );
        assert_eq!(
            at(dates.latest_issue.minus_seconds(1)).unwrap_err().code(),
            "evidence.not_yet_valid"
        );
        // A revocation list ends first with the version 4 sample, the QE identity with the others.
        let first_to_end = match recorded.name {
            "tdx_quote" => "evidence.revocation_list_expired",
            _ => "evidence.expired",
        };
        assert_eq!(
            at(dates.earliest_expiration.plus_seconds(1)).unwrap_err().code(),
            first_to_end,
            "{}",
            recorded.name
        );
        assert_eq!(
            at(recorded.now.minus_seconds(400 * DAY)).unwrap_err().code(),
            "evidence.not_yet_valid"
        );
        assert_eq!(
            at(recorded.now.plus_seconds(400 * DAY)).unwrap_err().code(),
            "evidence.expired"
        );
        for extreme in [0, u64::from(u32::MAX), u64::MAX] {
            assert!(at(UnixTime(extreme)).is_err());
        }
    }
}

#[test]
fn a_milan_report_is_valid_between_the_dates_of_its_certificates_only() {
    let Some(recorded) = recorded::milan() else { return };
    let at = |now| {
        verify(
            &recorded.evidence,
            &Roots::vendors(),
            &lenient(),
            VerificationTime::at(UnixTime(now)),
        )
    };
    // The VCEK: 3 April 2023 19:23:43 to 3 April 2030 19:23:43.
    assert_eq!(at(1_680_549_822), Err(EvidenceError::NotYetValid("VCEK certificate")));
    assert!(at(1_680_549_823).is_ok());
    assert!(at(1_901_474_623).is_ok());
    assert_eq!(at(1_901_474_624), Err(EvidenceError::Expired("VCEK certificate")));
}

#[test]
fn a_clock_below_the_floor_is_refused_before_anything_is_read() {
    for recorded in recorded::genuine_quotes().into_iter().chain(recorded::milan()) {
        let clock = VerificationTime {
            now: recorded.now,
            floor: recorded.now.plus_seconds(1),
        };
        assert_eq!(
            verify(&recorded.evidence, &Roots::vendors(), &lenient(), clock),
            Err(EvidenceError::ClockBelowFloor)
        );
    }
}
