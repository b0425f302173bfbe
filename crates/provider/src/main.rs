//! `healthid-provider`: the sectoral identity provider as one binary.

use std::{
    fs::DirBuilder, io::Write, os::unix::fs::DirBuilderExt, path::PathBuf, process::ExitCode, sync::Arc, time::Duration,
};

use axum::http::{HeaderValue, header};
use clap::{Parser, Subcommand, ValueEnum};
use evidence::{
    platform::Platform,
    profile::{Control, ControlState, HardeningProfile, Reason},
};
use jose::jwk::{Jwk, JwkSet, KeyUse};
use provider::{
    Provider, RolloverStep, Rotation,
    certificates::Watch,
    clock::SystemClock,
    config::{Config, Loaded, Lock, Work},
    instance::Instance,
};
use tokio::{net::TcpListener, sync::watch};
use tower_http::set_header::SetResponseHeaderLayer;
use transport::{Server, ServerTls};
use vault::{
    KeyRole,
    hsm::Library,
    secret_memory::{Protection, protection},
};
use zeroizing_alloc::ZeroAlloc;

/// What is freed is wiped: a person's data that a library has copied into a buffer of its own does not outlive it.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

mod attested;
mod import;
mod root;

/// How often expired records give back their space.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(300);
/// How often the transparency feed is read.
const WATCH_INTERVAL: Duration = Duration::from_secs(3_600);
/// How often counters of devices are written into the freshness register: an older database can hide a copied device for that long.
const FRESHNESS_INTERVAL: Duration = Duration::from_secs(30);

/// The sectoral identity provider of GesundheitsID.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// The configuration file (docs/operations/provider.toml documents every key).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Do all that serving does before it listens, then stop.
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    task: Option<Task>,
}

/// Work on the store while the service is stopped: the embedded store belongs to one process.
#[derive(Subcommand)]
enum Task {
    /// Print a tenant's public entity keys as a JWK set, for registration with the Federation Master.
    EntityKeys {
        /// Its issuer.
        issuer: String,
    },
    /// Take in the insurer's people: one JSON object a line. Under a known number she stays the same person.
    ///
    /// Members: kvnr, ik, given_name, family_name, display_name, birthdate (YYYY-MM-DD, YYYY-MM or YYYY), geschlecht (M, W, X, D), email, card_valid_until
    /// (last day of her health card, YYYY-MM-DD); the last seven may be left out. Stops at the first line that is not acceptable; what was taken in before stays.
    ImportPeople {
        /// The tenant's issuer.
        issuer: String,
        /// The file.
        file: PathBuf,
    },
    /// Delete people for good, with everything that is theirs: one health insurance number a line. An older database does not bring them back.
    DeletePeople {
        /// The tenant's issuer.
        issuer: String,
        /// The file.
        file: PathBuf,
    },
    /// Say that what the freshness register has lost is lost, and begin it anew. Until then nothing about the tenant's people is answered.
    ///
    /// Devices and consents that were taken back, and people who were deleted, may come back if the database is older than they are.
    ConfirmFreshness {
        /// The tenant's issuer.
        issuer: String,
    },
    /// Print the public half of the tenant's token key that waits for its certificate (C.FD.SIG), as a JWK and as PEM; make one where none waits.
    ///
    /// Have it certified, and name the certificate in `tenant.token_key`. The first one signs from then on; a further one is published, and signs
    /// after `roll-over ISSUER token switch`.
    TokenKey {
        /// The tenant's issuer.
        issuer: String,
    },
    /// Be a root instance: hold the namespace seed, and hand keys to instances that the manifest admits. Under the lock `quorum+hsm`.
    Root {
        /// Where the seed comes from.
        #[command(subcommand)]
        origin: root::Origin,
    },
    /// Move a tenant's records to the keys that `[generations]` puts in force. The service does so itself while it runs; this is for when it is stopped.
    /// Can be repeated, and goes on where it was interrupted.
    Rotate {
        /// The tenant's issuer.
        issuer: String,
        /// What to move.
        what: Rotation,
    },
    /// Move a tenant's keys of one role one step. Wait 24 hours between publishing an entity key and switching to it (A_24607).
    RollOver {
        /// The tenant's issuer.
        issuer: String,
        /// Which key.
        role: Role,
        /// Which step.
        step: Step,
    },
}

