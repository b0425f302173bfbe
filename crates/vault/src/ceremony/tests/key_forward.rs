//! Join: who gets keys from a donor, and who takes keys from one.

use super::*;

/// A request with a fresh nonce, and the admission its evidence leads to.
fn request(world: &World, donor: &mut Donor<'_>, role: InstanceRole) -> (Join, ApprovedInstance) {
    let join = Join::begin(NAMESPACE, world.manifest.hash(), donor.nonce(), role).unwrap();
    let instance = world.instance(&join.request().report_data(), role);
    (join, instance)
}

#[test]
fn attack_19_admitted_newcomers_get_what_their_role_needs_and_nothing_more() {
    let world = World::new();
    let (genesis, _) = world.genesis();
    let vault = root_vault(&genesis);
    let key = SoftwareKey::generate(INSTANCE).unwrap();
    let mut donor = Donor::new(NAMESPACE, world.manifest.hash(), 1, &key);

    let (join, instance) = request(&world, &mut donor, InstanceRole::Root);
    let sealed = donor
        .forward(join.request(), &instance, Forward::Seed(&genesis.seed), NOW)
        .unwrap();
    let Forwarded::Seed(seed) = join.open(&sealed).unwrap() else {
        panic!("a root instance gets the seed")
    };
    assert_eq!(seed.bytes(), genesis.seed.bytes(), "byte for byte");

    let (join, instance) = request(&world, &mut donor, InstanceRole::Serve);
    let sealed = donor
        .forward(join.request(), &instance, Forward::Tenant(&vault, tenant()), NOW)
        .unwrap();
    let Forwarded::Tenant(bundle) = join.open(&sealed).unwrap() else {
        panic!("a serving instance gets a bundle")
    };
    assert_eq!(bundle.tenant(), tenant());
    let serving = Vault::from_tenant_bundle(bundle);
    let kvnr = Kvnr::parse("Q000123451").unwrap();
    assert_eq!(serving.blind_index(tenant(), &kvnr), vault.blind_index(tenant(), &kvnr));
    assert_eq!(serving.lock_name(), "quorum+hsm");
    assert_eq!(
        serving.blind_index(tenant_id("https://other.example"), &kvnr),
        Err(KeyAbsent)
    );
    let told = verify_forwards(donor.transcript(), key.public_key()).unwrap();
    assert!(matches!(
        told[..],
        [
            Event::KeyForwarded {
                role: InstanceRole::Root,
                ..
            },
            Event::KeyForwarded {
                role: InstanceRole::Serve,
                ..
            }
        ]
    ));
    let stranger = SoftwareKey::generate(INSTANCE).unwrap();
    assert!(verify_forwards(donor.transcript(), stranger.public_key()).is_err());
}

#[test]
fn attack_19_whoever_is_not_admitted_never_reaches_the_donor() {
    let world = World::new();
    let key = SoftwareKey::generate(INSTANCE).unwrap();
    let mut donor = Donor::new(NAMESPACE, world.manifest.hash(), 1, &key);
    let join = Join::begin(NAMESPACE, world.manifest.hash(), donor.nonce(), InstanceRole::Root).unwrap();
    let data = join.request().report_data();
    let admit = |machine, build| world.admit(machine, build, &data, InstanceRole::Root).unwrap_err();
    // Validly made, by whomever: what is not listed is nothing (attack 23).
    assert_eq!(admit("machine", [8; 32]), "admission.measurement_not_listed");
    assert_eq!(admit("another machine", BUILD), "admission.machine_not_listed");
    // There is no `ApprovedInstance` then, and `Donor::forward` takes nothing else; the donor writes it down.
    donor.refuse("admission.measurement_not_listed", NOW).unwrap();
    let told = verify_forwards(donor.transcript(), key.public_key()).unwrap();
    assert!(matches!(&told[..], [Event::ForwardRefused { code }] if code == "admission.measurement_not_listed"));
}

#[test]
fn attack_19_admission_for_anything_else_releases_nothing_and_is_written_down() {
    let world = World::new();
    let seed = NamespaceSeed::generate();
    let key = SoftwareKey::generate(INSTANCE).unwrap();
    let mut donor = Donor::new(NAMESPACE, world.manifest.hash(), 1, &key);
    let mut codes = Vec::new();
    let mut refused = |donor: &mut Donor<'_>, request: &JoinRequest, instance: &ApprovedInstance| {
        let error = donor.forward(request, instance, Forward::Seed(&seed), NOW).unwrap_err();
        codes.push(error.code().to_owned());
        error
    };

    let (join, instance) = request(&world, &mut donor, InstanceRole::Serve);
    assert_eq!(
        refused(&mut donor, join.request(), &instance),
        CeremonyError::WrongRole,
        "a serve role asks for the seed"
    );

    let (join, _) = request(&world, &mut donor, InstanceRole::Root);
    let (_, of_another) = request(&world, &mut donor, InstanceRole::Root);
    assert_eq!(
        refused(&mut donor, join.request(), &of_another),
        CeremonyError::NotBound,
        "another instance's evidence"
    );

    let (join, instance) = request(&world, &mut donor, InstanceRole::Root);
    let mut own_key = join.request().clone();
    own_key.key = SoftwareKey::generate("thief").unwrap().public_key().clone();
    assert_eq!(
        refused(&mut donor, &own_key, &instance),
        CeremonyError::NotBound,
        "a thief's key"
    );
    assert_eq!(
        refused(&mut donor, join.request(), &instance),
        CeremonyError::NonceUnknown,
        "a nonce a second time"
    );
    let unasked = Join::begin(NAMESPACE, world.manifest.hash(), [5; 32], InstanceRole::Root).unwrap();
    let instance = world.instance(&unasked.request().report_data(), InstanceRole::Root);
    assert_eq!(
        refused(&mut donor, unasked.request(), &instance),
        CeremonyError::NonceUnknown,
        "a nonce of its own"
    );

    let elsewhere = World::with("de.other", 1, |_| ());
    let join = Join::begin("de.other", elsewhere.manifest.hash(), donor.nonce(), InstanceRole::Root).unwrap();
    let instance = elsewhere.instance(&join.request().report_data(), InstanceRole::Root);
    assert_eq!(
        refused(&mut donor, join.request(), &instance),
        CeremonyError::OtherNamespace
    );

    let other_manifest = World::with(NAMESPACE, 2, |_| ());
    let join = Join::begin(
        NAMESPACE,
        other_manifest.manifest.hash(),
        donor.nonce(),
        InstanceRole::Root,
    )
    .unwrap();
    let instance = other_manifest.instance(&join.request().report_data(), InstanceRole::Root);
    assert_eq!(
        refused(&mut donor, join.request(), &instance),
        CeremonyError::OtherManifest
    );

    let told = verify_forwards(donor.transcript(), key.public_key()).unwrap();
    let told: Vec<_> = told
        .into_iter()
        .map(|event| match event {
            Event::ForwardRefused { code } => code,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, codes);

    let mut newer = Donor::new(NAMESPACE, [3; 32], 2, &key);
    let (join, instance) = request(&world, &mut newer, InstanceRole::Root);
    let old = newer
        .forward(join.request(), &instance, Forward::Seed(&seed), NOW)
        .unwrap_err();
    assert_eq!(old, CeremonyError::OldManifest { found: 1, own: 2 });
}

