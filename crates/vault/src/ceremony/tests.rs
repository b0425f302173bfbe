//! Ceremonies with simulated evidence: real documents, real signatures, real verification, a made-up vendor.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use evidence::manifest::{
    ApprovedInstance, ApprovedManifest, InstanceRole, Manifest, Member, OrganisationRole, RoleSet,
};
use evidence::platform::{Measurement, Platform};
use evidence::rehearsal::Rehearsal;
use evidence::simulated::{SimulatedEnclave, SimulatedVendor};
use evidence::verify::{Roots, VerificationTime};
use jose::{SoftwareKey, UnixTime};
use store::TenantId;

use super::transcript::INSTANCE;
use super::*;
use crate::lock::{HsmHalf, UnlockedRoot};
use crate::secret_memory::Secret;
use crate::{KeyAbsent, NamespaceSeed, Vault, tenant_id};
use authenticator::Kvnr;

use OrganisationRole::{Auditor, Insurer, Operator};

const NOW: UnixTime = UnixTime(1_800_000_000);
const NAMESPACE: &str = "de.example";
const BUILD: [u8; 32] = [7; 32];

/// Everybody who takes part, and a manifest in force.
struct World {
    vendor: SimulatedVendor,
    manifest: ApprovedManifest,
    holders: Vec<HolderKeys>,
    _directory: tempfile::TempDir,
}

impl World {
    /// Three of five, with at least one insurer and one auditor.
    fn new() -> Self {
        Self::with(NAMESPACE, 1, |_| ())
    }

    fn with(namespace: &str, number: u64, change: impl FnOnce(&mut Manifest)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let vendor = SimulatedVendor::new(&[1; 32]).unwrap();
        let names = [
            ("auditor", Auditor),
            ("insurer-a", Insurer),
            ("insurer-b", Insurer),
            ("operator-a", Operator),
            ("operator-b", Operator),
        ];
        let holders: Vec<_> = names
            .into_iter()
            .map(|(name, role)| HolderKeys::generate(name, role).unwrap())
            .collect();
        let manifest = approve(directory.path(), &vendor, namespace, number, |manifest| {
            manifest.share_set = share_set(&holders);
            change(manifest);
        });
        Self {
            vendor,
            manifest,
            holders,
            _directory: directory,
        }
    }

    fn evidence(&self, machine: &str, build: [u8; 32], report_data: &[u8; 64]) -> evidence::platform::Evidence {
        let machine = self.vendor.platform(machine).unwrap();
        machine
            .evidence(&SimulatedEnclave::new(build), report_data, NOW)
            .unwrap()
    }

    fn admit(
        &self,
        machine: &str,
        build: [u8; 32],
        report_data: &[u8; 64],
        role: InstanceRole,
    ) -> Result<ApprovedInstance, &'static str> {
        let evidence = self.evidence(machine, build, report_data);
        let roots = Roots::simulated(self.vendor.root_der());
        let clock = VerificationTime { now: NOW, floor: NOW };
        self.manifest
            .verify_and_admit(&evidence, &roots, clock, role)
            .map_err(|error| error.code())
    }

    fn instance(&self, report_data: &[u8; 64], role: InstanceRole) -> ApprovedInstance {
        self.admit("machine", BUILD, report_data, role).unwrap()
    }

    fn attested(&self, offer: &SetupOffer) -> AttestedSetup {
        let instance = self.instance(&offer.report_data(), InstanceRole::Root);
        AttestedSetup::check(offer, &instance, self.manifest.manifest()).unwrap()
    }

    fn cards(&self) -> Vec<HolderCard> {
        self.holders.iter().map(|holder| holder.card().clone()).collect()
    }

    fn genesis(&self) -> (Genesis, AttestedSetup) {
        let setup = Setup::begin(SetupPurpose::Genesis, self.manifest.manifest()).unwrap();
        let attested = self.attested(setup.offer());
        let genesis = setup.run_genesis(&self.cards(), None, b"evidence", NOW).unwrap();
        (genesis, attested)
    }

    fn setup_for_cold_start(&self) -> Setup {
        Setup::begin(SetupPurpose::ColdStart, self.manifest.manifest()).unwrap()
    }
}

fn share_set(holders: &[HolderKeys]) -> RoleSet {
    let member = |holder: &HolderKeys| Member {
        key: holder.card().encryption_key.clone(),
        name: holder.card().name.clone(),
        role: holder.card().role,
    };
    RoleSet {
        at_least: [(Auditor, 1), (Insurer, 1)].into(),
        members: holders.iter().map(member).collect(),
        threshold: 3,
    }
}

fn approve(
    directory: &Path,
    vendor: &SimulatedVendor,
    namespace: &str,
    number: u64,
    change: impl FnOnce(&mut Manifest),
) -> ApprovedManifest {
    let rehearsal = Rehearsal::begin(directory, namespace).unwrap();
    let machine = vendor.platform("machine").unwrap().platform_id().unwrap();
    let begun = NOW.minus_seconds(86_400);
    let measurement = Measurement::Simulated(BUILD);
    let mut manifest = rehearsal.manifest(number, &measurement, (Platform::Simulated, &machine), begun);
    change(&mut manifest);
    let logged = rehearsal.decide(&manifest, begun).unwrap();
    ApprovedManifest::verify(&[logged], &rehearsal.trust(), None, NOW).unwrap()
}

fn half() -> HsmHalf {
    HsmHalf::new(Secret::copy_of(&[9; 32]))
}

fn root_vault(genesis: &Genesis) -> Vault {
    Vault::open(UnlockedRoot::from_locks(&genesis.namespace, &genesis.seed, &half()))
}

fn tenant() -> TenantId {
    tenant_id("https://idp.example")
}

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

fn read_first(transcript: &Transcript) -> Event {
    let text = transcript.to_text();
    let entry = jose::jws::parse(text.lines().next().unwrap(), &jose::json::DEFAULT).unwrap();
    let payload: serde_json::Value = serde_json::from_slice(entry.unverified_payload()).unwrap();
    serde_json::from_value(payload["what"].clone()).unwrap()
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

fn donor_setup(world: &World) -> (Setup, AttestedSetup) {
    let setup = Setup::begin(SetupPurpose::KeyForward, world.manifest.manifest()).unwrap();
    let attested = world.attested(setup.offer());
    (setup, attested)
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

#[test]
fn donors_offer_is_no_place_to_post_a_share() {
    let world = World::new();
    let (genesis, of_genesis) = world.genesis();
    let verified = verify_transcript(&genesis.transcript, &of_genesis).unwrap();
    let (_, donor) = donor_setup(&world);
    let posted = world.holders[0].post(&genesis.shares[0], &verified, &donor);
    assert_eq!(posted.unwrap_err(), CeremonyError::WrongRole);
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