/// What a key signs.
#[derive(Clone, Copy, ValueEnum)]
enum Role {
    /// Entity statement and signed key set.
    Entity,
    /// ID tokens.
    Token,
    /// Challenges.
    Challenge,
}

/// A step of a rollover.
#[derive(Clone, Copy, ValueEnum)]
enum Step {
    /// Make the next key and publish it.
    Publish,
    /// Sign with it; the old one stays published.
    Switch,
    /// Take retired keys out of publication.
    Retire,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    provider::telemetry::begin();
    match start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Hardening comes first: it holds for threads started after it, and the runtime starts some. Only what it would forbid comes before.
fn start(arguments: &Arguments) -> Result<(), String> {
    let config = Config::read(&arguments.config).map_err(|error| error.to_string())?;
    // Mapping code is forbidden afterwards, so the module's library comes first and stays.
    let _library = before_hardening(&config)?;
    let hardening = harden(&config, arguments.task.as_ref())?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(run(arguments, &config, &hardening))
}

/// The library of the hardware security module, loaded and not yet initialised. An exchange directory that cannot be used is told here in its own
/// words: a rule for one that is not there would fail in others.
fn before_hardening(config: &Config) -> Result<Option<Library>, String> {
    match config.lock().map_err(|error| error.to_string())? {
        Lock::Development(_) => Ok(None),
        Lock::QuorumAndHsm { exchange, hsm } => {
            provider::provisioning::Folder::open(exchange).map_err(|error| format!("vault.exchange: {error}"))?;
            let library = Library::load(&hsm.module);
            let unusable = |error: vault::hsm::HsmError| {
                let (module, code) = (hsm.module.display(), error.code());
                format!("vault.hsm.module ({module}): {error} [{code}]")
            };
            library.map(Some).map_err(unusable)
        }
    }
}

/// Every control that is wanted is in force, or the process does not start.
fn harden(config: &Config, task: Option<&Task>) -> Result<HardeningProfile, String> {
    let also_read = match task {
        Some(Task::ImportPeople { file, .. } | Task::DeletePeople { file, .. }) => vec![file.as_path()],
        Some(Task::Root {
            origin: root::Origin::Genesis { cards },
        }) => vec![cards.as_path()],
        _ => Vec::new(),
    };
    let work = match task {
        Some(Task::Root { .. }) => Work::Root,
        _ => Work::Serving,
    };
    // A rule can only name a directory that exists. Whatever is wrong with it, loading will say.
    let _ = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&config.freshness.directory);
    let profile = harden::apply(&config.hardening(work, &also_read)).with(Control::SecretMemory, secret_memory());
    let mut failed = Vec::new();
    for (control, state) in profile.controls() {
        match state {
            ControlState::Required => {}
            ControlState::NotApplicable(reason) => {
                tracing::warn!(event = "not_hardened", kind = control.name(), error = %reason, "not hardened");
            }
            ControlState::Failed(reason) => failed.push(format!("{control}: {reason}")),
        }
    }
    if failed.is_empty() {
        return Ok(profile);
    }
    Err(format!(
        "hardening failed ([hardening] turns a control off): {}",
        failed.join("; ")
    ))
}

/// Where the vault's keys will stand. Weaker memory is no reason not to start: old kernels and enclaves have no other.
fn secret_memory() -> ControlState {
    match protection() {
        Protection::MemfdSecret => ControlState::Required,
        weaker => ControlState::NotApplicable(Reason::new(&format!(
            "the kernel offers no memfd_secret; keys stand in ordinary memory, protected by: {}",
            weaker.name()
        ))),
    }
}

fn fail(reason: &str) -> ExitCode {
    // Nobody reads a broken stderr; there is nothing left to do then.
    let _ = writeln!(std::io::stderr(), "healthid-provider: {reason}");
    ExitCode::FAILURE
}

