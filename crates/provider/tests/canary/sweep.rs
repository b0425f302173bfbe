//! Everything an operator can lay hands on beside the provider's own memory, medium by medium.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::machine;
use crate::search::{Encoding, Search};

/// What was found, by medium; a medium in which nothing was found does not stand here.
pub type Found = BTreeMap<String, Vec<(String, Encoding)>>;

/// How much was looked at, by medium: a search that looked at nothing would find nothing.
pub type Searched = BTreeMap<String, u64>;

/// One look at a machine.
pub struct Sweep<'a> {
    search: &'a Search,
    pub found: Found,
    pub searched: Searched,
}

impl<'a> Sweep<'a> {
    /// Every file on the machine that somebody has written, and every process but this one, which knows everything, and the provider, whose memory
    /// is what hardening and a trusted execution environment are for.
    pub fn of_machine(search: &'a Search, provider: Option<u32>) -> Self {
        let mut sweep = Self {
            search,
            found: Found::new(),
            searched: Searched::new(),
        };
        for (medium, path) in [
            ("database", machine::DATABASE),
            ("freshness register", machine::FRESHNESS),
            ("log and crash output", machine::LOG),
            ("traffic", machine::TRAFFIC),
            ("core file", machine::WORK),
        ] {
            sweep.files(medium, Path::new(path));
        }
        let ordered = [
            machine::PROGRAMS,
            machine::OPERATOR,
            machine::DATABASE,
            machine::FRESHNESS,
            machine::LOG,
            machine::TRAFFIC,
            machine::WORK,
        ];
        for directory in ["/tmp", "/var/tmp", "/dev/shm"] {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if !ordered.iter().any(|known| path == Path::new(known)) {
                    sweep.files("left behind", &path);
                }
            }
        }
        for process in processes() {
            for what in ["environ", "cmdline"] {
                let path = PathBuf::from(format!("/proc/{process}/{what}"));
                sweep.files("environment and arguments", &path);
            }
            if Some(process) != provider {
                let (found, bytes) = search.memory(process);
                sweep.note(&format!("memory of {}", name(process)), found, bytes);
            }
        }
        sweep
    }

    fn files(&mut self, medium: &str, path: &Path) {
        let (found, bytes) = (self.search.files(path), size(path));
        self.note(medium, found, bytes);
    }

    fn note(&mut self, medium: &str, found: Vec<(String, Encoding)>, bytes: u64) {
        *self.searched.entry(medium.to_owned()).or_default() += bytes;
        if !found.is_empty() {
            self.found.entry(medium.to_owned()).or_default().extend(found);
        }
    }
}

/// Every process of the machine but this one.
fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap();
    let ids = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    // One that has ended and waits to be asked about has no memory.
    let alive = |id: &u32| fs::read_link(format!("/proc/{id}/exe")).is_ok();
    ids.filter(|id| *id != std::process::id()).filter(alive).collect()
}

fn name(process: u32) -> String {
    let arguments = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
    let named = arguments.split(|byte| *byte == 0).find_map(|entry| {
        let entry = String::from_utf8_lossy(entry);
        Some(entry.strip_prefix(&format!("{ROLE}="))?.to_owned())
    });
    named.unwrap_or_else(|| "a process nobody has ordered".to_owned())
}

/// In a neighbour's environment: what it is.
pub const ROLE: &str = "CANARY_TEST_ROLE";

fn size(path: &Path) -> u64 {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        return entries.map(|entry| size(&entry.unwrap().path())).sum();
    }
    // Files of /proc have no size until they are read.
    match fs::metadata(path).map(|metadata| metadata.len()) {
        Ok(0) => fs::read(path).map_or(0, |bytes| bytes.len() as u64),
        Ok(length) => length,
        Err(_) => 0,
    }
}
