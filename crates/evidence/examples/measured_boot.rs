//! The parts of `script/measured-boot` that are not starting programs: the image, the TPM's certificate, the verdict.
//!
//! `measured_boot image OUT LISTING`: a reproducible cpio archive of the lines `mode path source`.
//! `measured_boot certify SOCKET DIRECTORY`: what a TPM's maker does: certifies its attestation key.
//! `measured_boot predict KERNEL INITRD COMMAND_LINE MEGABYTES`: prints the registers as they will be, from the files alone.
//! `measured_boot verify DIRECTORY PORT KERNEL INITRD COMMAND_LINE MEGABYTES FIRMWARE`: asks the machine for a quote and
//! compares it with the predicted boot. Register 0, which cannot be predicted, is kept in the file FIRMWARE at the first boot.
//! Exit 1: refused.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, missing_docs)]

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use evidence::{
    platform::{Evidence, Measurement, TpmAuxiliary},
    prediction::{PlannedBoot, predict, registers},
    produce::{TpmEndpoint, TpmProducer},
    verify::{BootComponent, BootDifference, PlatformPolicy, Roots, VerificationTime, boot_differences, verify},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["image", out, listing] => image(out, listing),
        ["certify", socket, directory] => certify(socket, Path::new(directory)),
        ["predict", kernel, initrd, command_line, memory] => show(kernel, initrd, command_line, memory),
        [
            "verify",
            directory,
            port,
            kernel,
            initrd,
            command_line,
            memory,
            firmware,
        ] => {
            return judge(&Boot {
                directory,
                port,
                kernel,
                initrd,
                command_line,
                memory,
                firmware,
            });
        }
        _ => panic!("unknown arguments {arguments:?}"),
    }
    ExitCode::SUCCESS
}

/// "newc" (Linux, `Documentation/driver-api/early-userspace/buffer-format.rst`): no time, no owner, no machine in it.
fn image(out: &str, listing: &str) {
    let listing = fs::read_to_string(listing).unwrap();
    let mut archive = Vec::new();
    let mut directories = BTreeSet::new();
    let mut number = 0;
    for line in listing.lines() {
        let mut words = line.split(' ');
        let (mode, path, source) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        for parent in Path::new(path)
            .ancestors()
            .skip(1)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            let parent = parent.to_str().unwrap();
            if !parent.is_empty() && directories.insert(parent.to_owned()) {
                number += 1;
                entry(&mut archive, number, 0o040_755, parent, &[]);
            }
        }
        number += 1;
        let mode = u32::from_str_radix(mode, 8).unwrap();
        if mode & 0o170_000 == 0o040_000 {
            directories.insert(path.to_owned());
            entry(&mut archive, number, mode, path, &[]);
        } else {
            entry(&mut archive, number, mode, path, &fs::read(source).unwrap());
        }
    }
    entry(&mut archive, 0, 0, "TRAILER!!!", &[]);
    fs::write(out, archive).unwrap();
}

