//! configfs-tsm as the kernel offers it to TDX and SEV-SNP guests (attack 16).

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use evidence::{
    platform::Platform,
    produce::{CertificateSource, Producer, TsmProducer},
};
use fuser::Errno;

use crate::mount::{Attributes, Mounted, mount};

/// What the kernel does: a report is made when `outblob` is read, of the `inblob` written last.
#[derive(Clone)]
struct Kernel(Arc<Mutex<State>>);

struct State {
    provider: &'static str,
    quote_version: u8,
    floor: Option<&'static str>,
    auxiliary: Vec<u8>,
    takes_report_data: bool,
    /// Before each reading of `outblob`, in this order, until none is left.
    faults: VecDeque<Fault>,
    can_make: Result<(), Errno>,
    can_remove: Result<(), Errno>,
    requests: BTreeMap<String, (u32, Vec<u8>)>,
    made: usize,
}

#[derive(Clone, Copy)]
enum Fault {
    Nothing,
    /// Somebody else writes to the same directory in between: before `outblob` is read.
    OtherWriter,
    Answer(Errno),
    Length(usize),
}

impl Kernel {
    fn new(provider: &'static str) -> Self {
        Self(Arc::new(Mutex::new(State {
            provider,
            quote_version: 4,
            floor: (provider == "sev_guest\n").then_some("0\n"),
            auxiliary: b"a certificate table".to_vec(),
            takes_report_data: true,
            faults: VecDeque::new(),
            can_make: Ok(()),
            can_remove: Ok(()),
            requests: BTreeMap::new(),
            made: 0,
        })))
    }

    fn with(self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.0.lock().unwrap());
        self
    }

    fn faults(self, faults: &[Fault]) -> Self {
        self.with(|state| state.faults = faults.iter().copied().collect())
    }

    fn start(&self) -> Option<(Mounted, TsmProducer)> {
        let mounted = mount(self.clone())?;
        let producer = TsmProducer::open(mounted.path()).unwrap();
        // What opening needed does not count.
        self.0.lock().unwrap().made = 0;
        Some((mounted, producer))
    }

    fn made(&self) -> usize {
        self.0.lock().unwrap().made
    }

    fn nothing_is_left(&self) {
        assert_eq!(
            self.0.lock().unwrap().requests,
            BTreeMap::new(),
            "report directories are left behind"
        );
    }
}

fn tdx_quote(version: u8, report_data: &[u8]) -> Vec<u8> {
    let offset = if version == 5 { 574 } else { 568 };
    let mut quote = vec![0x5A; 5000];
    quote[..2].copy_from_slice(&[version, 0]);
    quote[offset..offset + 64].copy_from_slice(report_data);
    quote
}

fn snp_report(report_data: &[u8]) -> Vec<u8> {
    let mut report = vec![0x3C; 1184];
    report[0x50..0x90].copy_from_slice(report_data);
    report
}

impl Attributes for Kernel {
    fn has_directory(&self, directory: &str) -> bool {
        self.0.lock().unwrap().requests.contains_key(directory)
    }

    fn has_file(&self, directory: &str, file: &str) -> bool {
        let common = ["inblob", "outblob", "provider", "generation"].contains(&file);
        let state = self.0.lock().unwrap();
        let of_sev = ["auxblob", "privlevel", "privlevel_floor"].contains(&file);
        state.requests.contains_key(directory) && (common || of_sev && state.floor.is_some())
    }

    fn read(&self, directory: &str, file: &str) -> Result<Vec<u8>, Errno> {
        let mut state = self.0.lock().unwrap();
        let state = &mut *state;
        let (generation, blob) = state.requests.get_mut(directory).unwrap();
        match file {
            "provider" => Ok(state.provider.as_bytes().to_vec()),
            "generation" => Ok(format!("{generation}\n").into_bytes()),
            "privlevel_floor" => Ok(state.floor.unwrap().as_bytes().to_vec()),
            "auxblob" => Ok(state.auxiliary.clone()),
            "outblob" => {
                match state.faults.pop_front().unwrap_or(Fault::Nothing) {
                    Fault::Nothing => {}
                    Fault::OtherWriter => {
                        *generation += 1;
                        *blob = vec![0xEE; 64];
                    }
                    Fault::Answer(error) => return Err(error),
                    Fault::Length(length) => return Ok(vec![0; length]),
                }
                match state.provider {
                    "sev_guest\n" => Ok(snp_report(blob)),
                    _ => Ok(tdx_quote(state.quote_version, blob)),
                }
            }
            _ => Err(Errno::EACCES),
        }
    }

