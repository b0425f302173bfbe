//! Figures as they are printed.

use std::time::Duration;

use anyhow::{Context, Result};

/// One side of a pair.
pub struct Measurement {
    /// Logins completed.
    pub logins: u64,
    /// What they cost the server, user and system time.
    pub server_cpu: Duration,
    /// How long it took.
    pub wall: Duration,
    /// Processors this load itself kept busy; near 1 it could not offer more.
    pub client_load: f64,
    /// Processors that worked for others meanwhile; about 0 on a quiet machine.
    pub foreign_load: f64,
}

impl Measurement {
    fn microseconds(&self) -> f64 {
        self.server_cpu.as_secs_f64() * 1e6 / self.logins.max(1) as f64
    }
}

/// All pairs of one line.
pub struct Ratio {
    pub name: &'static str,
    product: Vec<f64>,
    floor: Vec<f64>,
    ratios: Vec<f64>,
}

impl Ratio {
    /// No pairs yet.
    pub fn new(name: &'static str) -> Self {
        println!("{name}");
        Self {
            name,
            product: Vec::new(),
            floor: Vec::new(),
            ratios: Vec::new(),
        }
    }

    /// One more pair, printed at once.
    pub fn add(&mut self, pair: &[Measurement]) {
        let [product, floor] = pair else { return };
        let (a, b) = (product.microseconds(), floor.microseconds());
        println!(
            "  pair {}: product {a:6.0} us ({} logins, {:.0}/s), floor {b:6.0} us ({} logins, {:.0}/s), ratio {:.2}, client load {:.1} / {:.1}, foreign load {:.1} / {:.1}",
            self.ratios.len() + 1,
            product.logins,
            product.logins as f64 / product.wall.as_secs_f64(),
            floor.logins,
            floor.logins as f64 / floor.wall.as_secs_f64(),
            a / b,
            product.client_load,
            floor.client_load,
            product.foreign_load,
            floor.foreign_load,
        );
        self.product.push(a);
        self.floor.push(b);
        self.ratios.push(a / b);
    }

    /// The line's result.
    pub fn print(&self) {
        println!("  -> {}\n", self.text());
    }

    /// Median microseconds of the product.
    pub fn product(&self) -> f64 {
        median(&self.product)
    }

    fn text(&self) -> String {
        format!(
            "product {} us, floor {} us, product / floor {}",
            spread(&self.product, 0),
            spread(&self.floor, 0),
            spread(&self.ratios, 2)
        )
    }
}

/// `median [least to greatest]`
pub fn spread(values: &[f64], decimals: usize) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.first(), sorted.last()) {
        (Some(least), Some(greatest)) => {
            format!(
                "{:.decimals$} [{least:.decimals$} to {greatest:.decimals$}]",
                median(&sorted)
            )
        }
        _ => "-".to_owned(),
    }
}

/// Of sorted or unsorted values.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// What is measured and how.
pub fn heading(pairs: usize, seconds: f64, flows: usize, divided: bool) {
    let pinned = if divided {
        "server and client each on cores of their own"
    } else {
        "one core for server and client: expect noise"
    };
    println!("Server CPU (user and system, all threads) per complete login; {pinned}.");
    println!(
        "A login: PAR over mTLS, challenge, answer, consent, token over mTLS; durable commit (SQLite, WAL, FULL). {flows} under way at once,"
    );
    println!(
        "{pairs} pairs product / floor of {seconds} s a side. The floor does only what no login can avoid (crates/bench/src/floor.rs).\n"
    );
}

/// All lines once more, with the goal for one of them.
pub fn summary(ratios: &[Ratio], (name, goal): (&str, f64)) {
    println!("Summary, median [least to greatest] over pairs:");
    for ratio in ratios {
        println!("  {:<42} {}", ratio.name, ratio.text());
    }
    if let Some(ratio) = ratios.iter().find(|ratio| ratio.name == name) {
        let reached = median(&ratio.ratios);
        let word = if reached <= goal { "reached" } else { "MISSED" };
        println!(
            "  goal: product / floor at most {goal:.1} on kept-alive connections, commit included: {word} ({reached:.2})\n"
        );
    }
}

/// The whole machine's processor time at a moment.
pub struct Machine {
    busy: Duration,
    own: Duration,
    at: std::time::Instant,
}

impl Machine {
    /// Reads it.
    pub fn now() -> Result<Self> {
        Ok(Self {
            busy: busy()?,
            own: crate::process::own_cpu(),
            at: std::time::Instant::now(),
        })
    }

    /// How many processors worked for this process, and how many for neither it nor the server, since then.
    pub fn loads(&self, server: Duration) -> Result<(f64, f64)> {
        let own = crate::process::own_cpu() - self.own;
        let foreign = (busy()? - self.busy).saturating_sub(own + server);
        let wall = self.at.elapsed().as_secs_f64();
        Ok((own.as_secs_f64() / wall, foreign.as_secs_f64() / wall))
    }
}

/// Time all processors were not idle, in ticks of 10 ms.
fn busy() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("/proc/stat")?;
    let ticks = line
        .split_ascii_whitespace()
        .skip(1)
        .enumerate()
        // 3 is idle, 4 is waiting for input and output, 8 and 9 are counted elsewhere already.
        .filter(|(at, _)| !matches!(at, 3 | 4 | 8 | 9))
        .filter_map(|(_, value)| value.parse::<u64>().ok())
        .sum::<u64>();
    Ok(Duration::from_millis(ticks * 10))
}