fn entry(archive: &mut Vec<u8>, number: u32, mode: u32, path: &str, content: &[u8]) {
    let links = u32::from(mode != 0);
    let lengths = [
        u32::try_from(content.len()).unwrap(),
        0,
        0,
        0,
        0,
        u32::try_from(path.len() + 1).unwrap(),
        0,
    ];
    archive.extend(b"070701");
    for field in [number, mode, 0, 0, links, 0].into_iter().chain(lengths) {
        archive.extend(format!("{field:08x}").bytes());
    }
    archive.extend(path.bytes().chain([0]));
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend(content);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

/// A key somebody else holds.
struct Held([u8; 65]);

impl PublicKeyData for Held {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

fn certify(socket: &str, directory: &Path) {
    let producer = TpmProducer::open(TpmEndpoint::Socket(socket.into()), Path::new("/nonexistent")).unwrap();
    let key = Held(producer.attestation_key().unwrap());
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new([]).unwrap();
    authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Emulated TPMs TEST-ONLY");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).unwrap();
    let mut subject = CertificateParams::new([]).unwrap();
    subject
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Attestation key TEST-ONLY");
    let certificate = subject.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
    fs::write(directory.join("root.der"), root.der()).unwrap();
    fs::write(directory.join("key.der"), certificate.der()).unwrap();
}

struct Boot<'a> {
    directory: &'a str,
    port: &'a str,
    kernel: &'a str,
    initrd: &'a str,
    command_line: &'a str,
    /// In MiB.
    memory: &'a str,
    firmware: &'a str,
}

fn show(kernel: &str, initrd: &str, command_line: &str, memory: &str) {
    let planned = PlannedBoot {
        kernel: &fs::read(kernel).unwrap(),
        initrd: &fs::read(initrd).unwrap(),
        command_line,
        memory_bytes: memory.parse::<u32>().unwrap() << 20,
    };
    let components = predict(&planned).unwrap();
    print!("{}", written(&components));
    for (register, value) in registers(&components) {
        println!("register {register} {}", hex(&value));
    }
}

fn judge(boot: &Boot<'_>) -> ExitCode {
    let mut report_data = [0; 64];
    fs::File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut report_data)
        .unwrap();
    let mut evidence = ask(boot.port, &report_data);
    // Certificates are stapled outside, by whoever hands evidence on: they prove themselves.
    let mut auxiliary = TpmAuxiliary::parse(&evidence.auxiliary).unwrap();
    auxiliary.certificates = vec![fs::read(Path::new(boot.directory).join("key.der")).unwrap()];
    evidence.auxiliary = auxiliary.to_bytes();

    let roots = Roots::vendors().with_tpm_root(fs::read(Path::new(boot.directory).join("root.der")).unwrap());
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let clock = VerificationTime::at(jose::UnixTime(now));
    let verified = match verify(&evidence, &roots, &PlatformPolicy::default(), clock) {
        Ok(verified) => verified,
        Err(error) => {
            println!("refused: {}: {error}", error.code());
            return ExitCode::FAILURE;
        }
    };
    if verified.report_data() != &report_data {
        println!("refused: the quote is for other report data");
        return ExitCode::FAILURE;
    }
    println!(
        "quote verified: {} events replayed to the quoted registers",
        verified.boot_components().len()
    );
    let found = verified.boot_components();
    let planned = PlannedBoot {
        kernel: &fs::read(boot.kernel).unwrap(),
        initrd: &fs::read(boot.initrd).unwrap(),
        command_line: boot.command_line,
        memory_bytes: boot.memory.parse::<u32>().unwrap() << 20,
    };
    let mut expected = predict(&planned).unwrap();
    let Measurement::Tpm { pcrs } = verified.measurement() else {
        panic!("not a TPM")
    };
    for (register, value) in registers(&expected) {
        println!(
            "register {register} predicted {} quoted {}",
            hex(&value),
            hex(&pcrs[&register])
        );
    }
    // The firmware's own volumes: as they were at the first boot, which said nothing else that is not predicted.
    let firmware = |component: &&BootComponent| component.register == 0;
    let known = fs::read_to_string(boot.firmware);
    match &known {
        Ok(text) => expected.extend(parse(text)),
        Err(_) => expected.extend(found.iter().filter(firmware).cloned()),
    }
    let verdict = compare(&expected, found);
    if known.is_err() && verdict == ExitCode::SUCCESS {
        let own: Vec<BootComponent> = found.iter().filter(firmware).cloned().collect();
        println!("register 0 is taken from this boot from now on");
        fs::write(boot.firmware, written(&own)).unwrap();
    }
    verdict
}

fn ask(port: &str, report_data: &[u8; 64]) -> Evidence {
    // The host's end of the forwarded port accepts before the machine has booted, and closes again.
    for _ in 0..240 {
        let answer = TcpStream::connect(format!("127.0.0.1:{port}")).and_then(|mut stream| {
            stream.write_all(report_data)?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(answer)
        });
        if let Ok(answer) = answer
            && let Ok(evidence) = Evidence::parse(&answer)
        {
            return evidence;
        }
        std::thread::sleep(Duration::from_millis(1000));
    }
    panic!("the machine handed out no evidence within four minutes");
}

fn compare(expected: &[BootComponent], found: &[BootComponent]) -> ExitCode {
    let differences = boot_differences(expected, found);
    for difference in &differences {
        match difference {
            BootDifference::Changed { expected, found } => println!(
                "refused: register {}: {} is {}, expected {}",
                found.register,
                found.name,
                hex(&found.digest),
                hex(&expected.digest)
            ),
            BootDifference::Missing(component) => {
                println!(
                    "refused: register {}: {} was not started",
                    component.register, component.name
                );
            }
            BootDifference::Unexpected(component) => {
                println!(
                    "refused: register {}: {} was not expected",
                    component.register, component.name
                );
            }
        }
    }
    if differences.is_empty() {
        println!("the boot is the expected one");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn written(components: &[BootComponent]) -> String {
    components
        .iter()
        .map(|component| format!("{} {} {}\n", component.register, hex(&component.digest), component.name))
        .collect()
}

fn parse(text: &str) -> Vec<BootComponent> {
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let register = words.next().unwrap().parse().unwrap();
        let digits = words.next().unwrap();
        let bytes: Vec<u8> = (0..32)
            .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        BootComponent {
            register,
            digest: bytes.try_into().unwrap(),
            name: words.next().unwrap_or("").to_owned(),
        }
    };
    text.lines().map(line).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
