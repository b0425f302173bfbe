//! Processes beside the provider: a Federation Master, a proxy that records what passes by, and one that reads the database, as an operator's
//! tools do.
#![allow(clippy::print_stdout)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use jose::SoftwareKey;
use serde::{Deserialize, Serialize};
use transport::{ClientCertificates, TlsIdentity};

use crate::common::{self, pki};

/// What a neighbour is told.
#[derive(Serialize, Deserialize)]
pub enum Orders {
    /// Passes connections on to these ports, and writes all bytes of both directions into a file.
    Record { ports: Vec<u16>, file: PathBuf },
    /// Reads every file of a directory into its memory.
    Read { directory: PathBuf },
    /// Serves these documents, by their URLs, as the hosts they are of.
    Federation {
        address: String,
        documents: HashMap<String, String>,
    },
    /// Holds this in its memory, to be found.
    Hold { bytes: Vec<u8> },
}

/// A running one.
pub struct Neighbour {
    child: Child,
    /// What it answered when it was ready.
    pub answer: String,
    _stdin: std::process::ChildStdin,
}

impl Neighbour {
    pub fn start(orders: &Orders) -> Self {
        Self::start_by(Command::new(std::env::current_exe().unwrap()), orders)
    }

    pub fn start_by(mut command: Command, orders: &Orders) -> Self {
        let mut child = command
            .args(["--exact", "neighbours::neighbour_process", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        serde_json::to_writer(&mut stdin, orders).unwrap();
        stdin.write_all(b"\n").unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let answer = lines
            .find_map(|line| line.unwrap().split_once("@ready ").map(|(_, rest)| rest.to_owned()))
            .unwrap();
        Self {
            child,
            answer,
            _stdin: stdin,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "the other tests start it as a process of its own"]
fn neighbour_process() {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    match serde_json::from_str::<Orders>(&line) {
        Ok(Orders::Record { ports, file }) => record(&ports, &file),
        Ok(Orders::Read { directory }) => {
            let held = read_all(&directory);
            println!("@ready {}", held.len());
            wait();
            drop(held);
        }
        Ok(Orders::Federation { address, documents }) => federation(&address, documents),
        Ok(Orders::Hold { bytes }) => {
            println!("@ready {}", bytes.len());
            wait();
            drop(bytes);
        }
        // Started by hand, without orders.
        Err(_) => {}
    }
}

/// Until whoever gave the orders is gone.
fn wait() {
    let mut rest = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut rest);
}

#[tokio::main(flavor = "current_thread")]
async fn federation(address: &str, documents: HashMap<String, String>) {
    let key = SoftwareKey::generate("tls").unwrap();
    let hosts: std::collections::BTreeSet<String> = documents
        .keys()
        .map(|url| url::Url::parse(url).unwrap().host_str().unwrap().to_owned())
        .collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let certificate = pki::lasting_server_certificate(&hosts, &key);
    let identity = TlsIdentity::new(&[certificate], &key.to_pkcs8_der()).unwrap();
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
        let named = request.headers().get("host").and_then(|host| host.to_str().ok());
        let host = request.uri().host().or(named).unwrap_or_default();
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let document = documents.get(&format!("https://{host}{target}")).cloned();
        std::future::ready(document.ok_or(axum::http::StatusCode::NOT_FOUND))
    });
    let _running = common::serve_as(listener, identity, ClientCertificates::None, router);
    println!("@ready 1");
    tokio::task::spawn_blocking(wait).await.unwrap();
}

fn read_all(directory: &Path) -> Vec<u8> {
    let mut held = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        held.extend(std::fs::read(entry.unwrap().path()).unwrap_or_default());
    }
    held
}

fn record(ports: &[u16], file: &Path) {
    let file = Arc::new(Mutex::new(std::fs::File::create(file).unwrap()));
    let mut own = Vec::new();
    for port in ports {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        own.push(listener.local_addr().unwrap().port().to_string());
        let (file, port) = (Arc::clone(&file), *port);
        std::thread::spawn(move || {
            for from in listener.incoming() {
                let (from, file) = (from.unwrap(), Arc::clone(&file));
                let to = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let (back_from, back_to) = (to.try_clone().unwrap(), from.try_clone().unwrap());
                let back_file = Arc::clone(&file);
                std::thread::spawn(move || pass_on(from, to, &file));
                std::thread::spawn(move || pass_on(back_from, back_to, &back_file));
            }
        });
    }
    println!("@ready {}", own.join(" "));
    wait();
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, file: &Mutex<std::fs::File>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        file.lock().unwrap().write_all(&buffer[..length]).unwrap();
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}