#[test]
fn forward_is_opened_by_its_newcomer_only() {
    let world = World::new();
    let (genesis, _) = world.genesis();
    let key = SoftwareKey::generate(INSTANCE).unwrap();
    let mut donor = Donor::new(NAMESPACE, world.manifest.hash(), 1, &key);
    let (join, instance) = request(&world, &mut donor, InstanceRole::Root);
    let sealed = donor
        .forward(join.request(), &instance, Forward::Seed(&genesis.seed), NOW)
        .unwrap();
    let (other, _) = request(&world, &mut donor, InstanceRole::Root);
    assert_eq!(other.open(&sealed).unwrap_err(), CeremonyError::NotOpened);
    let mut changed = sealed.clone();
    *changed.sealed.last_mut().unwrap() ^= 1;
    assert_eq!(join.open(&changed).unwrap_err(), CeremonyError::NotOpened);
}

#[test]
fn donor_without_a_tenants_keys_hands_none_on() {
    let world = World::new();
    let (genesis, _) = world.genesis();
    let key = SoftwareKey::generate(INSTANCE).unwrap();
    let mut donor = Donor::new(NAMESPACE, world.manifest.hash(), 1, &key);
    let bundle = root_vault(&genesis).tenant_bundle(tenant()).unwrap();
    let serving = Vault::from_tenant_bundle(bundle);
    let (join, instance) = request(&world, &mut donor, InstanceRole::Serve);
    let other = tenant_id("https://other.example");
    let refused = donor.forward(join.request(), &instance, Forward::Tenant(&serving, other), NOW);
    assert_eq!(refused.unwrap_err(), CeremonyError::KeyAbsent(KeyAbsent));
}

#[test]
fn keys_are_taken_from_the_attested_donor_and_from_nobody_else() {
    let world = World::new();
    let (genesis, _) = world.genesis();
    let (setup, attested) = donor_setup(&world);
    let mut donor = Donor::new(NAMESPACE, world.manifest.hash(), 1, setup.signer());
    let (join, instance) = request(&world, &mut donor, InstanceRole::Root);
    let what = Forward::Seed(&genesis.seed);
    let sealed = donor.forward(join.request(), &instance, what, NOW).unwrap();
    let signed = sealed.sign(join.request(), setup.signer()).unwrap();
    assert_eq!(sealed.check_signed(&signed, join.request(), &attested), Ok(()));

    // Whoever runs the newcomer's machine seals a seed of his own to its key, which everybody can read.
    let own_key = SoftwareKey::generate(INSTANCE).unwrap();
    let by_nobody = sealed.sign(join.request(), &own_key).unwrap();
    let refused = |signed: &str, request: &JoinRequest, donor: &AttestedSetup| {
        sealed.check_signed(signed, request, donor).unwrap_err()
    };
    assert_eq!(refused(&by_nobody, join.request(), &attested), CeremonyError::NotSigned);
    assert_eq!(refused("", join.request(), &attested), CeremonyError::Malformed);
    let (other_join, _) = request(&world, &mut donor, InstanceRole::Root);
    assert_eq!(
        refused(&signed, other_join.request(), &attested),
        CeremonyError::NotSigned,
        "the answer to another request"
    );
    let other_sealed = SealedForward { sealed: vec![1; 60] };
    assert_eq!(
        other_sealed.check_signed(&signed, join.request(), &attested),
        Err(CeremonyError::NotSigned),
        "other keys under the same signature"
    );
    let (_, other_donor) = donor_setup(&world);
    assert_eq!(refused(&signed, join.request(), &other_donor), CeremonyError::NotSigned);
    let (_, of_genesis) = world.genesis();
    assert_eq!(
        refused(&signed, join.request(), &of_genesis),
        CeremonyError::WrongRole,
        "an attested instance that is no donor"
    );
    let mut elsewhere = join.request().clone();
    elsewhere.namespace = "de.other".to_owned();
    assert_eq!(refused(&signed, &elsewhere, &attested), CeremonyError::OtherNamespace);
    let mut newer = join.request().clone();
    newer.manifest = [9; 32];
    assert_eq!(refused(&signed, &newer, &attested), CeremonyError::OtherManifest);
}
