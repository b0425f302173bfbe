//! A small machine of its own for the shipped binary: its own processes, network, mounts and temporary files, by namespaces.
//!
//! The binary fetches from public addresses only, and nothing here softens that. So the machine's loopback interface carries a public address, at
//! which a Federation Master of the test answers; in this network namespace it leads nowhere else. And because `/proc` and `/tmp` are the machine's
//! own, "every other process" and "whatever is left behind" can be searched to the last one.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use base64::Engine as _;
use federation::chain::TrustAnchor;
use jose::{SoftwareKey, UnixTime};
use provider::TokenCertificates;
use vault::PersonData;

use crate::common::{HIGH_CLASS, Insurer, pki};

/// Where the machine's Federation Master answers: in a public range, as the address rule demands.
pub const FEDERATION_ADDRESS: &str = "9.9.9.9:443";
/// Where the provider listens, public first.
pub const PORTS: [u16; 2] = [8443, 8444];

/// Arguments: a directory for the machine, the provider's binary, this test's, what to run.
const PREPARE: &str = r#"
set -eu
machine=$1 provider=$2 tests=$3
shift 3
ip link set lo up
ip address add 9.9.9.9/32 dev lo
mount -t tmpfs -o mode=0755 none "$machine"
mkdir "$machine/programs"
touch "$machine/programs/provider" "$machine/programs/tests" "$machine/programs/hosts"
mount --bind "$provider" "$machine/programs/provider"
mount --bind "$tests" "$machine/programs/tests"
printf '127.0.0.1 localhost\n9.9.9.9 fm.example record.example\n' >"$machine/programs/hosts"
mount --bind "$machine/programs/hosts" /etc/hosts
mount --rbind "$machine" /tmp
mount -t tmpfs none /var/tmp
mount -t tmpfs none /dev/shm
cd /tmp
exec "$@"
"#;

/// The machine's directories. Everything else under `/tmp` nobody has ordered.
pub const PROGRAMS: &str = "/tmp/programs";
/// What the operator has: configuration, secrets, files of the insurer.
pub const OPERATOR: &str = "/tmp/operator";
pub const DATABASE: &str = "/tmp/database";
pub const FRESHNESS: &str = "/tmp/freshness";
/// The provider's working directory: where a core file would be.
pub const WORK: &str = "/tmp/work";
pub const LOG: &str = "/tmp/log";
pub const TRAFFIC: &str = "/tmp/traffic";

/// Runs an ignored test of this program on a machine of its own.
///
/// # Errors
/// Why there is no such machine here.
pub fn run(test: &str) -> Result<Output, String> {
    let directory = tempfile::tempdir().unwrap();
    let mut refusals = Vec::new();
    for user in [&[][..], &["--user", "--map-root-user"]] {
        let command = |program: &[&str]| {
            let mut command = Command::new("unshare");
            command
                .args(user)
                .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
                .args(["sh", "-c", PREPARE, "sh"])
                .arg(directory.path())
                .arg(env!("CARGO_BIN_EXE_healthid-provider"))
                .arg(std::env::current_exe().unwrap())
                .args(program)
                .env_remove("TMPDIR")
                .stdin(Stdio::null());
            command
        };
        match command(&["true"]).output() {
            Ok(tried) if tried.status.success() => {
                let test = command(&["/tmp/programs/tests", "--exact", test, "--ignored", "--nocapture"]);
                return Ok({ test }.output().unwrap());
            }
            Ok(tried) => refusals.push(String::from_utf8_lossy(&tried.stderr).trim().to_owned()),
            Err(error) => refusals.push(error.to_string()),
        }
    }
    Err(refusals.join("; "))
}

/// Whether this process runs on such a machine.
pub fn is_here() -> bool {
    Path::new(PROGRAMS).join("provider").exists()
}

/// The operator's keys, each of which would open something.
pub struct Secrets {
    pub seed: [u8; 32],
    pub tls: SoftwareKey,
    pub token: SoftwareKey,
}

