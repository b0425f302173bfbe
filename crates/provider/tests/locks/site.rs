//! One machine with an emulated TPM and a software HSM, the people who decide about it, and the real binary on it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use evidence::bundle::{encode_manifests, parse_manifests};
use evidence::manifest::{ApprovedManifest, InstanceRole, Manifest, Member, OrganisationRole, RoleSet};
use evidence::platform::{Evidence, Measurement, Platform, PlatformId};
use evidence::produce::{Producer, TpmEndpoint, TpmProducer};
use evidence::rehearsal::Rehearsal;
use evidence::verdict::Pins;
use evidence::verify::VerificationTime;
use jose::jwk::P256PublicKey;
use jose::{SoftwareKey, UnixTime};
use vault::ceremony::{AttestedSetup, HolderKeys, SealedShare, SetupOffer, Transcript, verify_transcript};
use vault::hsm::KeyId;

use crate::common::pki;

pub const NAMESPACE: &str = "de.example";
pub const PIN: &str = "271828";
pub const TOKEN: &str = "healthid";
pub const ISSUER: &str = "https://localhost";
pub const MODULES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];
/// Two of three, an auditor among them.
pub const HOLDERS: [(&str, OrganisationRole); 3] = [
    ("auditor", OrganisationRole::Auditor),
    ("insurer", OrganisationRole::Insurer),
    ("operator", OrganisationRole::Operator),
];
/// Longest wait for a process, in rounds of twenty milliseconds.
const PATIENCE: u32 = 1_500;

pub fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

pub struct Site {
    directory: tempfile::TempDir,
    tpm: Child,
    module: PathBuf,
    pub holders: Vec<HolderKeys>,
    rehearsal: Rehearsal,
    measurement: Measurement,
    machine: PlatformId,
    root: Vec<u8>,
    pub ports: [u16; 2],
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.tpm.kill();
        let _ = self.tpm.wait();
    }
}

