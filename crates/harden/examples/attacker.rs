//! Reads another process's memory by every way there is without a kernel module. Not for use.
//!
//! `attacker [confined] HOW PID ADDRESS LENGTH`: prints what it read, in hex, or `refused: why`. `inject` makes the other
//! process write to its own stdout instead.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::{fs::File, io::IoSliceMut, os::unix::fs::FileExt, process::ExitCode};

use harden::{FileRules, Wanted, Wish};
use nix::{
    sys::{
        ptrace,
        uio::{RemoteIoVec, process_vm_readv},
        wait::waitpid,
    },
    unistd::Pid,
};

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments[0] == "confined" {
        arguments.remove(0);
        confine();
    }
    let number = |index: usize| arguments[index].parse::<usize>().unwrap();
    let pid = Pid::from_raw(i32::try_from(number(1)).unwrap());
    let (address, length) = (number(2), number(3));
    let read = match arguments[0].as_str() {
        "file" => through_file(pid, address, length),
        "call" => through_call(pid, address, length),
        "peek" => through_peeking(pid, address, length),
        "inject" => through_injection(pid, address, length),
        other => panic!("unknown way: {other}"),
    };
    match read {
        Ok(bytes) => {
            println!("{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("refused: {error}");
            ExitCode::FAILURE
        }
    }
}

/// As every process beside the provider should be: Landlock, with the right to read everything there is.
fn confine() {
    let wanted = Wanted {
        files: Wish::Apply(FileRules {
            read: vec!["/".into()],
            ..FileRules::default()
        }),
        system_calls: Wish::Leave("the attack is to reach the kernel"),
        locked_memory: Wish::Leave("not under test"),
    };
    assert_eq!(harden::apply(&wanted).failures().count(), 0);
}

fn through_file(pid: Pid, address: usize, length: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    File::open(format!("/proc/{pid}/mem"))?.read_exact_at(&mut bytes, address as u64)?;
    Ok(bytes)
}

fn through_call(pid: Pid, address: usize, length: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let remote = [RemoteIoVec {
        base: address,
        len: length,
    }];
    let read = process_vm_readv(pid, &mut [IoSliceMut::new(&mut bytes)], &remote)?;
    bytes.truncate(read);
    Ok(bytes)
}

fn through_peeking(pid: Pid, address: usize, length: usize) -> std::io::Result<Vec<u8>> {
    ptrace::attach(pid)?;
    waitpid(pid, None)?;
    let words = (address..address + length)
        .step_by(size_of::<i64>())
        .map(|at| ptrace::read(pid, std::ptr::without_provenance_mut(at)))
        .collect::<nix::Result<Vec<_>>>();
    ptrace::detach(pid, None)?;
    Ok(words?.into_iter().flat_map(i64::to_ne_bytes).collect())
}

/// Makes the process, which waits inside a system call, write its memory to its own stdout.
#[cfg(target_arch = "x86_64")]
fn through_injection(pid: Pid, address: usize, length: usize) -> std::io::Result<Vec<u8>> {
    const INSTRUCTION_BYTES: u64 = 2; // `syscall`
    ptrace::attach(pid)?;
    waitpid(pid, None)?;
    let before = ptrace::getregs(pid)?;
    let mut registers = before;
    registers.rip -= INSTRUCTION_BYTES;
    registers.rax = libc::SYS_write.unsigned_abs();
    registers.orig_rax = u64::MAX; // do not restart what it waited in
    registers.rdi = 1;
    registers.rsi = address as u64;
    registers.rdx = length as u64;
    ptrace::setregs(pid, registers)?;
    ptrace::step(pid, None)?;
    waitpid(pid, None)?;
    let written = ptrace::getregs(pid)?.rax;
    ptrace::setregs(pid, before)?;
    ptrace::detach(pid, None)?;
    if usize::try_from(written) == Ok(length) {
        Ok(Vec::new())
    } else {
        Err(std::io::Error::other(format!(
            "the injected call answered {written:#x}"
        )))
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn through_injection(_: Pid, _: usize, _: usize) -> std::io::Result<Vec<u8>> {
    Err(std::io::ErrorKind::Unsupported.into())
}
