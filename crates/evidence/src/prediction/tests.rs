//! That these numbers are what firmware and kernel measure is shown by `script/measured-boot`, with a TPM's quote. Here: what changes
//! what, and what is refused.

use proptest::prelude::*;

use super::{MAX_COMMAND_LINE_BYTES, PlannedBoot, PredictionError, predict, registers, sha256};
use crate::verify::{BootComponent, BootDifference, boot_differences};

const HEADER: usize = 0x400;
const SECTION: usize = 0x600;

/// The smallest thing that is a kernel and an EFI application: headers, one section, four bytes behind it, a signature.
fn kernel() -> Vec<u8> {
    let mut kernel = vec![0; SECTION + 0x100 + 4 + 8];
    let mut put = |at: usize, bytes: &[u8]| kernel[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3c, &0x280_u32.to_le_bytes());
    put(0x202, b"HdrS");
    put(0x206, &0x020f_u16.to_le_bytes());
    put(0x211, &[1]);
    put(0x236, &0x7f_u16.to_le_bytes());
    put(0x280, b"PE\0\0");
    put(0x286, &1_u16.to_le_bytes());
    put(0x294, &160_u16.to_le_bytes());
    put(0x298, &0x20b_u16.to_le_bytes());
    put(0x298 + 60, &u32::try_from(HEADER).unwrap().to_le_bytes());
    put(0x298 + 108, &6_u32.to_le_bytes());
    put(0x298 + 112 + 36, &8_u32.to_le_bytes());
    put(0x298 + 160 + 16, &0x100_u32.to_le_bytes());
    put(0x298 + 160 + 20, &u32::try_from(SECTION).unwrap().to_le_bytes());
    kernel
}

fn planned(kernel: &[u8]) -> PlannedBoot<'_> {
    PlannedBoot {
        kernel,
        initrd: b"files",
        command_line: "quiet -- boot",
        memory_bytes: 1536 << 20,
    }
}

fn predicted(kernel: &[u8]) -> Vec<BootComponent> {
    predict(&planned(kernel)).unwrap()
}

/// The names of what differs.
fn named(expected: &[BootComponent], found: &[BootComponent]) -> Vec<(u8, String)> {
    let differences = boot_differences(expected, found).into_iter();
    differences
        .map(|difference| match difference {
            BootDifference::Changed { found: component, .. }
            | BootDifference::Missing(component)
            | BootDifference::Unexpected(component) => (component.register, component.name.clone()),
        })
        .collect()
}

#[test]
fn every_register_but_the_firmwares_own_is_predicted() {
    let kernel = kernel();
    let registers = registers(&predicted(&kernel));
    assert!(registers.keys().copied().eq([1, 2, 3, 4, 5, 6, 7, 9]));
    // Nothing but the separator: TCG's profile 3.3.4.
    assert_eq!(registers[&2], sha256(&[[0; 32], sha256(&[0; 4])].concat()));
    assert_eq!((registers[&2], registers[&2]), (registers[&3], registers[&6]));
}

#[test]
fn one_changed_byte_is_named_by_what_it_was_in() {
    let kernel = kernel();
    let expected = predicted(&kernel);
    let boot = planned(&kernel);

    let initrd = predict(&PlannedBoot {
        initrd: b"filet",
        ..boot
    });
    assert_eq!(named(&expected, &initrd.unwrap()), [(9, "Linux initrd".to_owned())]);

    let words = predict(&PlannedBoot {
        command_line: "quiet -- boot.",
        ..boot
    });
    assert_eq!(
        named(&expected, &words.unwrap()),
        [(9, "LOADED_IMAGE::LoadOptions".to_owned())]
    );

    // In a header, in the section, behind it.
    for at in [0x10, 0x300, SECTION + 7, SECTION + 0x101] {
        let mut changed = kernel.clone();
        changed[at] ^= 1;
        assert_eq!(
            named(&expected, &predicted(&changed)),
            [(4, "kernel".to_owned())],
            "{at:#x}"
        );
    }
}

#[test]
fn where_the_files_come_to_lie_is_part_of_the_kernels_digest() {
    let kernel = kernel();
    let boot = planned(&kernel);
    let expected = predict(&boot).unwrap();
    let smaller = predict(&PlannedBoot {
        memory_bytes: 1024 << 20,
        ..boot
    });
    assert_eq!(named(&expected, &smaller.unwrap()), [(4, "kernel".to_owned())]);
    let longer = predict(&PlannedBoot {
        initrd: &[0; 6],
        ..boot
    });
    assert_eq!(
        named(&expected, &longer.unwrap()),
        [(4, "kernel".to_owned()), (9, "Linux initrd".to_owned())]
    );
}

#[test]
fn what_the_loader_overwrites_and_what_a_signature_holds_change_nothing() {
    let kernel = kernel();
    let expected = predicted(&kernel);
    let signature = kernel.len() - 1;
    // Loader, address and size of the initial file system, heap, command line; checksum, place of signatures, a signature.
    for at in [
        0x210,
        0x218,
        0x21c,
        0x224,
        0x228,
        0x298 + 64,
        0x298 + 112 + 32,
        signature,
    ] {
        let mut changed = kernel.clone();
        changed[at] ^= 0xff;
        assert_eq!(predicted(&changed), expected, "{at:#x}");
    }
}

#[test]
fn what_is_no_kernel_is_refused_by_name() {
    type Edit = fn(&mut Vec<u8>);
    let cases: [(&str, Edit); 11] = [
        ("prediction.kernel", |kernel| kernel.truncate(0x200)),
        ("prediction.kernel", |kernel| kernel[0x202] = b'h'),
        ("prediction.kernel", |kernel| kernel[0x206] = 0x0b),
        ("prediction.kernel", |kernel| kernel[0x211] = 0x80),
        ("prediction.kernel", |kernel| kernel[0x236] = 0x01),
        ("prediction.executable", |kernel| kernel[0] = b'Z'),
        ("prediction.executable", |kernel| kernel[0x3c..0x40].fill(0xff)),
        ("prediction.executable", |kernel| kernel[0x280] = b'p'),
        ("prediction.executable", |kernel| kernel[0x286] = 0xff),
        ("prediction.executable", |kernel| kernel[0x298 + 108] = 4),
        ("prediction.executable", |kernel| kernel.truncate(SECTION + 3)),
    ];
    for (number, (code, edit)) in cases.into_iter().enumerate() {
        let mut kernel = kernel();
        edit(&mut kernel);
        let refused = predict(&planned(&kernel)).unwrap_err();
        assert_eq!(refused.code(), code, "{number}: {refused}");
    }
}

#[test]
fn memory_that_does_not_hold_the_files_and_words_that_are_too_long_are_refused() {
    let kernel = kernel();
    let boot = planned(&kernel);
    for memory_bytes in [0, 0x2_8000, 0x8000_0000, u32::MAX] {
        let refused = predict(&PlannedBoot { memory_bytes, ..boot });
        assert_eq!(refused, Err(PredictionError::Memory), "{memory_bytes:#x}");
    }
    let command_line = &"x".repeat(MAX_COMMAND_LINE_BYTES + 1);
    let refused = predict(&PlannedBoot { command_line, ..boot });
    assert_eq!(refused, Err(PredictionError::Limit("command line")));
}

proptest! {
    #[test]
    fn no_kernel_makes_it_fail_otherwise(at in 0_usize..0x400, bytes in prop::array::uniform4(any::<u8>()), length in 0_usize..0x800) {
        let mut kernel = kernel();
        kernel[at..at + 4].copy_from_slice(&bytes);
        kernel.truncate(length);
        let _ = predict(&planned(&kernel));
    }
}