    fn write(&self, directory: &str, file: &str, bytes: &[u8]) {
        if file != "inblob" {
            return;
        }
        let mut state = self.0.lock().unwrap();
        if state.takes_report_data {
            let (generation, blob) = state.requests.get_mut(directory).unwrap();
            *generation += 1;
            *blob = bytes.to_vec();
        }
    }

    fn make(&self, directory: &str) -> Result<(), Errno> {
        let mut state = self.0.lock().unwrap();
        state.can_make?;
        state.made += 1;
        if state.requests.contains_key(directory) {
            return Err(Errno::EEXIST);
        }
        state.requests.insert(directory.to_owned(), (0, Vec::new()));
        Ok(())
    }

    fn remove(&self, directory: &str) -> Result<(), Errno> {
        let mut state = self.0.lock().unwrap();
        state.can_remove?;
        state.requests.remove(directory).map(drop).ok_or(Errno::ENOENT)
    }
}

#[test]
fn tdx_quotes_of_both_layouts_are_handed_out_for_the_report_data_asked_for() {
    for version in [4, 5] {
        let kernel = Kernel::new("tdx_guest\n").with(|state| state.quote_version = version);
        let Some((_mounted, producer)) = kernel.start() else {
            return;
        };
        assert_eq!(producer.platform(), Platform::Tdx);
        let evidence = producer.produce(&[3; 64]).unwrap();
        assert_eq!(evidence.report, tdx_quote(version, &[3; 64]));
        assert!(evidence.auxiliary.is_empty());
        assert_eq!(kernel.made(), 1, "one directory per request");
        kernel.nothing_is_left();
    }
}

#[test]
fn an_snp_report_comes_with_the_hosts_certificates() {
    let kernel = Kernel::new("sev_guest\n");
    let Some((_mounted, producer)) = kernel.start() else {
        return;
    };
    let evidence = producer.produce(&[4; 64]).unwrap();
    assert_eq!(evidence.platform, Platform::SevSnp);
    assert_eq!(evidence.report, snp_report(&[4; 64]));
    assert_eq!(evidence.auxiliary, b"a certificate table");
    kernel.nothing_is_left();
}

#[test]
fn threads_each_have_their_own_directory() {
    let kernel = Kernel::new("sev_guest\n");
    let Some((_mounted, producer)) = kernel.start() else {
        return;
    };
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let producer = &producer;
            scope.spawn(move || {
                for _ in 0..20 {
                    assert_eq!(
                        producer.produce(&[thread; 64]).unwrap().report,
                        snp_report(&[thread; 64])
                    );
                }
            });
        }
    });
    assert_eq!(kernel.made(), 80);
    kernel.nothing_is_left();
}

#[test]
fn an_absent_certificate_table_is_an_error_unless_somebody_else_brings_it() {
    let kernel = Kernel::new("sev_guest\n").with(|state| state.auxiliary.clear());
    let Some((_mounted, producer)) = kernel.start() else {
        return;
    };
    assert_eq!(
        producer.produce(&[1; 64]).unwrap_err().code(),
        "produce.no_certificates"
    );
    assert_eq!(kernel.made(), 1, "asking again would not help");
    kernel.nothing_is_left();
    let producer = producer.with_certificates_from(CertificateSource::Stapler);
    assert!(producer.produce(&[1; 64]).unwrap().auxiliary.is_empty());
}

#[test]
fn a_disturbed_or_busy_request_is_made_again_in_a_new_directory_and_only_so_often() {
    let busy = Fault::Answer(Errno::EBUSY);
    for (faults, expected, made) in [
        (&[Fault::OtherWriter][..], Ok(()), 2),
        (&[busy, Fault::OtherWriter, busy], Ok(()), 4),
        (&[Fault::OtherWriter; 4], Err("produce.conflict"), 4),
        (&[busy; 4], Err("produce.busy"), 4),
    ] {
        let kernel = Kernel::new("sev_guest\n").faults(faults);
        let Some((_mounted, producer)) = kernel.start() else {
            return;
        };
        let produced = producer.produce(&[5; 64]);
        if let Ok(evidence) = &produced {
            assert_eq!(evidence.report, snp_report(&[5; 64]));
        }
        assert_eq!(produced.map(drop).map_err(|error| error.code()), expected);
        assert_eq!(kernel.made(), made);
        kernel.nothing_is_left();
    }
}

