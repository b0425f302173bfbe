//! What a measured boot will measure, computed beforehand from the files it starts.
//!
//! For one kind of machine: QEMU's q35 with OVMF, Secure Boot off, kernel and initial file system handed over directly,
//! Linux with its EFI stub. Registers 1 to 7 and 9 follow from the files and the machine's description alone. Register 0
//! does not: what is measured of the firmware's first volume is not what its file holds.
//!
//! **Trusted for:** the numbers a manifest may list without having booted anything. **Does not:** fetch or judge files.
//! Sources: TCG PC Client Platform Firmware Profile 1.06 §§2.3, 3.3, 10; UEFI 2.10 §3.1, §32.5; Linux `boot.rst`; QEMU
//! `hw/i386/x86.c`; Windows Authenticode Portable Executable Signature Format 1.0.

mod executable;
mod kernel;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};

use crate::verify::BootComponent;

/// Largest kernel.
pub const MAX_KERNEL_BYTES: usize = 64 * 1024 * 1024;
/// Largest initial file system.
pub const MAX_INITRD_BYTES: usize = 512 * 1024 * 1024;
/// Longest command line: what x86 kernels take.
pub const MAX_COMMAND_LINE_BYTES: usize = 2047;

/// The machine to be: what is started on it, and how much memory it has, which decides where the initial file system lies.
#[derive(Clone, Copy)]
pub struct PlannedBoot<'a> {
    /// A Linux kernel with EFI stub (`bzImage`).
    pub kernel: &'a [u8],
    /// The initial file system.
    pub initrd: &'a [u8],
    /// The kernel's command line as it is handed to QEMU.
    pub command_line: &'a str,
    /// The machine's memory in bytes; below 2 GiB, so that all of it lies under the devices.
    pub memory_bytes: u32,
}

/// Why nothing can be said beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PredictionError {
    /// Not a kernel of the newer boot protocol that is loaded high.
    #[error("not a Linux kernel of boot protocol 2.12 or newer: {0}")]
    Kernel(&'static str),
    /// Its EFI part does not hold together.
    #[error("the kernel is no EFI application: {0}")]
    Executable(&'static str),
    /// Above a limit.
    #[error("the {0} is above its limit")]
    Limit(&'static str),
    /// The memory is too small for the files, or 2 GiB or more.
    #[error("the machine's memory does not fit")]
    Memory,
}

impl PredictionError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Kernel(_) => "prediction.kernel",
            Self::Executable(_) => "prediction.executable",
            Self::Limit(_) => "prediction.limit",
            Self::Memory => "prediction.memory",
        }
    }
}

/// What will be measured into registers 1 to 7 and 9, in the order of each register.
///
/// # Errors
/// [`PredictionError`].
pub fn predict(boot: &PlannedBoot<'_>) -> Result<Vec<BootComponent>, PredictionError> {
    for (name, length, limit) in [
        ("kernel", boot.kernel.len(), MAX_KERNEL_BYTES),
        ("initial file system", boot.initrd.len(), MAX_INITRD_BYTES),
        ("command line", boot.command_line.len(), MAX_COMMAND_LINE_BYTES),
    ] {
        if length > limit {
            return Err(PredictionError::Limit(name));
        }
    }
    let kernel = kernel::as_loaded(boot)?;
    let mut components = Vec::new();
    let mut measured = |register, name: &str, digest| {
        components.push(BootComponent {
            register,
            name: name.to_owned(),
            digest,
        });
    };
    for (name, vendor) in SECURE_BOOT {
        // Secure Boot is off and no keys are enrolled: `SecureBoot` is 0, the others do not exist.
        let data: &[u8] = if name == "SecureBoot" { &[0] } else { &[] };
        measured(7, name, sha256(&variable_data(&vendor, name, data)));
    }
    measured(7, "separator", sha256(&SEPARATOR));
    measured(4, "kernel", executable::authenticode(&kernel)?);
    measured(1, "BootOrder", sha256(&[0, 0]));
    measured(1, "Boot0000", sha256(&firmware_menu()));
    measured(4, CALLING, sha256(CALLING.as_bytes()));
    for register in 1..=6 {
        measured(register, "separator", sha256(&SEPARATOR));
    }
    // The stub is told where the initial file system is; UTF-16 with its terminator.
    let options = utf16(&format!("{} initrd=initrd\0", boot.command_line));
    measured(9, "LOADED_IMAGE::LoadOptions", sha256(&options));
    measured(9, "Linux initrd", sha256(boot.initrd));
    for action in EXITING {
        measured(5, action, sha256(action.as_bytes()));
    }
    Ok(components)
}

/// The registers these components lead to.
#[must_use]
pub fn registers(components: &[BootComponent]) -> BTreeMap<u8, [u8; 32]> {
    let mut registers = BTreeMap::new();
    for component in components {
        let value = registers.entry(component.register).or_insert([0; 32]);
        *value = sha256(&[*value, component.digest].concat());
    }
    registers
}

const SEPARATOR: [u8; 4] = [0; 4];
const CALLING: &str = "Calling EFI Application from Boot Option";
const EXITING: [&str; 2] = [
    "Exit Boot Services Invocation",
    "Exit Boot Services Returned with Success",
];

/// EFI_GLOBAL_VARIABLE, as bytes.
const GLOBAL: [u8; 16] = [
    0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c,
];
/// EFI_IMAGE_SECURITY_DATABASE_GUID.
const DATABASE: [u8; 16] = [
    0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f,
];
const SECURE_BOOT: [(&str, [u8; 16]); 5] = [
    ("SecureBoot", GLOBAL),
    ("PK", GLOBAL),
    ("KEK", GLOBAL),
    ("db", DATABASE),
    ("dbx", DATABASE),
];

/// UEFI_VARIABLE_DATA.
fn variable_data(vendor: &[u8; 16], name: &str, data: &[u8]) -> Vec<u8> {
    let units = name.encode_utf16().count() as u64;
    [
        vendor.as_slice(),
        &units.to_le_bytes(),
        &(data.len() as u64).to_le_bytes(),
        &utf16(name),
        data,
    ]
    .concat()
}

/// EFI_LOAD_OPTION of the only entry there is: OVMF's own menu, from its second volume.
fn firmware_menu() -> Vec<u8> {
    const VOLUME: [u8; 16] = [
        0xc9, 0xbd, 0xb8, 0x7c, 0xeb, 0xf8, 0x34, 0x4f, 0xaa, 0xea, 0x3e, 0xe4, 0xaf, 0x65, 0x16, 0xa1,
    ];
    const FILE: [u8; 16] = [
        0x21, 0xaa, 0x2c, 0x46, 0x14, 0x76, 0x03, 0x45, 0x83, 0x6e, 0x8a, 0xb6, 0xf4, 0x66, 0x23, 0x31,
    ];
    // Media device path, PIWG volume and file, 20 bytes each; the end.
    let path = [
        [4, 7, 20, 0].as_slice(),
        &VOLUME,
        &[4, 6, 20, 0],
        &FILE,
        &[0x7f, 0xff, 4, 0],
    ]
    .concat();
    // Active, hidden, an application.
    let attributes: u32 = 0x109;
    let length = u16::try_from(path.len()).unwrap_or(u16::MAX);
    [
        attributes.to_le_bytes().as_slice(),
        &length.to_le_bytes(),
        &utf16("UiApp\0"),
        &path,
    ]
    .concat()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut value = [0; 32];
    value.copy_from_slice(digest(&SHA256, bytes).as_ref());
    value
}
