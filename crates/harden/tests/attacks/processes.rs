//! Starting the victim and the attacker, as root or as an ordinary user.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio},
    sync::{Mutex, PoisonError},
};

/// A file that is open for writing in any process cannot be executed, and a child has everything open until it is one.
static COPYING_OR_STARTING: Mutex<()> = Mutex::new(());

/// `nobody` on Debian; any number without rights would do.
const ORDINARY_USER: u32 = 65534;

/// Who runs a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum User {
    /// Whoever runs the tests; root, or the test is skipped.
    Root,
    /// `nobody` where the tests run as root, else whoever runs them.
    Ordinary,
}

/// Whether the tests run as root. Says so where a test is skipped because they do not.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says so on the terminal itself: the test harness swallows what a passing test prints.
pub fn skip(reason: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "!! SKIPPED {test}: {reason}");
}

/// A copy of an example of this crate that every user may execute.
pub struct Program(tempfile::TempDir);

impl Program {
    pub fn new(name: &str) -> Self {
        let built = std::env::current_exe().unwrap();
        let examples = built.parent().and_then(Path::parent).unwrap().join("examples");
        let directory = tempfile::tempdir().unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(directory.path(), open).unwrap();
        let _alone = COPYING_OR_STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        std::fs::copy(examples.join(name), directory.path().join("program")).unwrap();
        Self(directory)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("program")
    }

    pub fn command(&self, user: User) -> Command {
        let mut command = Command::new(self.path());
        command.current_dir("/");
        if user == User::Ordinary && is_root() {
            command.uid(ORDINARY_USER).gid(ORDINARY_USER);
        }
        command
    }
}

fn start(command: &mut Command) -> Child {
    let _alone = COPYING_OR_STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    command.spawn().unwrap()
}

/// A victim that holds a secret and waits.
pub struct Victim {
    _program: Program,
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    pub secret: Vec<u8>,
    address: String,
    length: String,
    /// How the memory is protected, where the victim says so.
    pub protection: Option<String>,
}

impl Victim {
    pub fn holding(how: &str, user: User) -> Self {
        let program = Program::new("victim");
        let mut command = program.command(user);
        command
            .args(["holds", how])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = start(&mut command);
        let secret = fresh_secret();
        let mut input = process.stdin.take().unwrap();
        input.write_all(&secret).unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let mut words = line.split_whitespace().map(str::to_owned);
        let (address, length) = (words.next().unwrap(), words.next().unwrap());
        let protection = words.next();
        Self {
            _program: program,
            process,
            input: Some(input),
            output,
            secret,
            address,
            length,
            protection,
        }
    }

    /// What an attacker gets out: `Ok` with what it read, `Err` with the reason of the refusal.
    pub fn attacked(&self, user: User, confined: bool, how: &str) -> Result<Vec<u8>, String> {
        let program = Program::new("attacker");
        let mut command = program.command(user);
        if confined {
            command.arg("confined");
        }
        let pid = self.process.id().to_string();
        command.args([how, &pid, &self.address, &self.length]);
        let output = run(&mut command, &[]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            !text.is_empty(),
            "the attacker failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        if output.status.success() {
            Ok(bytes(text.trim()))
        } else {
            Err(text.trim().to_owned())
        }
    }

    /// What its open descriptors lead to.
    pub fn descriptors(&self) -> Vec<String> {
        let directory = format!("/proc/{}/fd", self.process.id());
        std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap().display().to_string())
            .collect()
    }

    /// What it has mapped.
    pub fn mappings(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/maps", self.process.id())).unwrap()
    }

    /// Lets it go; whatever it still wrote to stdout.
    pub fn end(mut self) -> Vec<u8> {
        drop(self.input.take());
        let mut rest = Vec::new();
        self.output.read_to_end(&mut rest).unwrap();
        assert!(
            self.process.wait().unwrap().success(),
            "the victim did not survive the attack"
        );
        rest
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// 32 printable bytes nobody knows.
pub fn fresh_secret() -> Vec<u8> {
    let mut random = [0; 16];
    std::fs::File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut random)
        .unwrap();
    random
        .iter()
        .flat_map(|byte| format!("{byte:02x}").into_bytes())
        .collect()
}

/// Runs the victim to its end with a secret on stdin.
pub fn run(command: &mut Command, secret: &[u8]) -> Output {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = start(command);
    process.stdin.take().unwrap().write_all(secret).unwrap();
    process.wait_with_output().unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}
