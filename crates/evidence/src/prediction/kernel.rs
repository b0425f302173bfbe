//! The kernel as QEMU hands it over: seven fields of its header are written before the firmware measures it.

use super::{PlannedBoot, PredictionError};

/// Offsets of the setup header (Linux `Documentation/arch/x86/boot.rst`).
const MAGIC: usize = 0x202;
const VERSION: usize = 0x206;
const LOADER: usize = 0x210;
const LOAD_FLAGS: usize = 0x211;
const INITRD_ADDRESS: usize = 0x218;
const INITRD_SIZE: usize = 0x21c;
const HEAP_END: usize = 0x224;
const COMMAND_LINE: usize = 0x228;
const EXTENDED_FLAGS: usize = 0x236;

/// 2.12: the first version with [`EXTENDED_FLAGS`].
const OLDEST_VERSION: u16 = 0x020c;
const LOADED_HIGH: u8 = 0x01;
const CAN_USE_HEAP: u8 = 0x80;
const INITRD_ABOVE_4G: u16 = 0x02;

/// QEMU as a boot loader.
const QEMU: u8 = 0xb0;
const REAL_MODE_ADDRESS: u32 = 0x1_0000;
const COMMAND_LINE_ADDRESS: u32 = 0x2_0000;
/// What q35 keeps for tables at the top of memory.
const TABLE_BYTES: u32 = 0x2_8000;
const PAGE_BYTES: u32 = 4096;
const MAX_MEMORY_BYTES: u32 = 0x8000_0000;

pub(super) fn as_loaded(boot: &PlannedBoot<'_>) -> Result<Vec<u8>, PredictionError> {
    let kernel = boot.kernel;
    if kernel.get(MAGIC..MAGIC + 4) != Some(b"HdrS") {
        return Err(PredictionError::Kernel("no setup header"));
    }
    if u16_at(kernel, VERSION)? < OLDEST_VERSION {
        return Err(PredictionError::Kernel("its protocol is older"));
    }
    let flags = *kernel.get(LOAD_FLAGS).ok_or(CUT)?;
    if flags & LOADED_HIGH == 0 {
        return Err(PredictionError::Kernel("it is not loaded high"));
    }
    if u16_at(kernel, EXTENDED_FLAGS)? & INITRD_ABOVE_4G == 0 {
        return Err(PredictionError::Kernel("its initial file system must lie low"));
    }
    let size = u32::try_from(boot.initrd.len()).map_err(|_| PredictionError::Limit("initial file system"))?;
    let address = Some(boot.memory_bytes)
        .filter(|memory| *memory < MAX_MEMORY_BYTES)
        .and_then(|memory| memory.checked_sub(TABLE_BYTES + 1)?.checked_sub(size))
        .ok_or(PredictionError::Memory)?
        & !(PAGE_BYTES - 1);
    let heap_end = (COMMAND_LINE_ADDRESS - REAL_MODE_ADDRESS - 0x200).to_le_bytes();

    let mut loaded = kernel.to_vec();
    write(&mut loaded, LOADER, &[QEMU, flags | CAN_USE_HEAP])?;
    write(&mut loaded, INITRD_ADDRESS, &address.to_le_bytes())?;
    write(&mut loaded, INITRD_SIZE, &size.to_le_bytes())?;
    write(&mut loaded, HEAP_END, &heap_end[..2])?;
    write(&mut loaded, COMMAND_LINE, &COMMAND_LINE_ADDRESS.to_le_bytes())?;
    Ok(loaded)
}

const CUT: PredictionError = PredictionError::Kernel("it is cut off");

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, PredictionError> {
    let bytes = bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u16::from_le_bytes).ok_or(CUT)
}

fn write(kernel: &mut [u8], at: usize, value: &[u8]) -> Result<(), PredictionError> {
    let place = kernel.get_mut(at..at + value.len()).ok_or(CUT)?;
    place.copy_from_slice(value);
    Ok(())
}