/// A running `healthid-provider`; killed when it goes.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until its log says this.
    pub fn says(&mut self, words: &str) -> String {
        for _ in 0..PATIENCE {
            let log = self.log();
            if log.contains(words) {
                return log;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                // Its last words may have come since.
                let log = self.log();
                if log.contains(words) {
                    return log;
                }
                panic!("ended with {status} before it said {words:?}: {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("never said {words:?}: {}", self.log());
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Site {
    /// `None`, loudly, where the emulators are not installed.
    pub fn new() -> Option<Self> {
        let module = MODULES.iter().map(PathBuf::from).find(|path| path.exists());
        let directory = tempfile::tempdir().unwrap();
        let state = format!("dir={}", directory.path().display());
        let server = format!("type=unixio,path={}", directory.path().join("tpm").display());
        let tpm = Command::new("swtpm")
            .args(["socket", "--tpm2", "--tpmstate", &state, "--server", &server])
            .args(["--flags", "not-need-init,startup-clear"])
            .stderr(Stdio::null())
            .spawn();
        let (Some(module), Ok(tpm)) = (module, tpm) else {
            println!("SKIPPED: SoftHSM 2 or swtpm is not installed (Debian: softhsm2, swtpm)");
            return None;
        };
        for _ in 0..PATIENCE {
            if UnixStream::connect(directory.path().join("tpm")).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let (certificate, root, machine) = certified(&directory.path().join("tpm"));
        let holders = HOLDERS
            .iter()
            .map(|(name, role)| HolderKeys::generate(name, *role).unwrap())
            .collect();
        for name in [
            "rehearsal",
            "exchange",
            "tokens",
            "cards",
            "database",
            "freshness",
            "manifests",
        ] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let rehearsal = Rehearsal::begin(&directory.path().join("rehearsal"), NAMESPACE).unwrap();
        let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
        let site = Self {
            directory,
            tpm,
            module,
            holders,
            rehearsal,
            // Nothing was booted: ten registers of zeros.
            measurement: Measurement::Tpm {
                pcrs: (0..10).map(|number| (number, [0; 32])).collect(),
            },
            machine,
            root,
            ports,
        };
        fs::write(site.at("tpm.der"), certificate).unwrap();
        site.furnish();
        Some(site)
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn issuer(&self) -> String {
        format!("{ISSUER}:{}", self.ports[0])
    }

    pub fn module(&self) -> &Path {
        &self.module
    }

    fn furnish(&self) {
        let tokens = format!(
            "directories.tokendir = {}\nlog.level = ERROR\n",
            self.at("tokens").display()
        );
        fs::write(self.at("softhsm2.conf"), tokens).unwrap();
        fs::write(self.at("pin"), format!("{PIN}\n")).unwrap();
        self.init_token(TOKEN);
        for holder in &self.holders {
            let card = serde_json::to_vec(holder.card()).unwrap();
            fs::write(self.at("cards").join(format!("{}.card.json", holder.card().name)), card).unwrap();
        }
        self.decide(1, |_| ());
        let pins = Pins::new(self.rehearsal.trust()).encode(None, std::slice::from_ref(&self.root));
        fs::write(self.at("pins.json"), pins).unwrap();
        let tls = SoftwareKey::generate("tls").unwrap();
        let until = UnixTime(4_000_000_000);
        let chain = pem("CERTIFICATE", &pki::server_certificate("localhost", &tls, until));
        fs::write(self.at("chain.pem"), chain).unwrap();
        fs::write(self.at("key.pem"), pem("PRIVATE KEY", &tls.to_pkcs8_der())).unwrap();
        let master = SoftwareKey::generate("master").unwrap();
        let keys = jose::jwk::JwkSet::new(vec![master.jwk(jose::jwk::KeyUse::Signature)]);
        fs::write(self.at("master.json"), keys.to_value().to_string()).unwrap();
        fs::write(self.at("logo.svg"), "<svg xmlns='http://www.w3.org/2000/svg'/>").unwrap();
        fs::write(self.at("egk.der"), pki::card_authority(now()).0).unwrap();
        fs::write(self.at("roots.pem"), pem("CERTIFICATE", &pki::tls_authority())).unwrap();
        self.configure("");
    }

    pub fn init_token(&self, label: &str) {
        let made = Command::new("softhsm2-util")
            .args([
                "--init-token",
                "--free",
                "--label",
                label,
                "--pin",
                PIN,
                "--so-pin",
                "31415926",
            ])
            .env("SOFTHSM2_CONF", self.at("softhsm2.conf"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// Has a manifest decided, long enough ago, and puts it where the instance reads it.
    pub fn decide(&self, number: u64, change: impl FnOnce(&mut Manifest)) {
        let begun = now().minus_seconds(3 * 86_400);
        let mut manifest =
            self.rehearsal
                .manifest(number, &self.measurement, (Platform::VtpmDev, &self.machine), begun);
        let mut members: Vec<Member> = self
            .holders
            .iter()
            .map(|holder| Member {
                key: holder.card().encryption_key.clone(),
                name: holder.card().name.clone(),
                role: holder.card().role,
            })
            .collect();
        members.sort_by(|one, other| one.name.cmp(&other.name));
        manifest.share_set = RoleSet {
            at_least: [(OrganisationRole::Auditor, 1)].into(),
            members,
            threshold: 2,
        };
        if number > 1 {
            let before = parse_manifests(&fs::read(self.at("manifests/in-force.json")).unwrap()).unwrap();
            let before = ApprovedManifest::verify(&before, &self.rehearsal.trust(), None, now()).unwrap();
            manifest.previous = before.hash();
        }
        change(&mut manifest);
        let logged = self.rehearsal.decide(&manifest, begun).unwrap();
        fs::write(self.at("manifests/in-force.json"), encode_manifests(&[logged])).unwrap();
    }

    /// Writes the configuration; `replace` holds lines `from => to`.
    pub fn configure(&self, replace: &str) -> PathBuf {
        let at = |name: &str| self.at(name).display().to_string();
        let [public, mtls] = self.ports;
        let mut text = format!(
            r#"
[listen]
public = "127.0.0.1:{public}"
mtls = "127.0.0.1:{mtls}"
[tls]
certificate = "{chain}"
key = "{key}"
[store]
path = "{database}/healthid.sqlite"
[freshness]
directory = "{freshness}"
[vault]
lock = "quorum+hsm"
exchange = "{exchange}"
genesis = "{genesis}"
[vault.hsm]
module = "{module}"
token = "{TOKEN}"
pin_file = "{pin}"
library_reads = ["{conf}"]
library_writes = ["{tokens}"]
[evidence]
manifests = "{manifests}/in-force.json"
pins = "{pins}"
tpm_emulator = "{tpm}"
tpm_certificates = ["{tpm}.der"]
[federation_master]
entity_id = "https://fm.example"
keys = "{master}"
tls_roots = ["{roots}"]
[hardening]
locked_memory = false
[cards]
[[cards.authority]]
certificate = "{egk}"
rules = {{ check_digits = "required", revocation = "list-if-present" }}
[[tenant]]
issuer = "{issuer}"
iks = ["109900019"]
organization_name = "Testkasse"
logo = "{logo}"
mtls_base = "https://localhost:{mtls}"
authenticator_url = "https://wallet.example/card"
# certificate
"#,
            chain = at("chain.pem"),
            key = at("key.pem"),
            database = at("database"),
            freshness = at("freshness"),
            exchange = at("exchange"),
            genesis = at("exchange/genesis"),
            module = self.module.display(),
            pin = at("pin"),
            conf = at("softhsm2.conf"),
            tokens = at("tokens"),
            manifests = at("manifests"),
            pins = at("pins.json"),
            tpm = at("tpm"),
            master = at("master.json"),
            egk = at("egk.der"),
            roots = at("roots.pem"),
            issuer = self.issuer(),
            logo = at("logo.svg"),
        );
        for (from, to) in replace.lines().filter_map(|line| line.split_once(" => ")) {
            assert!(text.contains(from), "{from}");
            // One line of the file stands for several where it holds vertical tabs.
            text = text.replace(from, &to.replace('\u{b}', "\n"));
        }
        let path = self.at("provider.toml");
        fs::write(&path, text).unwrap();
        path
    }

    /// For [`Self::configure`]: the tenant's token certificate.
    pub fn certificate_line(&self) -> String {
        let path = self.at("token-key.der");
        format!(
            "# certificate => [tenant.token_key]\u{b}certificate = \"{}\"",
            path.display()
        )
    }

    /// Whether the module's token has objects of this identifier: its files hold it.
    pub fn token_holds(&self, id: &KeyId) -> bool {
        let mut files = Vec::new();
        for token in fs::read_dir(self.at("tokens")).unwrap() {
            let token = token.unwrap().path();
            if token.is_dir() {
                files.extend(
                    fs::read_dir(token)
                        .unwrap()
                        .map(|file| fs::read(file.unwrap().path()).unwrap()),
                );
            }
        }
        let holds = |file: &Vec<u8>| file.windows(32).any(|window| window == id.as_bytes());
        files.iter().any(holds)
    }

    fn command(&self, words: &[&str]) -> Command {
        // On a machine of its own the binary lies elsewhere.
        let program = if crate::machine::is_here() {
            Path::new(crate::machine::PROGRAMS).join("provider")
        } else {
            PathBuf::from(env!("CARGO_BIN_EXE_healthid-provider"))
        };
        let mut command = Command::new(program);
        command
            .arg("--config")
            .arg(self.at("provider.toml"))
            .args(words)
            .env("SOFTHSM2_CONF", self.at("softhsm2.conf"))
            .stdin(Stdio::null());
        command
    }

    pub fn start(&self, name: &str, words: &[&str]) -> Running {
        let log = self.at(&format!("{name}.log"));
        let child = self
            .command(words)
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Running { child, log }
    }

    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What it prints.
    pub fn done(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {:?} {said}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Why it does not: the last line it says.
    pub fn refused(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        assert!(!said.contains(PIN));
        said.lines().last().unwrap_or_default().to_owned()
    }

    /// What whoever takes part does with a ceremony's directory, as `healthid ceremony` does.
    pub fn attested(&self, folder: &Path, then: UnixTime) -> AttestedSetup {
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        let pins = Pins::parse(&fs::read(self.at("pins.json")).unwrap()).unwrap();
        let manifests = parse_manifests(&read("manifest.json")).unwrap();
        let approved = ApprovedManifest::verify(&manifests, &pins.trust, None, then).unwrap();
        let evidence = Evidence::parse(&read("evidence")).unwrap();
        let clock = VerificationTime {
            now: then,
            floor: approved.included_since(),
        };
        let instance = approved
            .verify_and_admit(&evidence, &pins.roots, clock, InstanceRole::Root)
            .unwrap();
        let offer: SetupOffer = serde_json::from_slice(&read("offer.json")).unwrap();
        AttestedSetup::check(&offer, &instance, approved.manifest()).unwrap()
    }

    fn transcript(folder: &Path) -> Transcript {
        Transcript::parse(&fs::read_to_string(folder.join("transcript")).unwrap()).unwrap()
    }

    fn share(&self, holder: usize) -> SealedShare {
        let name = format!("exchange/genesis/{}.share.json", self.holders[holder].card().name);
        serde_json::from_slice(&fs::read(self.at(&name)).unwrap()).unwrap()
    }

    /// A holder opens her share and signs that she has it.
    pub fn acknowledge(&self, holder: usize) {
        let folder = self.at("exchange/genesis");
        let setup = self.attested(&folder, now());
        let mut transcript = Self::transcript(&folder);
        self.holders[holder]
            .acknowledge(&self.share(holder), &mut transcript, &setup, now())
            .unwrap();
        fs::write(folder.join("transcript"), transcript.to_text()).unwrap();
    }

    /// A holder posts her share to the waiting instance.
    pub fn post(&self, holder: usize, to: &Path) {
        let folder = self.at("exchange/genesis");
        let transcript = Self::transcript(&folder);
        let genesis = self.attested(&folder, transcript.begun_at().unwrap());
        let genesis = verify_transcript(&transcript, &genesis).unwrap();
        let to_setup = self.attested(to, now());
        let posted = self.holders[holder]
            .post(&self.share(holder), &genesis, &to_setup)
            .unwrap();
        let name = format!("{}.posted.json", self.holders[holder].card().name);
        fs::write(to.join(name), serde_json::to_vec(&posted).unwrap()).unwrap();
    }

    /// Genuine evidence of this machine, as whoever runs another program on it makes.
    pub fn tpm_evidence(&self, report_data: &[u8; 64]) -> Evidence {
        let endpoint = TpmEndpoint::Socket(self.at("tpm"));
        let producer = TpmProducer::open(endpoint, Path::new("/nonexistent")).unwrap();
        let certificate = fs::read(self.at("tpm.der")).unwrap();
        producer
            .with_certificates(vec![certificate])
            .produce(report_data)
            .unwrap()
    }

    /// The newest directory of the exchange whose name begins so, of a ceremony that has begun.
    pub fn newest(&self, prefix: &str) -> PathBuf {
        self.newest_of(prefix, "offer.json")
    }

    /// The newest directory of the exchange whose name begins so, and that has this file.
    pub fn newest_of(&self, prefix: &str, file: &str) -> PathBuf {
        for _ in 0..PATIENCE {
            let mut found: Vec<_> = fs::read_dir(self.at("exchange"))
                .unwrap()
                .map(|entry| entry.unwrap())
                .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
                .filter(|entry| entry.path().join(file).exists())
                .collect();
            found.sort_by_key(|entry| entry.metadata().unwrap().modified().unwrap());
            if let Some(last) = found.last() {
                return last.path();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("no {prefix} in the exchange");
    }

    /// A genesis as everybody takes part in it; the root instance that came out of it.
    pub fn genesis(&self) -> Running {
        let cards = self.at("cards").display().to_string();
        let mut root = self.start("genesis", &["root", "genesis", "--cards", &cards]);
        root.says("waiting_for_keys");
        for holder in 0..self.holders.len() {
            assert!(!root.log().contains("giving_keys"), "not before all have their shares");
            self.acknowledge(holder);
        }
        root.says("giving_keys");
        root
    }

    /// A root instance that holders bring the seed back to.
    pub fn cold_start(&self, name: &str, holders: &[usize]) -> Running {
        let mut root = self.start(name, &["root", "cold-start"]);
        root.says("waiting_for_keys");
        let folder = self.newest("cold-start-");
        for holder in holders {
            self.post(*holder, &folder);
        }
        root
    }
}

/// A TPM's certificate, the root it is issued by, and its name in manifests.
fn certified(socket: &Path) -> (Vec<u8>, Vec<u8>, PlatformId) {
    let producer = TpmProducer::open(TpmEndpoint::Socket(socket.to_owned()), Path::new("/nonexistent")).unwrap();
    let point = producer.attestation_key().unwrap();
    let key = P256PublicKey::from_uncompressed(&point).unwrap();
    let (certificate, root) = pki::tpm_certificate(&key);
    let machine = PlatformId::new(digest(&SHA256, &point).as_ref()).unwrap();
    (certificate, root, machine)
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
