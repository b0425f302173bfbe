//! Genesis: who gets a share, and what a transcript is believed to say.

use super::*;

#[test]
fn genesis_gives_each_holder_her_share_and_everybody_a_transcript_to_verify() {
    let world = World::new();
    let (genesis, attested) = world.genesis();
    let mut transcript = genesis.transcript.clone();
    for (holder, share) in world.holders.iter().zip(&genesis.shares) {
        holder.acknowledge(share, &mut transcript, &attested, NOW).unwrap();
    }
    let read = Transcript::parse(&transcript.to_text()).unwrap();
    assert_eq!(read, transcript);
    let verified = verify_transcript(&read, &attested).unwrap();
    assert_eq!(verified.purpose(), SetupPurpose::Genesis);
    assert_eq!(verified.namespace(), NAMESPACE);
    let names: Vec<_> = world.holders.iter().map(|holder| holder.card().name.clone()).collect();
    assert_eq!(verified.acknowledged(), names);
    let again = world.holders[0].acknowledge(&genesis.shares[0], &mut transcript, &attested, NOW);
    again.unwrap();
    assert_eq!(
        verify_transcript(&transcript, &attested).unwrap_err(),
        TranscriptError::Order { number: 7 },
        "one acknowledgment each"
    );
}

#[test]
fn holder_opens_no_share_but_her_own() {
    let world = World::new();
    let (genesis, attested) = world.genesis();
    let mut transcript = genesis.transcript.clone();
    let refused = world.holders[0].acknowledge(&genesis.shares[1], &mut transcript, &attested, NOW);
    assert_eq!(refused, Err(CeremonyError::NotOpened));
    let (other, _) = world.genesis();
    let refused = world.holders[0].acknowledge(&other.shares[0], &mut transcript, &attested, NOW);
    assert_eq!(refused, Err(CeremonyError::NotOpened), "another genesis' share");
    assert_eq!(transcript, genesis.transcript);
}

#[test]
fn transcript_that_was_changed_anywhere_is_refused() {
    let world = World::new();
    let (genesis, attested) = world.genesis();
    let mut transcript = genesis.transcript;
    for (holder, share) in world.holders.iter().zip(&genesis.shares) {
        holder.acknowledge(share, &mut transcript, &attested, NOW).unwrap();
    }
    let text = transcript.to_text();
    let lines: Vec<_> = text.lines().collect();
    let verify = |lines: &[&str]| {
        let text = lines.join("\n");
        Transcript::parse(&text).and_then(|read| verify_transcript(&read, &attested).map(drop))
    };
    assert_eq!(verify(&lines), Ok(()));
    for left_out in 0..lines.len() - 1 {
        let rest: Vec<_> = lines
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != left_out)
            .map(|(_, line)| *line)
            .collect();
        assert!(verify(&rest).is_err(), "entry {left_out} left out");
    }
    for pair in 0..lines.len() - 1 {
        let mut swapped = lines.clone();
        swapped.swap(pair, pair + 1);
        assert!(verify(&swapped).is_err(), "entries {pair} and its next swapped");
    }
    for (number, line) in lines.iter().enumerate() {
        for at in (0..line.len()).step_by(61) {
            let mut changed = line.to_string().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            if changed == *line {
                continue;
            }
            let mut with = lines.clone();
            with[number] = &changed;
            assert!(verify(&with).is_err(), "entry {number}, character {at}");
        }
    }
    assert_eq!(verify(&[]), Err(TranscriptError::Malformed));
}

#[test]
fn transcript_of_another_ceremony_or_signed_by_a_stranger_is_refused() {
    let world = World::new();
    let (genesis, attested) = world.genesis();
    let (other, other_attested) = world.genesis();
    assert!(matches!(
        verify_transcript(&genesis.transcript, &other_attested),
        Err(TranscriptError::Signature { number: 0 })
    ));
    // A stranger's acknowledgment, under a holder's name and under his own.
    for kid in ["auditor", "stranger", INSTANCE] {
        let mut transcript = genesis.transcript.clone();
        let stranger = SoftwareKey::generate(kid).unwrap();
        let event = Event::ShareAcknowledged {
            holder: "auditor".to_owned(),
            number: 1,
        };
        transcript.append(&stranger, NOW, event).unwrap();
        assert!(matches!(
            verify_transcript(&transcript, &attested),
            Err(TranscriptError::Signature { number: 2 })
        ));
    }
    drop(other);
}

