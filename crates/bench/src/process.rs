//! A server in a process of its own: started, asked what it has used, stopped.

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::LazyLock,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use rustix::{
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
    time::{ClockId, clock_gettime},
};
use sandbox::pki::KeyAndCertificate;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::watch};
use transport::{ClientCertificates, ServerTls, TlsIdentity};

use crate::{floor, product, world::World};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The provider as it is shipped.
    Product,
    /// Bare handlers that do only what a login cannot avoid.
    Floor,
}

/// Arguments of a server.
#[derive(Args)]
pub struct ServeArguments {
    kind: Kind,
    /// The world, as a file.
    #[arg(long)]
    world: PathBuf,
    /// The database.
    #[arg(long)]
    store: PathBuf,
    /// Whether the people have to be brought into the store first.
    #[arg(long)]
    import: bool,
}

/// What a server says once it accepts connections.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ready {
    /// For the person.
    pub public: SocketAddr,
    /// For the service.
    pub mtls: SocketAddr,
    /// Handles of the people's phones, where they are bound already.
    pub devices: Vec<String>,
    /// Keys that verify tokens, as a JWK set, where no statement says it.
    pub token_keys: serde_json::Value,
    /// Keys that verify the signed key set.
    pub entity_keys: serde_json::Value,
}

/// Both sockets of a server, bound, with their TLS.
pub struct Listeners {
    pub public: (TcpListener, ServerTls),
    pub mtls: (TcpListener, ServerTls),
    pub public_address: SocketAddr,
    pub mtls_address: SocketAddr,
}

impl Listeners {
    async fn bind(world: &World) -> Result<Self> {
        let KeyAndCertificate { key_pkcs8, certificate } =
            world
                .tls_authority()?
                .issue_server(&["localhost"], &[], world.made_at())?;
        let identity = TlsIdentity::new(&[certificate], &key_pkcs8)?;
        let public = TcpListener::bind("127.0.0.1:0").await?;
        let mtls = TcpListener::bind("127.0.0.1:0").await?;
        Ok(Self {
            public_address: public.local_addr()?,
            mtls_address: mtls.local_addr()?,
            public: (public, ServerTls::new(identity.clone(), ClientCertificates::None)?),
            mtls: (mtls, ServerTls::new(identity, ClientCertificates::RequestAny)?),
        })
    }
}

/// Runs a server until its standard input ends.
pub fn serve(arguments: &ServeArguments) -> Result<()> {
    let world = World::read(&arguments.world)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let listeners = Listeners::bind(&world).await?;
        let (stop, stopped) = watch::channel(());
        let (ready, serving) = match arguments.kind {
            Kind::Product => product::start(&world, &arguments.store, arguments.import, listeners, stopped).await?,
            Kind::Floor => floor::start(&world, &arguments.store, listeners, stopped).await?,
        };
        say(&serde_json::to_string(&ready)?)?;
        tokio::task::spawn_blocking(answer_questions).await??;
        drop(stop);
        serving.await?;
        Ok(())
    })
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Every line is the same question: CPU time used so far, in nanoseconds.
fn answer_questions() -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        line?;
        say(&own_cpu().as_nanos().to_string())?;
    }
    Ok(())
}

/// User and system time of this process, ended threads included.
pub fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// Cores of the two sides.
struct Cores {
    server: CpuSet,
    client: CpuSet,
}

/// The last core for the server, the others for the client; `None` with a single core. Found out once, before anybody is bound to any.
static CORES: LazyLock<Option<Cores>> = LazyLock::new(|| {
    let all = sched_getaffinity(None).ok()?;
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect();
    let (last, others) = cores.split_last().filter(|(_, others)| !others.is_empty())?;
    let (mut server, mut client) = (CpuSet::new(), CpuSet::new());
    server.set(*last);
    others.iter().for_each(|core| client.set(*core));
    Some(Cores { server, client })
});

/// Whether server and client run on cores of their own.
pub fn cores_are_divided() -> bool {
    CORES.is_some()
}

/// This program, or the profiler named in `BENCH_PROFILER` with this program as its argument, for the product only.
fn wrapped(kind: Kind) -> Result<Command> {
    let own = crate::own_path()?;
    match std::env::var("BENCH_PROFILER") {
        Ok(profiler) if kind == Kind::Product => {
            let mut words = profiler.split_ascii_whitespace();
            let mut command = Command::new(words.next().context("BENCH_PROFILER is empty")?);
            command.args(words).arg(own);
            Ok(command)
        }
        _ => Ok(Command::new(own)),
    }
}

/// A running server.
pub struct Server {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// What it said.
    pub ready: Ready,
}

impl Server {
    /// Starts a server and waits until it accepts connections.
    pub fn start(kind: Kind, world: &Path, store: &Path, import: bool) -> Result<Self> {
        let mut command = wrapped(kind)?;
        command
            .arg("serve")
            .arg(match kind {
                Kind::Product => "product",
                Kind::Floor => "floor",
            })
            .arg("--world")
            .arg(world)
            .arg("--store")
            .arg(store);
        if import {
            command.arg("--import");
        }
        if let Some(cores) = &*CORES {
            // The child inherits it; there is no way to set it between fork and exec without `unsafe`.
            sched_setaffinity(None, &cores.server)?;
        }
        // The log goes the way it goes in production, and is then thrown away.
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if std::env::var_os("BENCH_LOG").is_some() {
                Stdio::inherit()
            } else {
                Stdio::null()
            })
            .spawn();
        if let Some(cores) = &*CORES {
            sched_setaffinity(None, &cores.client)?;
        }
        let mut child = child?;
        let questions = child.stdin.take();
        let answers = child.stdout.take().context("standard output of the server")?;
        let mut server = Self {
            child,
            questions,
            answers: BufReader::new(answers),
            ready: Ready {
                public: SocketAddr::from(([127, 0, 0, 1], 0)),
                mtls: SocketAddr::from(([127, 0, 0, 1], 0)),
                devices: Vec::new(),
                token_keys: serde_json::Value::Null,
                entity_keys: serde_json::Value::Null,
            },
        };
        server.ready = serde_json::from_str(&server.line()?)?;
        Ok(server)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the server ended; run again with BENCH_LOG=1 to see why");
        }
        Ok(line)
    }

    /// CPU time it has used so far, user and system.
    pub fn cpu(&mut self) -> Result<Duration> {
        writeln!(self.questions.as_mut().context("the server is stopping")?)?;
        Ok(Duration::from_nanos(self.line()?.trim().parse()?))
    }

    /// Resident memory, in bytes.
    pub fn resident(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|value| value.trim().strip_suffix(" kB")?.parse().ok())
            .context("VmRSS")?;
        Ok(kib * 1024)
    }

    /// Ends it in an orderly way.
    pub fn stop(mut self) -> Result<()> {
        self.questions = None;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already waited for where it was stopped; then both fail and nothing is lost.
        self.questions = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