#[test]
fn what_does_not_pass_is_not_tried_again() {
    for (fault, code) in [
        (Fault::Answer(Errno::EFBIG), "produce.too_long"),
        (Fault::Length(200_000), "produce.too_long"),
        (Fault::Length(0), "produce.too_short"),
        (Fault::Length(100), "produce.too_short"),
        (Fault::Length(1184), "produce.foreign_report_data"),
        (Fault::Answer(Errno::EIO), "produce.system"),
        (Fault::Answer(Errno::ETIMEDOUT), "produce.system"),
        (Fault::Answer(Errno::EINVAL), "produce.system"),
    ] {
        let kernel = Kernel::new("sev_guest\n").faults(&[fault]);
        let Some((_mounted, producer)) = kernel.start() else {
            return;
        };
        assert_eq!(producer.produce(&[5; 64]).unwrap_err().code(), code);
        assert_eq!(kernel.made(), 1, "{code}");
        kernel.nothing_is_left();
    }
}

#[test]
fn report_data_that_were_not_taken_show_in_the_generation() {
    let kernel = Kernel::new("tdx_guest\n").with(|state| state.takes_report_data = false);
    let Some((_mounted, producer)) = kernel.start() else {
        return;
    };
    assert_eq!(
        producer.produce(&[5; 64]).unwrap_err().code(),
        "produce.report_data_not_taken"
    );
    kernel.nothing_is_left();
}

#[test]
fn drivers_and_levels_we_do_not_know_are_refused_at_start() {
    for (kernel, code) in [
        (Kernel::new("arm_cca_guest\n"), "produce.unknown_provider"),
        (Kernel::new("\n"), "produce.unknown_provider"),
        (Kernel::new("tdx_guest2\n"), "produce.unknown_provider"),
        (
            Kernel::new("sev_guest\n").with(|state| state.floor = Some("1\n")),
            "produce.privilege_level",
        ),
        (
            Kernel::new("sev_guest\n").with(|state| state.floor = Some("x\n")),
            "produce.system",
        ),
        (
            Kernel::new("sev_guest\n").with(|state| state.can_make = Err(Errno::ENXIO)),
            "produce.no_provider",
        ),
        (
            Kernel::new("sev_guest\n").with(|state| state.can_make = Err(Errno::EACCES)),
            "produce.system",
        ),
    ] {
        let Some(mounted) = mount(kernel.clone()) else { return };
        let error = TsmProducer::open(mounted.path()).unwrap_err();
        assert_eq!(error.code(), code);
        kernel.nothing_is_left();
    }
}

#[test]
fn a_driver_that_changes_while_we_run_is_refused() {
    let kernel = Kernel::new("tdx_guest\n");
    let Some((_mounted, producer)) = kernel.start() else {
        return;
    };
    let kernel = kernel.with(|state| state.provider = "sev_guest\n");
    assert_eq!(
        producer.produce(&[1; 64]).unwrap_err().code(),
        "produce.unknown_provider"
    );
    kernel.nothing_is_left();
}

#[test]
fn leftovers_of_a_process_that_died_are_stepped_over() {
    let kernel = Kernel::new("tdx_guest\n");
    let Some((_mounted, producer)) = kernel.start() else {
        return;
    };
    producer.produce(&[1; 64]).unwrap();
    // The numbers after ours, taken by somebody with our process number.
    let process = std::process::id();
    let kernel = kernel.with(|state| {
        for number in 0..2000 {
            if number % 40 != 0 {
                state
                    .requests
                    .insert(format!("healthid-{process}-{number}"), (7, vec![1; 64]));
            }
        }
    });
    assert_eq!(producer.produce(&[2; 64]).unwrap().report, tdx_quote(4, &[2; 64]));
    assert!(kernel.made() > 1);
}

#[test]
fn a_directory_that_cannot_be_removed_is_an_error_and_no_evidence() {
    let kernel = Kernel::new("tdx_guest\n");
    let Some((_mounted, producer)) = kernel.start() else {
        return;
    };
    let kernel = kernel.with(|state| state.can_remove = Err(Errno::EBUSY));
    assert_eq!(producer.produce(&[1; 64]).unwrap_err().code(), "produce.system");
    assert_eq!(kernel.made(), 1, "not once more: each attempt would leave one behind");
}
