//! Cold start: which shares bring the seed back, and where they open.

use super::*;

/// A cold start with these holders' shares (numbers from 1).
fn cold_start(world: &World, genesis: &Genesis, attested: &AttestedSetup, numbers: &[usize]) -> ColdStart {
    let verified = verify_transcript(&genesis.transcript, attested).unwrap();
    let setup = world.setup_for_cold_start();
    let to = world.attested(setup.offer());
    let mut cold = ColdStart::begin(setup, verified.clone(), b"evidence", NOW).unwrap();
    for number in numbers {
        let posted = world.holders[number - 1]
            .post(&genesis.shares[number - 1], &verified, &to)
            .unwrap();
        cold.accept(&posted, NOW).unwrap();
    }
    cold
}

#[test]
fn attack_20_exactly_the_rules_mixes_bring_the_same_root_back() {
    let world = World::new();
    let (genesis, attested) = world.genesis();
    let kvnr = Kvnr::parse("Q000123451").unwrap();
    let before = root_vault(&genesis).blind_index(tenant(), &kvnr).unwrap();
    // 1 auditor, 2 and 3 insurers, 4 and 5 operators.
    for (numbers, code) in [
        (&[][..], "share.too_few"),
        (&[1, 2], "share.too_few"),
        (&[2, 3, 4], "share.role_missing"),
        (&[2, 3, 4, 5], "share.role_missing"),
        (&[1, 4, 5], "share.role_missing"),
    ] {
        let mut cold = cold_start(&world, &genesis, &attested, numbers);
        assert_eq!(cold.finish(NOW).unwrap_err().code(), code, "{numbers:?}");
    }
    for numbers in [&[1, 2, 3][..], &[1, 2, 4], &[5, 3, 1], &[1, 2, 3, 4, 5]] {
        let mut cold = cold_start(&world, &genesis, &attested, numbers);
        let (seed, transcript) = cold.finish(NOW).unwrap();
        assert_eq!(seed.bytes(), genesis.seed.bytes());
        let vault = Vault::open(UnlockedRoot::from_locks(&genesis.namespace, &seed, &half()));
        assert_eq!(vault.lock_name(), "quorum+hsm");
        assert_eq!(vault.blind_index(tenant(), &kvnr).unwrap(), before);
        let Event::SetupBegun { offer, .. } = read_first(&transcript) else {
            panic!("begun")
        };
        let verified = verify_transcript(&transcript, &world.attested(&offer)).unwrap();
        assert!(verified.restores(&verify_transcript(&genesis.transcript, &attested).unwrap()));
        assert_eq!(verified.accepted().len(), numbers.len());
    }
    // Too few at first, enough later.
    let mut cold = cold_start(&world, &genesis, &attested, &[1, 2]);
    assert!(cold.finish(NOW).is_err());
    let Event::SetupBegun { offer, .. } = read_first(cold.transcript()) else {
        panic!("begun")
    };
    let verified = verify_transcript(&genesis.transcript, &attested).unwrap();
    let posted = world.holders[4]
        .post(&genesis.shares[4], &verified, &world.attested(&offer))
        .unwrap();
    cold.accept(&posted, NOW).unwrap();
    assert!(cold.finish(NOW).is_ok());
}

#[test]
fn attack_20_share_posted_to_one_enclave_is_of_no_use_to_another() {
    let world = World::new();
    let (genesis, attested) = world.genesis();
    let verified = verify_transcript(&genesis.transcript, &attested).unwrap();
    let [one, other] = [world.setup_for_cold_start(), world.setup_for_cold_start()];
    let posted = world.holders[0]
        .post(&genesis.shares[0], &verified, &world.attested(one.offer()))
        .unwrap();
    let mut other = ColdStart::begin(other, verified.clone(), b"", NOW).unwrap();
    assert_eq!(
        other.accept(&posted, NOW),
        Err(CeremonyError::NotOpened),
        "sealed to another"
    );
    let mut one = ColdStart::begin(one, verified.clone(), b"", NOW).unwrap();
    for at in [0, 64, 65, posted.sealed.len() - 1] {
        let mut changed = posted.clone();
        changed.sealed[at] ^= 1;
        assert!(one.accept(&changed, NOW).is_err());
    }
    let mut under_another_name = posted.clone();
    under_another_name.holder = "insurer-a".to_owned();
    assert!(one.accept(&under_another_name, NOW).is_err());
    under_another_name.holder = "nobody".to_owned();
    assert_eq!(one.accept(&under_another_name, NOW), Err(CeremonyError::Malformed));
    assert_eq!(one.accept(&posted, NOW), Ok(()));
    assert_eq!(one.accept(&posted, NOW).unwrap_err().code(), "share.twice");
    // No share goes to a genesis, nor is the sealed share itself a posted one.
    let wrong = world.holders[0].post(&genesis.shares[0], &verified, &attested);
    assert_eq!(wrong.unwrap_err(), CeremonyError::WrongRole);
    let refusals = one.transcript().to_text().lines().count();
    assert_eq!(refusals, 1 + 4 + 2 + 1 + 1, "every refusal stands in the transcript");
}

#[test]
fn attack_20_share_of_another_genesis_is_refused() {
    let world = World::new();
    let (genesis, attested) = world.genesis();
    let (other, other_attested) = world.genesis();
    let verified = verify_transcript(&genesis.transcript, &attested).unwrap();
    let other_verified = verify_transcript(&other.transcript, &other_attested).unwrap();
    let setup = world.setup_for_cold_start();
    let to = world.attested(setup.offer());
    let posted = world.holders[0].post(&other.shares[0], &other_verified, &to).unwrap();
    let mut cold = ColdStart::begin(setup, verified.clone(), b"", NOW).unwrap();
    assert!(cold.accept(&posted, NOW).is_err());
    let mixed = world.holders[0].post(&other.shares[0], &verified, &to);
    assert_eq!(mixed.unwrap_err(), CeremonyError::NotOpened);
}

#[test]
fn setup_key_is_no_key_the_instance_lives_with() {
    let world = World::new();
    let setup = world.setup_for_cold_start();
    let join = Join::begin(NAMESPACE, world.manifest.hash(), [0; 32], InstanceRole::Root).unwrap();
    assert_ne!(setup.offer().setup_key, join.request().key);
    assert_ne!(setup.offer().setup_key, setup.offer().transcript_key);
    assert_ne!(setup.offer().setup_key, world.setup_for_cold_start().offer().setup_key);
}

#[test]
fn donors_offer_is_no_place_to_post_a_share() {
    let world = World::new();
    let (genesis, of_genesis) = world.genesis();
    let verified = verify_transcript(&genesis.transcript, &of_genesis).unwrap();
    let (_, donor) = donor_setup(&world);
    let posted = world.holders[0].post(&genesis.shares[0], &verified, &donor);
    assert_eq!(posted.unwrap_err(), CeremonyError::WrongRole);
}
