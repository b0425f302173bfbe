//! One sandbox and one runtime for all tests of a file: connections must not outlive the runtime they were made on.
#![allow(clippy::unwrap_used, dead_code)]

use std::sync::OnceLock;

use sandbox::{RunningSandbox, Sandbox, SandboxOptions};
use tokio::runtime::Runtime;

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

/// Runs a test.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    runtime().block_on(test)
}

/// The sandbox of this file, on free ports.
pub fn sandbox() -> &'static RunningSandbox {
    static SANDBOX: OnceLock<RunningSandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| {
        std::thread::spawn(|| run(Sandbox::start(options())).unwrap())
            .join()
            .unwrap()
    })
}

/// Options of a sandbox for tests.
pub fn options() -> SandboxOptions {
    SandboxOptions {
        port_base: 0,
        ..SandboxOptions::default()
    }
}
