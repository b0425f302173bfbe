//! A process that holds a secret, or tries what it should not: what `tests/attacks` attacks. Not for use.
//!
//! `victim holds HOW`: reads 32 bytes from stdin, holds them, prints where, and waits until stdin is closed.
//! `victim dies HOW CAUSE`: the same, and dies by itself.
//! `victim tries WHAT DIRECTORY`: hardens itself around that directory and tries.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::AsFd,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use harden::{FileRules, SystemCallList, Wanted, Wish};
use rustix::process::{Resource, Rlimit, setrlimit};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["holds", "hardened-secretly"] => hold_secretly(),
        ["holds", how] => hold(how, || {
            let mut rest = [0; 1];
            let _ = std::io::stdin().read(&mut rest);
        }),
        ["dies", how, "abort"] => hold(how, || std::process::abort()),
        ["dies", how, "panic"] => hold(how, || panic!("on purpose")),
        ["dies", how, "signal"] => hold(how, || {
            let me = rustix::process::getpid();
            rustix::process::kill_process(me, rustix::process::Signal::ILL).unwrap();
        }),
        ["dies", how, "memory"] => {
            // Before hardening: afterwards nobody sets limits any more.
            limit_memory();
            hold(how, || {
                let mut taken = Vec::new();
                loop {
                    taken.push(std::hint::black_box(vec![7_u8; 1 << 20]));
                }
            });
        }
        ["tries", what, directory] => try_out(what, Path::new(directory)),
        _ => panic!("unknown arguments {arguments:?}"),
    }
}

/// So much address space and no more: the next allocation beyond it fails.
fn limit_memory() {
    const BYTES: u64 = 512 << 20;
    let limit = Rlimit {
        current: Some(BYTES),
        maximum: Some(BYTES),
    };
    setrlimit(Resource::As, limit).unwrap();
}

/// Nothing hardened, and core files wanted: so that it is the hardening that makes the difference.
fn prepare(how: &str) {
    match how {
        "plain" => {
            let limit = Rlimit {
                current: None,
                maximum: None,
            };
            setrlimit(Resource::Core, limit).unwrap_or(());
        }
        "hardened" => {
            let wanted = Wanted {
                files: Wish::Apply(FileRules::default()),
                system_calls: Wish::Apply(SystemCallList::provider()),
                locked_memory: Wish::Leave("not under test"),
            };
            let profile = harden::apply(&wanted);
            assert_eq!(profile.failures().count(), 0, "{profile:?}");
        }
        other => panic!("unknown way to hold: {other}"),
    }
}

fn hold(how: &str, wait: impl FnOnce()) {
    prepare(how);
    let mut secret = vec![0; 32];
    std::io::stdin().read_exact(&mut secret).unwrap();
    println!("{} {}", secret.as_ptr().addr(), secret.len());
    std::io::stdout().flush().unwrap();
    wait();
    assert_eq!(secret.len(), 32, "it is still held");
}

/// As `hold`, but where the vault holds its keys.
fn hold_secretly() {
    prepare("hardened");
    let secret = vault::secret_memory::Secret::<32>::written_by(|secret| {
        // Without a buffer in between: what stdin has read stays on the heap.
        let mut input = File::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
        input.read_exact(secret).unwrap();
    });
    println!(
        "{} {} {}",
        secret.as_ptr().addr(),
        secret.len(),
        vault::secret_memory::protection().name()
    );
    std::io::stdout().flush().unwrap();
    let _ = std::io::stdin().read(&mut [0; 1]);
}

fn try_out(what: &str, directory: &Path) {
    let wanted = Wanted {
        files: Wish::Apply(FileRules {
            write: vec![directory.to_owned()],
            ..FileRules::default()
        }),
        system_calls: Wish::Apply(SystemCallList::provider()),
        locked_memory: Wish::Leave("not under test"),
    };
    let profile = harden::apply(&wanted);
    assert_eq!(profile.failures().count(), 0, "{profile:?}");
    let outcome = attempt(what, directory);
    println!("{outcome}");
}

fn attempt(what: &str, directory: &Path) -> String {
    let outside = PathBuf::from("/etc/passwd");
    let told = |result: std::io::Result<()>| match result {
        Ok(()) => "done".to_owned(),
        Err(error) => format!("refused: {:?}", error.kind()),
    };
    let system = |result: rustix::io::Result<()>| told(result.map_err(Into::into));
    let nix = |result: nix::Result<()>| told(result.map_err(Into::into));
    match what {
        // What the provider does all day.
        "work" => {
            std::fs::write(directory.join("a"), b"x").unwrap();
            std::fs::rename(directory.join("a"), directory.join("b")).unwrap();
            assert_eq!(std::fs::read(directory.join("b")).unwrap(), b"x");
            std::fs::remove_file(directory.join("b")).unwrap();
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let client = std::thread::spawn(move || std::net::TcpStream::connect(address).unwrap());
            drop(listener.accept().unwrap());
            drop(client.join().unwrap());
            "done".to_owned()
        }
        "read-outside" => told(std::fs::read(outside).map(drop)),
        "write-outside" => told(File::options().append(true).open(outside).map(drop)),
        "create-outside" => told(File::create("/tmp/healthid-attack-39").map(drop)),
        "create-beside" => told(File::create(directory.with_extension("beside")).map(drop)),
        "own-memory" => told(File::options().write(true).open("/proc/self/mem").map(drop)),
        "climb" => told(File::open(directory.join("../../../etc/passwd")).map(drop)),
        "exec" => told(Err(Command::new("/bin/true").exec())),
        "spawn" => told(Command::new("/bin/true").status().map(drop)),
        "ptrace" => nix(nix::sys::ptrace::traceme()),
        "attach" => nix(nix::sys::ptrace::attach(nix::unistd::getppid())),
        "read-parent" => {
            let mut buffer = [0; 8];
            let mut local = [std::io::IoSliceMut::new(&mut buffer)];
            let remote = [nix::sys::uio::RemoteIoVec { base: 0x1000, len: 8 }];
            nix(nix::sys::uio::process_vm_readv(nix::unistd::getppid(), &mut local, &remote).map(drop))
        }
        "mount" => system(rustix::mount::mount(
            "none",
            directory,
            "tmpfs",
            rustix::mount::MountFlags::empty(),
            None,
        )),
        "chroot" => system(rustix::process::chroot(directory)),
        "signal-parent" => {
            let parent = rustix::process::getppid().unwrap();
            system(rustix::process::kill_process(parent, rustix::process::Signal::USR1))
        }
        "raise-limit" => {
            let limit = Rlimit {
                current: None,
                maximum: None,
            };
            system(setrlimit(Resource::Core, limit))
        }
        "unix-datagram" => told(std::os::unix::net::UnixDatagram::unbound().map(drop)),
        "become-dumpable" => system(rustix::process::set_dumpable_behavior(
            rustix::process::DumpableBehavior::Dumpable,
        )),
        "hostname" => system(rustix::system::sethostname(b"mine")),
        other => panic!("unknown attempt: {other}"),
    }
}