#[test]
fn genesis_among_other_holders_than_the_manifests_does_not_happen() {
    let world = World::new();
    let setup = || Setup::begin(SetupPurpose::Genesis, world.manifest.manifest()).unwrap();
    let refused = |cards: &[HolderCard]| setup().run_genesis(cards, None, b"", NOW).unwrap_err();
    let expected = CeremonyError::HolderCard {
        name: "insurer-a".to_owned(),
    };
    let mut cards = world.cards();
    cards[1] = HolderKeys::generate("insurer-a", Insurer).unwrap().card().clone();
    assert_eq!(refused(&cards), expected, "another key under her name");
    let mut cards = world.cards();
    cards.remove(1);
    assert_eq!(refused(&cards), expected, "no card");
    let mut cards = world.cards();
    cards[1].role = Operator;
    assert_eq!(refused(&cards), expected, "another role");
    // A transcript whose holders are not the manifest's that the participant knows.
    let (genesis, _) = world.genesis();
    let other_world = World::new();
    let offer = match read_first(&genesis.transcript) {
        Event::SetupBegun { offer, .. } => offer,
        other => panic!("{other:?}"),
    };
    let instance = world.instance(&offer.report_data(), InstanceRole::Root);
    assert_eq!(
        AttestedSetup::check(&offer, &instance, other_world.manifest.manifest()).unwrap_err(),
        CeremonyError::OtherManifest
    );
}

#[test]
fn setup_that_evidence_does_not_speak_for_is_not_attested() {
    let world = World::new();
    let setup = Setup::begin(SetupPurpose::Genesis, world.manifest.manifest()).unwrap();
    let offer = setup.offer().clone();
    let check = |offer: &SetupOffer, instance: &ApprovedInstance| {
        AttestedSetup::check(offer, instance, world.manifest.manifest()).map(drop)
    };
    let instance = world.instance(&offer.report_data(), InstanceRole::Root);
    assert_eq!(check(&offer, &instance), Ok(()));
    let as_serve = world.instance(&offer.report_data(), InstanceRole::Serve);
    assert_eq!(check(&offer, &as_serve), Err(CeremonyError::WrongRole));
    let stranger = SoftwareKey::generate("s").unwrap();
    let changes: [&dyn Fn(&mut SetupOffer); 4] = [
        &|offer| offer.purpose = SetupPurpose::ColdStart,
        &|offer| offer.nonce[0] ^= 1,
        &|offer| offer.setup_key = stranger.public_key().clone(),
        &|offer| offer.transcript_key = stranger.public_key().clone(),
    ];
    for change in changes {
        let mut changed = offer.clone();
        change(&mut changed);
        assert_eq!(check(&changed, &instance), Err(CeremonyError::NotBound));
    }
    let mut changed = offer.clone();
    changed.namespace = "de.other".to_owned();
    assert_eq!(check(&changed, &instance), Err(CeremonyError::OtherNamespace));
    let mut changed = offer;
    changed.manifest[0] ^= 1;
    assert_eq!(check(&changed, &instance), Err(CeremonyError::OtherManifest));
}

#[test]
fn keys_of_holders_survive_their_file_and_print_nothing() {
    let keys = HolderKeys::generate("auditor", Auditor).unwrap();
    let read = HolderKeys::from_json(&keys.to_json()).unwrap();
    assert_eq!(read.card(), keys.card());
    assert_eq!(format!("{keys:?}"), "HolderKeys");
    assert_eq!(HolderKeys::from_json(b"{}").unwrap_err(), CeremonyError::Malformed);
}

#[test]
fn what_is_sealed_to_a_key_is_bound_to_purpose_and_subject() {
    let key = super::hpke_seal::OpeningKey::generate().unwrap();
    let sealed = super::hpke_seal::seal(key.public_key(), b"info", b"about", b"content").unwrap();
    assert_eq!(&key.open(b"info", b"about", &sealed).unwrap()[..], b"content");
    assert!(key.open(b"other", b"about", &sealed).is_err());
    assert!(key.open(b"info", b"other", &sealed).is_err());
    for length in 0..sealed.len() {
        assert!(key.open(b"info", b"about", &sealed[..length]).is_err());
    }
}

#[test]
fn seed_is_recognised_by_its_genesis_alone() {
    let world = World::new();
    let (genesis, attested) = world.genesis();
    let verified = verify_transcript(&genesis.transcript, &attested).unwrap();
    assert!(verified.made(&genesis.seed));
    assert!(!verified.made(&NamespaceSeed::generate()));
    assert_eq!(genesis.transcript.begun_at(), Some(NOW));
    let setup = world.setup_for_cold_start();
    let of_cold = world.attested(setup.offer());
    let cold = ColdStart::begin(setup, verified, b"", NOW).unwrap();
    let no_genesis = verify_transcript(cold.transcript(), &of_cold).unwrap();
    assert!(!no_genesis.made(&genesis.seed), "a cold start made no seed");
    assert_eq!(Transcript::parse("nonsense\n").unwrap().begun_at(), None);
}

#[test]
fn transcript_is_read_as_it_was_written_whatever_ends_its_lines() {
    for text in ["a\r", "a\r\nb\r\r\n", "a\n\r\nb", "a\r\r"] {
        let read = Transcript::parse(text).unwrap();
        assert_eq!(Transcript::parse(&read.to_text()), Ok(read), "{text:?}");
    }
    assert_eq!(Transcript::parse("\r\n\r"), Err(TranscriptError::Malformed));
}
