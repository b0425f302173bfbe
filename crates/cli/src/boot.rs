//! `healthid boot`: the first and only process of a measured virtual machine.
//!
//! No shell and no init system: this process mounts what it reads, loads the listed kernel modules, raises the network,
//! hardens itself, and serves a sandbox. What was started is in the TPM's registers; a port hands out its quote over
//! whatever 64 bytes the caller sends. The sandbox listens on loopback only, so each of its ports is passed through, TLS
//! and all, as the router outside a provider does.

use std::{
    fs::File,
    io::{self, Read, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream},
    path::Path,
    thread,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use evidence::produce::{PlatformPaths, Producer, TpmEndpoint, TpmProducer};
use harden::{FileRules, SystemCallList, Wanted, Wish};
use rustix::{
    mount::{MountFlags, mount},
    system::{RebootCommand, finit_module, reboot},
};

mod network;

/// The sandbox's ports are in a row; the quote's follows them.
const SANDBOX_PORTS: u16 = 9;

/// QEMU's user network gives the guest this address.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
const PREFIX_BITS: u8 = 24;

/// One kernel module a line, in the order they are loaded.
const MODULE_LIST: &str = "/modules/order";

/// Run as the only process of a measured virtual machine (`script/measured-boot`): for no other use.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// First of the sandbox's ports; the quote is handed out at the tenth.
    #[arg(long, value_name = "PORT")]
    pub(crate) port_base: u16,
    /// What the firmware appends to the kernel's command line. Not looked at.
    #[arg(hide = true)]
    appended: Vec<String>,
}

/// Makes the machine ready. Nothing else runs in it, so whatever fails ends it.
pub(crate) fn prepare(options: &Options) {
    if let Err(error) = raise(options) {
        tell(&format!("boot failed: {error:#}"));
        let _ = reboot(RebootCommand::PowerOff);
    }
}

fn raise(options: &Options) -> Result<()> {
    if std::process::id() != 1 {
        bail!("only the first process of a machine boots it");
    }
    for (kind, place) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("tmpfs", "/tmp"),
        ("securityfs", "/sys/kernel/security"),
    ] {
        let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
        mount(kind, place, kind, flags, None).with_context(|| format!("mount {place}"))?;
    }
    let modules = std::fs::read_to_string(MODULE_LIST).context(MODULE_LIST)?;
    for name in modules.lines() {
        let file = File::open(Path::new("/modules").join(name)).with_context(|| name.to_owned())?;
        finit_module(file, c"", 0).with_context(|| name.to_owned())?;
    }
    network::raise("lo", None)?;
    network::raise("eth0", Some((ADDRESS, PREFIX_BITS)))?;
    harden()?;
    let paths = PlatformPaths::linux();
    let producer = TpmProducer::open(TpmEndpoint::Device(paths.tpm), &paths.event_log)?;
    let listen =
        |port: u16| TcpListener::bind(SocketAddrV4::new(ADDRESS, port)).with_context(|| format!("port {port}"));
    for port in options.port_base..options.port_base + SANDBOX_PORTS {
        let listener = listen(port)?;
        thread::spawn(move || pass_through(&listener, port));
    }
    let quotes = listen(options.port_base + SANDBOX_PORTS)?;
    thread::spawn(move || hand_out_quotes(&quotes, &producer));
    tell("booted");
    Ok(())
}

fn harden() -> Result<()> {
    let profile = harden::apply(&Wanted {
        files: Wish::Apply(FileRules {
            // The event log; its own program, which the sandbox measures.
            read: vec!["/sys/kernel/security".into(), "/init".into()],
            write: vec!["/tmp".into(), "/dev/tpmrm0".into()],
            name_resolution: true,
        }),
        system_calls: Wish::Apply(SystemCallList::provider()),
        locked_memory: Wish::Apply(()),
    });
    for (control, state) in profile.controls() {
        tell(&format!("hardening: {control}: {state:?}"));
    }
    match profile.failures().next() {
        None => Ok(()),
        Some((control, reason)) => bail!("{control}: {reason}"),
    }
}

/// Passes bytes from outside to the sandbox's port of the same number, and back.
fn pass_through(listener: &TcpListener, port: u16) {
    for outside in listener.incoming().flatten() {
        let Ok(inside) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
            continue;
        };
        for (from, to) in [(outside.try_clone(), inside.try_clone()), (Ok(inside), Ok(outside))] {
            if let (Ok(mut from), Ok(mut to)) = (from, to) {
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    }
}

/// 64 bytes in, evidence out.
fn hand_out_quotes(listener: &TcpListener, producer: &TpmProducer) {
    for mut caller in listener.incoming().flatten() {
        let mut report_data = [0; 64];
        if caller.read_exact(&mut report_data).is_err() {
            continue;
        }
        match producer.produce(&report_data) {
            Ok(evidence) => drop(caller.write_all(&evidence.to_bytes())),
            Err(error) => tell(&format!("no quote: {}", error.code())),
        }
    }
}

fn tell(line: &str) {
    // Nobody reads a broken console; there is nothing left to do then.
    let _ = writeln!(io::stderr(), "healthid boot: {line}");
}
