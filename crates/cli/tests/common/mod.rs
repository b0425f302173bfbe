//! The tool as a process, and a sandbox for it.
#![allow(clippy::unwrap_used, dead_code)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};

pub fn healthid(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_healthid"))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A sandbox as its own process, on free ports.
pub struct Running {
    process: Child,
    pub data: tempfile::TempDir,
    pub welcome: String,
}

impl Running {
    pub fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_healthid"))
            .args(["sandbox", "--port-base", "0", "--log", "error", "--data"])
            .arg(data.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut welcome = String::new();
        while !welcome.contains("Ctrl-C") {
            assert!(output.read_line(&mut welcome).unwrap() > 0, "{welcome}");
        }
        Self { process, data, welcome }
    }

    pub fn at(&self) -> &str {
        self.data.path().to_str().unwrap()
    }

    pub fn interrupt(mut self) -> Option<i32> {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.process.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone after an interrupt.
        let _ = self.process.kill();
    }
}