impl Secrets {
    pub fn new() -> Self {
        Self {
            seed: provider::rng::bytes(&provider::rng::SystemRng),
            tls: SoftwareKey::generate("tls").unwrap(),
            token: SoftwareKey::generate("token").unwrap(),
        }
    }

    /// The bytes that must be nowhere.
    pub fn canaries(&self) -> Vec<(String, Vec<u8>)> {
        let scalar = |key: &SoftwareKey| {
            // SEC 1 C.4: the private key is the first octet string of 32 bytes.
            let der = key.to_pkcs8_der();
            let at = der.windows(2).position(|head| head == [0x04, 32]).unwrap();
            der[at + 2..at + 34].to_vec()
        };
        vec![
            ("seed".to_owned(), self.seed.to_vec()),
            ("TLS key".to_owned(), scalar(&self.tls)),
            ("token key".to_owned(), scalar(&self.token)),
        ]
    }
}

/// The shipped binary on this machine, hardened as far as the machine admits.
pub struct Shipped {
    /// Whether its pages are locked: wants a right that a user namespace does not give.
    pub locked: bool,
    configuration: PathBuf,
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

fn operators(name: &str, content: impl AsRef<[u8]>) {
    fs::write(Path::new(OPERATOR).join(name), content).unwrap();
}

impl Shipped {
    /// Writes the operator's files for two insurers.
    pub fn configure(insurers: &[Insurer], secrets: &Secrets, anchor: &TrustAnchor, now: UnixTime) -> Self {
        for directory in [OPERATOR, DATABASE, FRESHNESS, WORK, LOG] {
            fs::create_dir_all(directory).unwrap();
            fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
        }
        let tls = pki::lasting_server_certificate(&["localhost", crate::common::HOST_OF_ITS_OWN], &secrets.tls);
        operators("chain.pem", pem("CERTIFICATE", &tls));
        operators("key.pem", pem("PRIVATE KEY", &secrets.tls.to_pkcs8_der()));
        let seed: String = secrets.seed.iter().map(|byte| format!("{byte:02x}")).collect();
        operators("seed", seed);
        operators("master.json", anchor.keys.to_value().to_string());
        operators("roots.pem", pem("CERTIFICATE", &pki::tls_authority()));
        let (authority, list) = pki::card_authority(now);
        operators("cards.der", authority);
        operators("cards.crl", list);
        operators("logo.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>");
        operators("token.p8", secrets.token.to_pkcs8_der());
        for insurer in insurers {
            let certificate = pki::ComponentAuthority::default()
                .issue(
                    &insurer.issuer,
                    "Testkasse",
                    jose::Signer::public_key(&secrets.token),
                    now,
                )
                .unwrap();
            operators(&format!("token-{}.der", insurer.ik), certificate);
        }
        let mut shipped = Self {
            locked: true,
            configuration: Path::new(OPERATOR).join("provider.toml"),
        };
        shipped.write_configuration(insurers, anchor);
        let checked = shipped.task(&["--check"]);
        if String::from_utf8_lossy(&checked.stderr).contains("hardening failed") {
            shipped.locked = false;
            shipped.write_configuration(insurers, anchor);
        }
        shipped
    }

