//! Processes beside the provider: one that records what passes by, and one that reads the database, as an operator's tools do.
#![allow(clippy::print_stdout)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

/// What a helper is told.
#[derive(Serialize, Deserialize)]
pub enum Orders {
    /// Passes connections on to these ports, and writes all bytes of both directions into a file.
    Record { ports: Vec<u16>, file: PathBuf },
    /// Reads every file of a directory into its memory.
    Read { directory: PathBuf },
    /// Holds this in its memory, to be found.
    Hold { bytes: Vec<u8> },
}

/// A running helper.
pub struct Helper {
    child: Child,
    /// What it answered when it was ready.
    pub answer: String,
    _stdin: std::process::ChildStdin,
}

impl Helper {
    pub fn start(orders: &Orders) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "helpers::helper_process", "--ignored", "--nocapture"])
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

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "the other tests start it as a process of its own"]
fn helper_process() {
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
