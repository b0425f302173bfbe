//! Attacks 2 and 3: every bit of what is signed, and every length.

use super::recorded::{self, Recorded, lenient};
use crate::verify::policy::PlatformPolicy;
use crate::verify::quote::Quote;
use crate::verify::snp::SIGNED_BYTES;
use crate::verify::{EvidenceError, Roots, VerifiedEvidence, digest, verify};

fn judge(recorded: &Recorded, policy: &PlatformPolicy) -> Result<VerifiedEvidence, EvidenceError> {
    verify(&recorded.evidence, &Roots::vendors(), policy, recorded.clock())
}

/// Lenient, with the configuration id the recorded domain has.
fn policy_for(recorded: &Recorded) -> PlatformPolicy {
    let mut policy = lenient();
    if recorded.name == "tdx_quote_td15ex" {
        let id = &recorded.evidence.report[48 + 6 + 184..][..48];
        policy.tdx.config_id = id.iter().map(|byte| format!("{byte:02x}")).collect();
    }
    policy
}

/// Flips every bit of a range, one at a time, and asks that each is refused.
fn refuse_every_flip(recorded: &mut Recorded, range: std::ops::Range<usize>) -> usize {
    let policy = policy_for(recorded);
    let roots = Roots::vendors();
    judge(recorded, &policy).unwrap();
    let mut flipped = 0;
    for position in range {
        for bit in 0..8 {
            recorded.evidence.report[position] ^= 1 << bit;
            let result = verify(&recorded.evidence, &roots, &policy, recorded.clock());
            assert!(result.is_err(), "{} byte {position} bit {bit} accepted", recorded.name);
            recorded.evidence.report[position] ^= 1 << bit;
            flipped += 1;
        }
    }
    judge(recorded, &policy).unwrap();
    flipped
}

/// Header and body (signed by the attestation key), both signatures, the attestation key, the quoting enclave's report
/// (signed by the platform's key) with its authentication data, and all lengths between them: every bit up to the
/// certificates.
#[test]
fn every_bit_of_every_signed_byte_of_a_quote_is_refused_when_flipped() {
    for (mut recorded, signed) in recorded::genuine_quotes().into_iter().zip([432, 632, 939]) {
        let quote = Quote::parse(&recorded.evidence.report).unwrap();
        assert_eq!(quote.signed.len(), signed);
        let end = quote.whole.len() - quote.certificates.len();
        assert_eq!(refuse_every_flip(&mut recorded, 0..end), end * 8);
    }
}

/// All 1184 bytes: the signed ones, the signature, and the padding that nothing signs.
#[test]
fn every_bit_of_a_milan_report_is_refused_when_flipped() {
    let Some(mut recorded) = recorded::milan() else { return };
    assert_eq!(recorded.evidence.report.len(), 1184);
    assert_eq!(refuse_every_flip(&mut recorded, 0..1184), 1184 * 8);
}

/// The bytes the library alone would let through although they are signed, and the unused ones of the signature.
#[test]
fn the_library_alone_accepts_changed_reports_and_we_do_not() {
    use sev::certs::snp::{Certificate, Chain, Verifiable, builtin::milan, ca};
    use sev::firmware::guest::AttestationReport;
    use sev::parser::ByteParser;

    let Some(mut recorded) = recorded::milan() else { return };
    let chain = Chain {
        ca: ca::Chain {
            ark: milan::ark().unwrap(),
            ask: milan::ask().unwrap(),
        },
        vek: Certificate::from_der(&recorded::milan_vcek().unwrap()).unwrap(),
    };
    let mut accepted_inside = 0;
    // The middle bytes of the four TCB versions.
    for position in [
        58, 59, 60, 61, 386, 387, 388, 389, 482, 483, 484, 485, 498, 499, 500, 501,
    ] {
        assert!(position < SIGNED_BYTES);
        recorded.evidence.report[position] ^= 1;
        let theirs = AttestationReport::from_bytes(&recorded.evidence.report).unwrap();
        accepted_inside += usize::from((&chain, &theirs).verify().is_ok());
        assert!(judge(&recorded, &lenient()).is_err(), "{position}");
        recorded.evidence.report[position] ^= 1;
    }
    // If this fails the library has learnt to check: then the second signature check may go.
    assert_eq!(accepted_inside, 16);
}

#[test]
fn every_truncation_is_refused_or_is_the_same_evidence() {
    for recorded in recorded::genuine_quotes().into_iter().chain(recorded::milan()) {
        let policy = policy_for(&recorded);
        let name = *judge(&recorded, &policy).unwrap().digest();
        let mut accepted = 0;
        for length in 0..recorded.evidence.report.len() {
            let mut shorter = recorded.clone();
            shorter.evidence.report.truncate(length);
            if let Ok(verified) = judge(&shorter, &policy) {
                assert_eq!(verified.digest(), &name, "{} {length}", recorded.name);
                assert_eq!(digest(&shorter.evidence), Ok(name));
                accepted += 1;
            }
        }
        // The recorded TDX quote of version 4 ends in padding; nothing else may be shortened.
        let padding = if recorded.name == "tdx_quote" { 70 } else { 0 };
        assert_eq!(accepted, padding, "{}", recorded.name);
    }
}

