//! The parent's half: a world that outlives its provider, and the provider's process.

use std::collections::HashMap;
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;
use transport::HttpResponse;

use crate::common::federation::{MASTER, own_statement, statement_about};
use crate::common::{Harness, Insurer, PATH_IK, Person, Service};

/// Where the process stops at its next commit, until it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Halt {
    /// Nothing has been written.
    Before,
    /// It is durable, and nobody has been told.
    After,
    /// Nothing has been written into the freshness register.
    BeforeStep,
    /// The step is in the register, and nothing has been written into the database.
    AfterStep,
}

/// What the process is told on its standard input.
#[derive(Serialize, Deserialize)]
pub struct Orders {
    pub store: std::path::PathBuf,
    pub register: std::path::PathBuf,
    /// Every document of the federation, by its URL.
    pub documents: HashMap<String, String>,
    pub halt: Option<Halt>,
    /// Whether people and keys are made before the first request is taken.
    pub prepare: bool,
    /// Whether Ada is deleted once requests are taken.
    pub delete: bool,
    /// People beside Ada.
    pub canaries: Vec<Canary>,
    /// Whether it logs as the binary does.
    pub log: bool,
}

/// Somebody who is looked for everywhere.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Canary {
    pub kvnr: String,
    pub ik: String,
    pub card: u8,
    pub given_name: String,
    pub family_name: String,
    pub email: String,
}

impl Canary {
    /// As the insurer knows her.
    pub fn data(&self) -> vault::PersonData {
        vault::PersonData {
            kvnr: authenticator::Kvnr::parse(&self.kvnr).unwrap(),
            ik: authenticator::Ik::parse(&self.ik).unwrap(),
            given_name: self.given_name.clone(),
            family_name: self.family_name.clone(),
            display_name: format!("{} {}", self.given_name, self.family_name),
            birthdate: "1984-02-29".to_owned(),
            sex: "D".to_owned(),
            email: self.email.clone(),
            card_valid_until: "2031-07-31".to_owned(),
        }
    }
}

/// A service, a person and a file that outlive the provider.
pub struct World {
    /// Its own provider is not used: it knows the steps of a login.
    pub harness: Harness,
    pub service: Service,
    pub ada: Person,
    directory: TempDir,
    register: TempDir,
    documents: HashMap<String, String>,
}

/// What the federation of a service has to say, by URL.
pub fn documents(harness: &Harness, service: &Service) -> HashMap<String, String> {
    let urls = [
        own_statement(MASTER),
        statement_about(&service.client_id),
        own_statement(&service.client_id),
    ];
    urls.map(|url| {
        let document = harness.federation.document(&url).unwrap();
        (url, document)
    })
    .into()
}

impl World {
    pub async fn new() -> Self {
        let harness = Harness::start().await;
        let service = harness.service();
        let documents = documents(&harness, &service);
        Self {
            harness,
            service,
            ada: Person::ada(),
            directory: tempfile::tempdir().unwrap(),
            register: tempfile::tempdir().unwrap(),
            documents,
        }
    }

    fn orders(&self, halt: Option<Halt>, prepare: bool) -> Orders {
        Orders {
            store: self.directory.path().join("store.sqlite"),
            register: self.register.path().join("register"),
            documents: self.documents.clone(),
            halt,
            prepare,
            delete: false,
            canaries: Vec::new(),
            log: false,
        }
    }

    /// Starts the provider with these people, logging into a file, in that file's directory, free to write a core file there.
    pub fn start_with_canaries(&self, canaries: &[Canary], log: &std::path::Path) -> Process {
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .current_dir(log.parent().unwrap())
            .stderr(std::fs::File::create(log).unwrap());
        let orders = Orders {
            canaries: canaries.to_vec(),
            log: true,
            ..self.orders(None, true)
        };
        Process::start_by(command, &orders)
    }

    /// Starts the provider, which begins to delete Ada and halts there.
    pub fn start_deleting(&self, halt: Halt) -> Process {
        Process::start(&Orders {
            delete: true,
            ..self.orders(Some(halt), true)
        })
    }

    /// Starts the provider on the file as it is.
    pub fn start_as_it_is(&self) -> Process {
        Process::start(&self.orders(None, false))
    }

    /// Starts the provider on the file, with Ada and all keys in it; halting at the first commit of a request where asked to.
    pub fn start(&self, halt: Option<Halt>) -> Process {
        Process::start(&self.orders(halt, true))
    }

    /// Starts the provider as it would start the very first time.
    pub fn start_bare(&self, halt: Halt) -> Process {
        Process::start(&self.orders(Some(halt), false))
    }

    /// Begins with an empty file. Nobody may be running.
    pub fn clear(&self) {
        for entry in std::fs::read_dir(self.directory.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        // A new database is not an old one: it has a new register.
        let _ = std::fs::remove_dir_all(self.register.path().join("register"));
    }

    /// Ends the process and begins with an empty file.
    pub fn forget(&self, process: &mut Process) {
        process.kill();
        self.clear();
    }

    /// Sends a binding; `None` where no answer came.
    pub async fn try_bind(&self, insurer: &Insurer, binding: &Value) -> Option<HttpResponse> {
        let url = format!("{}/devices", insurer.issuer);
        self.harness.app().post_json(&url, binding, &[]).await.ok()
    }
}

/// A running provider.
pub struct Process {
    child: Child,
    lines: Option<BufReader<ChildStdout>>,
    insurer: Insurer,
}

impl Process {
    fn start(orders: &Orders) -> Self {
        Self::start_by(Command::new(std::env::current_exe().unwrap()), orders)
    }

    fn start_by(mut command: Command, orders: &Orders) -> Self {
        let mut child = command
            .args(["--exact", "child::provider_process", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        serde_json::to_writer(&mut stdin, orders).unwrap();
        stdin.write_all(b"\n").unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let ports = wait_for(&mut lines, "ready ");
        let (public, mtls) = ports.trim().split_once(' ').unwrap();
        Self {
            child,
            lines: Some(lines),
            insurer: Insurer {
                issuer: format!("https://localhost:{public}/{PATH_IK}"),
                mtls: format!("https://localhost:{mtls}/{PATH_IK}"),
                ik: PATH_IK,
            },
        }
    }

    pub fn insurer(&self) -> &Insurer {
        &self.insurer
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGABRT, and the end of it: where nothing forbids it, the kernel writes a core file.
    pub fn crash(&mut self) {
        let killed = Command::new("kill")
            .args(["-ABRT", &self.child.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
        self.child.wait().unwrap();
    }

    /// SIGKILL, and the end of it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Makes a request, kills the process when it halts at its commit, and sees to it that no answer came.
    pub async fn killed_during(&mut self, request: impl Future<Output = Option<HttpResponse>>) {
        let mut lines = self.lines.take().unwrap();
        let halted = tokio::task::spawn_blocking(move || wait_for(&mut lines, "halted"));
        let kill = async {
            halted.await.unwrap();
            self.kill();
        };
        let (answer, ()) = tokio::join!(request, kill);
        assert!(answer.is_none());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines up to one that has this mark; what follows the mark.
fn wait_for(lines: &mut impl BufRead, mark: &str) -> String {
    let mark = format!("@{mark}");
    let mut line = String::new();
    loop {
        line.clear();
        assert_ne!(
            lines.read_line(&mut line).unwrap(),
            0,
            "the process ended before {mark}"
        );
        if let Some((_, rest)) = line.split_once(&mark) {
            return rest.to_owned();
        }
    }
}
