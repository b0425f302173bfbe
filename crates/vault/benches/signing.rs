//! What one signature in a module costs, seen from the caller: SoftHSM 2, so this says what our side and the threads cost,
//! and nothing about an appliance.
//!
//! `SOFTHSM2_CONF=… cargo bench -p healthid-vault --bench signing -- MODULE TOKEN PIN`. Makes a key of its own and destroys it.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use vault::hsm::{Hsm, HsmAccess, KeyId, Pin};

const ROUNDS: u32 = 5_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [module, token, pin] = &words[..] else {
        println!("skipped: name the module, the token's label and its PIN");
        return;
    };
    let id = KeyId::of(vault::tenant_id("https://bench.example"), 2, "bench");
    for callers in [1_u32, 2, 8] {
        let hsm = Hsm::new(HsmAccess {
            module: module.into(),
            token_label: token.clone(),
            pin: Pin::parse(pin.as_bytes()).unwrap(),
            sessions: callers as usize,
            limit: Duration::from_secs(30),
        });
        hsm.generate_signing_key(id).unwrap();
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..callers {
                scope.spawn(|| (0..ROUNDS).for_each(|_| assert!(hsm.sign(id, b"message").is_ok())));
            }
        });
        let seconds = start.elapsed().as_secs_f64();
        let count = f64::from(callers * ROUNDS);
        println!(
            "{callers} callers, {callers} sessions: {:.0} signatures/s, {:.0} microseconds each for its caller",
            count / seconds,
            1e6 * seconds / f64::from(ROUNDS)
        );
        hsm.destroy_signing_key(id).unwrap();
    }
}