async fn run(arguments: &Arguments, config: &Config, hardening: &HardeningProfile) -> Result<(), String> {
    if let Some(Task::Root { origin }) = &arguments.task {
        return root::run(config, origin, arguments.check).await;
    }
    let prepared = config.prepare().map_err(|error| error.to_string())?;
    let instance = attested::open(config)?;
    if arguments.check && matches!(config.lock(), Ok(Lock::QuorumAndHsm { .. })) {
        return print(&attested::check_without_keys(config, instance.as_deref())?);
    }
    let vault = attested::vault(config, instance.as_deref()).await?;
    let mut loaded = prepared.with_vault(vault).await.map_err(|error| error.to_string())?;
    if !matches!(arguments.task, Some(Task::TokenKey { .. })) {
        loaded.take_token_keys().await.map_err(|error| error.to_string())?;
    }
    if let Some(task) = &arguments.task {
        return carry_out(task, &loaded.provider).await;
    }
    let unbelieved = loaded.provider.open_freshness().await;
    if arguments.check {
        if let Some((issuer, error)) = unbelieved.first() {
            return Err(format!("freshness of '{issuer}': {error}"));
        }
        let tenants = loaded.provider.tenants().len();
        return print(&format!("{}: valid, {tenants} tenant(s)", arguments.config.display()));
    }
    serve(config, loaded, instance, hardening).await
}

/// Both are needed: the lock keeps keys out of the operator's files, the platform keeps him out of the memory they are in.
fn excludes_operator(lock: &str, platform: Option<Platform>) -> bool {
    lock == "quorum+hsm" && platform.is_some_and(Platform::excludes_operator)
}

/// Says in the log what stands between the operator and the data. No line may leave that open.
fn announce(lock: &'static str, platform: Option<Platform>, role: &'static str) {
    let kind = platform.map_or("none", Platform::name);
    if excludes_operator(lock, platform) {
        tracing::warn!(
            event = "started",
            lock,
            kind,
            role,
            operator_excluded = true,
            "running; the operator is excluded as far as the platform holds"
        );
    } else {
        tracing::warn!(
            event = "started",
            lock,
            kind,
            role,
            operator_excluded = false,
            "running; with this lock and platform the operator is not excluded"
        );
    }
}

async fn carry_out(task: &Task, provider: &Provider) -> Result<(), String> {
    match task {
        Task::EntityKeys { issuer } => {
            let keys = provider.entity_keys(issuer).await.map_err(|error| error.to_string())?;
            print(&JwkSet::new(keys).to_value().to_string())
        }
        Task::ImportPeople { issuer, file } => {
            let count = import::people(provider, issuer, file).await?;
            print(&format!("{count} people taken in"))
        }
        Task::DeletePeople { issuer, file } => {
            let count = import::deletions(provider, issuer, file).await?;
            print(&format!("{count} people deleted"))
        }
        Task::ConfirmFreshness { issuer } => {
            let confirmed = provider.confirm_freshness(issuer).await;
            confirmed.map_err(|error| error.to_string())?;
            print("confirmed")
        }
        Task::TokenKey { issuer } => {
            let key = provider.token_key_to_certify(issuer).await;
            let key = key.map_err(|error| error.to_string())?;
            let pem = pem_of(&key.to_spki_der());
            let jwk = Jwk {
                kid: None,
                key_use: Some(KeyUse::Signature),
                alg: None,
                key,
                x5c: Vec::new(),
            };
            print(&format!("{}\n{pem}", jwk.to_value()))
        }
        // `run` has taken it before there was a provider.
        Task::Root { .. } => Ok(()),
        Task::Rotate { issuer, what } => {
            let rotated = provider.rotate(issuer, *what).await;
            print(&rotated.map_err(|error| error.to_string())?.to_string())
        }
        Task::RollOver { issuer, role, step } => {
            let role = match role {
                Role::Entity => KeyRole::EntityStatement,
                Role::Token => KeyRole::IdToken,
                Role::Challenge => KeyRole::Challenge,
            };
            let step = match step {
                Step::Publish => RolloverStep::Publish,
                Step::Switch => RolloverStep::Switch,
                Step::Retire => RolloverStep::Retire,
            };
            provider
                .roll_over(issuer, role, step)
                .await
                .map_err(|error| error.to_string())?;
            print("done")
        }
    }
}

/// A public key as tools of certification authorities read it (RFC 7468 §13).
fn pem_of(spki: &[u8]) -> String {
    // RFC 7468 wants the alphabet of RFC 4648 section 4 and padding.
    let mut base64 = jose::base64url::encode(spki).replace('-', "+").replace('_', "/");
    while !base64.len().is_multiple_of(4) {
        base64.push('=');
    }
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
        lines.join("\n")
    )
}