#[test]
fn appended_bytes_are_refused_or_padding_of_the_same_evidence() {
    for recorded in recorded::genuine_quotes().into_iter().chain(recorded::milan()) {
        let policy = policy_for(&recorded);
        let name = *judge(&recorded, &policy).unwrap().digest();
        let snp = recorded.name == "report_milan";
        for count in 1..=64 {
            for last in [0, 1, 0x80] {
                let mut longer = recorded.clone();
                longer.evidence.report.extend(vec![0; count - 1]);
                longer.evidence.report.push(last);
                match judge(&longer, &policy) {
                    Ok(verified) => {
                        assert!(last == 0 && !snp, "{} {count} {last}", recorded.name);
                        assert_eq!(verified.digest(), &name);
                    }
                    Err(error) => assert_eq!(error, EvidenceError::TrailingBytes),
                }
            }
        }
    }
}

/// Bytes between what is read and what the lengths promise: nothing signs them, and the library does not look at them.
#[test]
fn bytes_hidden_inside_the_lengths_of_a_quote_are_refused() {
    for recorded in recorded::genuine_quotes() {
        let policy = policy_for(&recorded);
        let (signed, whole) = {
            let quote = Quote::parse(&recorded.evidence.report).unwrap();
            (quote.signed.len(), quote.whole.len())
        };
        let grow = |report: &mut Vec<u8>, position: usize| {
            let length = u32::from_le_bytes(report[position..position + 4].try_into().unwrap()) + 1;
            report[position..position + 4].copy_from_slice(&length.to_le_bytes());
        };
        // The whole authentication data; and in versions 4 and 5 also the part nested in it.
        let nested = signed + 4 + 64 + 64 + 2;
        let depths: &[&[usize]] = match recorded.name {
            "sgx_quote" => &[&[432]],
            _ => &[&[signed], &[signed, nested]],
        };
        for positions in depths {
            let mut changed = recorded.clone();
            changed.evidence.report.truncate(whole);
            changed.evidence.report.push(0);
            positions
                .iter()
                .for_each(|position| grow(&mut changed.evidence.report, *position));
            assert!(dcap_qvl::quote::Quote::parse(&changed.evidence.report).is_ok());
            assert_eq!(
                judge(&changed, &policy),
                Err(EvidenceError::Malformed("quote")),
                "{}",
                recorded.name
            );
        }
    }
}

/// ECDSA has two signatures for one message: `s` and `n - s`. Both may be accepted; the name is one.
#[test]
fn the_other_signature_of_the_same_message_gives_no_second_name() {
    /// The order of P-256.
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
        0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    for mut recorded in recorded::genuine_quotes() {
        let policy = policy_for(&recorded);
        let name = *judge(&recorded, &policy).unwrap().digest();
        let signed = Quote::parse(&recorded.evidence.report).unwrap().signed.len();
        let scalar = &mut recorded.evidence.report[signed + 4 + 32..][..32];
        let mut borrow = 0;
        for (byte, order) in scalar.iter_mut().zip(ORDER).rev() {
            let difference = i16::from(order) - i16::from(*byte) - borrow;
            borrow = i16::from(difference < 0);
            *byte = difference.rem_euclid(256).try_into().unwrap();
        }
        let changed = judge(&recorded, &policy).unwrap();
        assert_eq!(changed.digest(), &name);
    }
}

#[test]
fn changed_certificates_or_collateral_are_refused_or_change_nothing() {
    for recorded in recorded::genuine_quotes() {
        let policy = policy_for(&recorded);
        let original = judge(&recorded, &policy).unwrap();
        let chain_start = {
            let quote = Quote::parse(&recorded.evidence.report).unwrap();
            quote.whole.len() - quote.certificates.len()
        };
        // One bit of every 40th byte: each of these goes through the whole chain.
        for position in (chain_start..recorded.evidence.report.len()).step_by(40) {
            let mut changed = recorded.clone();
            changed.evidence.report[position] ^= 1 << (position % 8);
            if let Ok(verified) = judge(&changed, &policy) {
                assert_eq!(verified, original, "{} report {position}", recorded.name);
            }
        }
        for position in (0..recorded.evidence.collateral.len()).step_by(100) {
            let mut changed = recorded.clone();
            changed.evidence.collateral[position] ^= 1 << (position % 8);
            if let Ok(verified) = judge(&changed, &policy) {
                assert_eq!(verified, original, "{} collateral {position}", recorded.name);
            }
        }
    }
}