    fn write_configuration(&self, insurers: &[Insurer], anchor: &TrustAnchor) {
        let [public, mtls] = PORTS;
        let mut text = format!(
            r#"
            [listen]
            public = "127.0.0.1:{public}"
            mtls = "127.0.0.1:{mtls}"
            [tls]
            certificate = "{OPERATOR}/chain.pem"
            key = "{OPERATOR}/key.pem"
            [store]
            path = "{DATABASE}/healthid.sqlite"
            [freshness]
            directory = "{FRESHNESS}"
            [vault]
            lock = "development"
            seed = "{OPERATOR}/seed"
            [federation_master]
            entity_id = "{}"
            keys = "{OPERATOR}/master.json"
            tls_roots = ["{OPERATOR}/roots.pem"]
            [hardening]
            locked_memory = {}
            [cards]
            crls = ["{OPERATOR}/cards.crl"]
            [[cards.authority]]
            certificate = "{OPERATOR}/cards.der"
            "#,
            anchor.entity_id.as_str(),
            self.locked,
        );
        for Insurer { issuer, mtls, ik } in insurers {
            text.push_str(&format!(
                r#"
                [[tenant]]
                issuer = "{issuer}"
                iks = ["{ik}"]
                organization_name = "Testkasse"
                logo = "{OPERATOR}/logo.svg"
                mtls_base = "{mtls}"
                authenticator_url = "https://wallet.example/card"
                contacts = ["support@kasse.example"]
                [[tenant.policy.device_classes]]
                name = "{HIGH_CLASS}"
                level = "gematik-ehealth-loa-high"
                reconfirm_after_seconds = 2592000
                evidence = "claimed"
                [tenant.token_key]
                pkcs8 = "{OPERATOR}/token.p8"
                certificate = "{OPERATOR}/token-{ik}.der"
                "#
            ));
        }
        fs::write(&self.configuration, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // Free to write a core file into its working directory, as far as the machine is concerned.
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                "ulimit -c unlimited; exec \"$0\" \"$@\"",
                "/tmp/programs/provider",
            ])
            .arg("--config")
            .arg(&self.configuration)
            .args(arguments)
            .current_dir(WORK)
            .stdin(Stdio::null());
        command
    }

    /// Runs one of its tasks to the end.
    pub fn task(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// As an operator takes in what an insurer has sent: from a file that is gone afterwards.
    pub fn take_in(&self, issuer: &str, people: &[PersonData]) -> Output {
        let file = format!("{OPERATOR}/people.jsonl");
        let line = |person: &PersonData| {
            let member = serde_json::json!({
                "kvnr": person.kvnr.as_str(), "ik": person.ik.as_str(), "given_name": person.given_name,
                "family_name": person.family_name, "display_name": person.display_name,
                "birthdate": person.birthdate, "geschlecht": person.sex, "email": person.email,
                "card_valid_until": person.card_valid_until,
            });
            format!("{member}\n")
        };
        fs::write(&file, people.iter().map(line).collect::<String>()).unwrap();
        let output = self.task(&["import-people", issuer, &file]);
        fs::remove_file(file).unwrap();
        output
    }

    /// Serves, logging into a file of this name.
    pub fn serve(&self, log: &str) -> Serving {
        let log = Path::new(LOG).join(log);
        let out = fs::File::create(&log).unwrap();
        let mut command = self.command(&[]);
        command.stdout(out.try_clone().unwrap()).stderr(out);
        let mut child = command.spawn().unwrap();
        while PORTS
            .iter()
            .any(|port| TcpStream::connect(("127.0.0.1", *port)).is_err())
        {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", fs::read_to_string(&log).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
        Serving { child }
    }
}

/// The binary at work.
pub struct Serving {
    child: Child,
}

impl Serving {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A number of kilobytes in its status.
    pub fn kilobytes(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// What its descriptors lead to.
    pub fn open_files(&self) -> Vec<String> {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap();
        descriptors
            .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
            .map(|target| target.to_string_lossy().into_owned())
            .collect()
    }

    /// This signal, and the end of it. Where a runtime has a handler of its own for it, the first only takes that away.
    pub fn dies_of(mut self, signal: &str) -> ExitStatus {
        let id = self.id().to_string();
        for _ in 0..100 {
            let sent = Command::new("kill").args(["-s", signal, &id]).status();
            assert!(sent.unwrap().success());
            for _ in 0..5 {
                std::thread::sleep(Duration::from_millis(20));
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
            }
        }
        panic!("it does not die of {signal}");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