fn print(line: &str) -> Result<(), String> {
    writeln!(std::io::stdout(), "{line}").map_err(|error| error.to_string())
}

async fn serve(
    config: &Config,
    loaded: Loaded,
    instance: Option<Arc<Instance>>,
    hardening: &HardeningProfile,
) -> Result<(), String> {
    let Loaded {
        provider,
        public_tls,
        mtls_tls,
        watch,
        lock_name,
        tls_key_sha256,
        ..
    } = loaded;
    let platform = instance.as_ref().map(|instance| instance.platform());
    let evidence = match instance {
        Some(instance) => Some(attested::show(&provider, instance, lock_name, hardening, tls_key_sha256).await?),
        None => None,
    };
    let public = listen(config.listen.public, public_tls).await?;
    let public = public.with_timeout_answer(provider.timeout_answer());
    let mtls = listen(config.listen.mtls, mtls_tls).await?;
    let mtls = mtls.with_timeout_answer(provider.timeout_answer());
    announce(lock_name, platform, "serve");
    let (stop, stopped) = watch::channel(());
    let housekeeping = tokio::spawn(keep_house(provider.clone()));
    let rotating = tokio::spawn(provider::rotate_all(
        provider.clone(),
        config.generations.rotations(provider.generations()),
    ));
    let freshness = tokio::spawn(keep_fresh(provider.clone()));
    let watching = watch.map(|(watch, own)| tokio::spawn(keep_watch(watch, own)));
    let public_routes = provider.public_router().layer(https_only());
    let mtls_routes = provider.mtls_router().layer(https_only());
    let public = tokio::spawn(public.serve(public_routes, until(stopped.clone())));
    let mtls = tokio::spawn(mtls.serve(mtls_routes, until(stopped)));
    wait_for_signal().await;
    tracing::info!(event = "stopping", "finishing requests in work");
    drop(stop);
    let _ = tokio::join!(public, mtls);
    housekeeping.abort();
    rotating.abort();
    freshness.abort();
    for task in [watching, evidence].into_iter().flatten() {
        task.abort();
    }
    if let Err(error) = provider.before_stopping().await {
        tracing::error!(event = "freshness_not_written", detail = %error, "counters or open logins of the last moments are not written down");
    }
    Ok(())
}

/// RFC 6797: whoever has been here once never tries without TLS again.
fn https_only() -> SetResponseHeaderLayer<HeaderValue> {
    let value = HeaderValue::from_static("max-age=31536000");
    SetResponseHeaderLayer::overriding(header::STRICT_TRANSPORT_SECURITY, value)
}

async fn listen(address: std::net::SocketAddr, tls: ServerTls) -> Result<Server, String> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("listen {address}: {error}"))?;
    Server::https(listener, tls).map_err(|error| format!("listen {address}: {error}"))
}

/// Completes when the sender is gone.
async fn until(mut stopped: watch::Receiver<()>) {
    while stopped.changed().await.is_ok() {}
}

async fn keep_house(provider: Provider) {
    let provider = Arc::new(provider);
    loop {
        tokio::time::sleep(HOUSEKEEPING_INTERVAL).await;
        if let Err(error) = provider.drop_expired().await {
            tracing::error!(event = "housekeeping_failed", detail = %error, "expired records stay for now");
        }
    }
}

/// What is found is said in the log.
async fn keep_watch(watch: Watch, own: Vec<u8>) {
    loop {
        let _ = watch.look(&own, &SystemClock);
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

/// What fails is said in the log, and tried again.
async fn keep_fresh(provider: Provider) {
    loop {
        tokio::time::sleep(FRESHNESS_INTERVAL).await;
        let _ = provider.flush_freshness().await;
        provider.look_at_phones();
    }
}

/// Ctrl-C, or the polite signal of a service manager.
async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_both_locks_on_hardware_that_keeps_him_out_exclude_the_operator() {
        for platform in Platform::ALL {
            let is_hardware = matches!(platform, Platform::Sgx | Platform::Tdx | Platform::SevSnp);
            assert_eq!(
                excludes_operator("quorum+hsm", Some(platform)),
                is_hardware,
                "{platform}"
            );
            assert!(!excludes_operator("development", Some(platform)), "{platform}");
        }
        assert!(!excludes_operator("quorum+hsm", None));
        assert!(!excludes_operator("", Some(Platform::Sgx)));
    }
}
