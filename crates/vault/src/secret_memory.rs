//! Memory for keys: small slots in pages no other process reads by ordinary means.
//!
//! * On Linux with `memfd_secret`: pages the kernel takes out of its own map, so that `/proc/PID/mem`, `process_vm_readv`
//!   and a debugger's peek fail for root too. The descriptor is closed as soon as the pages are mapped; left open, root
//!   could duplicate it and map them again (`tee.md` 3.4).
//! * Elsewhere: anonymous pages, locked and left out of core dumps.
//! * Where not even that is allowed: anonymous pages left out of core dumps. [`protection`] tells which of the three is in
//!   force, and the hardening report carries it; nothing is claimed silently.
//!
//! A slot is wiped when its secret is dropped. Pages are not inherited by a forked child, so no child holds a copy or wipes
//! ours. Slots are few and short: keys, never records.
//!
//! Does not: hide a key while a cryptographic primitive works with it. The library copies it into its own context on stack
//! or heap and wipes that afterwards. Nor does it stop root from injecting system calls into this process: only a trusted
//! execution environment does.
//!
//! The only file of the workspace with `unsafe` code.

#![allow(unsafe_code)]

use std::alloc::{Layout, handle_alloc_error};
use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap, mmap_anonymous, munmap};
use zeroize::Zeroize;

/// Bytes of one slot: the longest secret.
pub const MAX_SECRET_BYTES: usize = 64;
/// Bytes mapped at a time: 512 slots, and below the least lock limit in use (64 KiB).
const CHUNK_BYTES: usize = 32 * 1024;
const SLOTS: usize = CHUNK_BYTES / MAX_SECRET_BYTES;

/// How the pages of secrets are protected, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// `memfd_secret`: not mapped in the kernel, locked, in no dump, descriptor closed.
    MemfdSecret,
    /// Locked (never swapped) and in no dump; root reads it through the kernel.
    Locked,
    /// In no dump; may be swapped out. Encrypted memory of an enclave looks like this from inside.
    Unlocked,
}

impl Protection {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MemfdSecret => "memfd-secret",
            Self::Locked => "mlock",
            Self::Unlocked => "none",
        }
    }
}

/// The weakest protection any secret of this process has or had. Maps the first pages if there are none yet, so that it can
/// be asked before a key exists.
#[must_use]
pub fn protection() -> Protection {
    let mut arena = ARENA.lock().unwrap_or_else(PoisonError::into_inner);
    arena.ensure_first();
    arena.weakest
}

/// `N` secret bytes (at most [`MAX_SECRET_BYTES`]) in a slot of their own. Wiped when dropped. Prints its type only.
pub struct Secret<const N: usize> {
    slot: Slot,
}

// SAFETY: a secret owns its slot alone, as a box owns its memory: it may move to another thread.
unsafe impl<const N: usize> Send for Secret<N> {}
// SAFETY: shared references give shared bytes only; writing takes an exclusive one.
unsafe impl<const N: usize> Sync for Secret<N> {}

impl<const N: usize> Secret<N> {
    /// Zeroes, to be written.
    #[must_use]
    pub fn zeroed() -> Self {
        const { assert!(N <= MAX_SECRET_BYTES, "a secret fits one slot") };
        let slot = ARENA.lock().unwrap_or_else(PoisonError::into_inner).take();
        Self { slot }
    }

    /// Written in place, so that no copy stands elsewhere.
    #[must_use]
    pub fn written_by(write: impl FnOnce(&mut [u8; N])) -> Self {
        let mut secret = Self::zeroed();
        write(secret.bytes_mut());
        secret
    }

    /// A copy of these bytes; wiping the original is the caller's.
    #[must_use]
    pub fn copy_of(bytes: &[u8; N]) -> Self {
        Self::written_by(|secret| secret.copy_from_slice(bytes))
    }

    /// The bytes, to be written.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8; N] {
        // SAFETY: the slot has MAX_SECRET_BYTES bytes, N is not more, they are initialised (zero at first), they stay mapped
        // until the slot is given back in `drop`, and `&mut self` makes this the only reference.
        unsafe { self.slot.pointer.cast::<[u8; N]>().as_mut() }
    }

    /// A second slot with the same bytes.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::copy_of(self)
    }
}

impl<const N: usize> Deref for Secret<N> {
    type Target = [u8; N];

    fn deref(&self) -> &[u8; N] {
        // SAFETY: as in `bytes_mut`; `&self` excludes writers.
        unsafe { self.slot.pointer.cast::<[u8; N]>().as_ref() }
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.bytes_mut().zeroize();
        ARENA
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .give_back(&self.slot);
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

struct Slot {
    pointer: NonNull<u8>,
    chunk: usize,
    index: u16,
}

/// Pages cut into slots.
struct Chunk {
    base: NonNull<u8>,
    free: Vec<u16>,
}

struct Arena {
    /// A chunk's place stays its number; `None` where one was given back to the system.
    chunks: Vec<Option<Chunk>>,
    weakest: Protection,
}

// SAFETY: the arena owns its pages; the pointers are only used under its lock or through the slot they were given out in.
unsafe impl Send for Arena {}

static ARENA: Mutex<Arena> = Mutex::new(Arena {
    chunks: Vec::new(),
    weakest: Protection::MemfdSecret,
});

impl Arena {
    fn ensure_first(&mut self) {
        if self.chunks.is_empty() {
            self.grow();
        }
    }

    fn take(&mut self) -> Slot {
        let number = match self
            .chunks
            .iter()
            .position(|chunk| chunk.as_ref().is_some_and(|chunk| !chunk.free.is_empty()))
        {
            Some(number) => number,
            None => self.grow(),
        };
        let taken = self.chunks[number].as_mut().and_then(|chunk| {
            let index = chunk.free.pop()?;
            // SAFETY: the index is below SLOTS, so the slot lies inside the chunk's pages.
            let pointer = unsafe { chunk.base.add(usize::from(index) * MAX_SECRET_BYTES) };
            Some(Slot {
                pointer,
                chunk: number,
                index,
            })
        });
        // A chunk was just found or made with a free slot in it.
        taken.unwrap_or_else(|| no_memory())
    }

    fn give_back(&mut self, slot: &Slot) {
        let Some(chunk) = self.chunks.get_mut(slot.chunk).and_then(Option::as_mut) else {
            return;
        };
        chunk.free.push(slot.index);
        if slot.chunk > 0 && chunk.free.len() == SLOTS {
            let base = chunk.base;
            self.chunks[slot.chunk] = None;
            // SAFETY: every slot of the chunk is free, so nothing points into these pages, and nothing will: the chunk is gone.
            // Failure leaves them mapped, wiped and unused.
            let _ = unsafe { munmap(base.as_ptr().cast(), CHUNK_BYTES) };
        }
    }

    fn grow(&mut self) -> usize {
        let (base, protection) = map_best();
        self.weakest = self.weakest.max(protection);
        #[allow(clippy::cast_possible_truncation)] // 512
        let free = (0..SLOTS as u16).rev().collect();
        let chunk = Some(Chunk { base, free });
        match self.chunks.iter().position(Option::is_none) {
            Some(number) => {
                self.chunks[number] = chunk;
                number
            }
            None => {
                self.chunks.push(chunk);
                self.chunks.len() - 1
            }
        }
    }
}

/// The best pages this system gives.
fn map_best() -> (NonNull<u8>, Protection) {
    if let Some(base) = map_secret() {
        return (base, Protection::MemfdSecret);
    }
    let base = map_anonymous().unwrap_or_else(|| no_memory());
    // SAFETY: exactly the pages just mapped.
    let locked = unsafe { mlock(base.as_ptr().cast(), CHUNK_BYTES) }.is_ok();
    (
        base,
        if locked {
            Protection::Locked
        } else {
            Protection::Unlocked
        },
    )
}

#[cfg(target_os = "linux")]
fn map_secret() -> Option<NonNull<u8>> {
    use std::fs::File;
    use std::os::fd::{FromRawFd as _, OwnedFd};

    // SAFETY: the call takes one flag word and gives a new descriptor or -1; it touches no memory of ours.
    let descriptor = unsafe { libc::syscall(libc::SYS_memfd_secret, libc::O_CLOEXEC) };
    let descriptor = i32::try_from(descriptor).ok().filter(|&descriptor| descriptor >= 0)?;
    // SAFETY: the descriptor was just made and nobody else owns it.
    let file = File::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
    file.set_len(CHUNK_BYTES as u64).ok()?;
    // SAFETY: a new mapping at an address of the kernel's choice: no memory of ours is affected.
    let pages = unsafe {
        mmap(
            std::ptr::null_mut(),
            CHUNK_BYTES,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::SHARED,
            &file,
            0,
        )
    };
    drop(file); // from here on nobody can map these pages a second time
    let base = NonNull::new(pages.ok()?.cast())?;
    if !guard(base) {
        // Shared pages that a child inherits would be wiped by it: better private ones.
        // SAFETY: exactly the pages just mapped; nothing points into them yet.
        let _ = unsafe { munmap(base.as_ptr().cast(), CHUNK_BYTES) };
        return None;
    }
    Some(base)
}

#[cfg(not(target_os = "linux"))]
fn map_secret() -> Option<NonNull<u8>> {
    None
}

fn map_anonymous() -> Option<NonNull<u8>> {
    // SAFETY: as in `map_secret`.
    let pages = unsafe {
        mmap_anonymous(
            std::ptr::null_mut(),
            CHUNK_BYTES,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE,
        )
    };
    let base = NonNull::new(pages.ok()?.cast())?;
    let _ = guard(base); // private pages: a child would get a copy, and wipe its copy
    Some(base)
}

/// Keeps the pages out of core dumps and out of forked children. `false`: a child would inherit them.
fn guard(base: NonNull<u8>) -> bool {
    #[cfg(target_os = "linux")]
    {
        let pages = base.as_ptr().cast();
        // SAFETY: exactly the pages just mapped; neither advice changes their content here.
        let _ = unsafe { madvise(pages, CHUNK_BYTES, Advice::LinuxDontDump) };
        // SAFETY: as above.
        unsafe { madvise(pages, CHUNK_BYTES, Advice::LinuxDontFork) }.is_ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = base;
        false
    }
}

fn no_memory() -> ! {
    handle_alloc_error(Layout::new::<[u8; CHUNK_BYTES]>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::print_stdout)]
    use std::fs;
    use std::os::unix::fs::FileExt as _;

    use super::*;

    /// Flags of the mapping that holds this address, from the kernel's own list.
    fn mapping_of(address: usize) -> String {
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut found = String::new();
        let mut inside = false;
        for line in maps.lines() {
            if let Some((from, rest)) = line.split_once('-')
                && let (Ok(from), Some((to, _))) = (usize::from_str_radix(from, 16), rest.split_once(' '))
                && let Ok(to) = usize::from_str_radix(to, 16)
            {
                inside = (from..to).contains(&address);
            }
            if inside {
                found.push_str(line);
                found.push('\n');
            }
        }
        found
    }

    /// Two secrets of one chunk: while the one lives, the pages of both stay mapped.
    fn neighbours<const N: usize>() -> (Secret<N>, Secret<N>) {
        let mut secrets: Vec<_> = (0..SLOTS + 1).map(|_| Secret::<N>::zeroed()).collect();
        let last = secrets.pop().unwrap();
        let place = secrets.iter().position(|other| other.slot.chunk == last.slot.chunk);
        match place {
            Some(place) => (secrets.swap_remove(place), last),
            None => neighbours(), // the last one began a chunk
        }
    }

    #[test]
    fn slot_of_a_dropped_secret_is_zero_before_anybody_gets_it_again() {
        let (mut secret, _keeps_the_pages) = neighbours::<32>();
        secret.bytes_mut().fill(0xa5);
        let pointer = secret.slot.pointer;
        drop(secret);
        // SAFETY: the neighbour keeps the pages mapped; the test only looks at what lies there.
        let left = unsafe { pointer.cast::<[u8; MAX_SECRET_BYTES]>().read_volatile() };
        // Another test's thread may have taken the slot in the meantime, but what lies there is never the old secret.
        assert!(!left.windows(8).any(|window| window == [0xa5; 8]));
        for _ in 0..SLOTS * 2 {
            assert_eq!(*Secret::<64>::zeroed(), [0; 64]);
        }
    }

    #[test]
    fn secrets_do_not_overlap_and_pages_grow_and_shrink() {
        let mut secrets: Vec<_> = (0..SLOTS * 3)
            .map(|number| Secret::<8>::copy_of(&(number as u64).to_be_bytes()))
            .collect();
        for (number, secret) in secrets.iter().enumerate() {
            assert_eq!(**secret, (number as u64).to_be_bytes());
        }
        secrets.truncate(1);
        assert_eq!(*secrets[0], 0_u64.to_be_bytes());
        let again: Vec<_> = (0..SLOTS * 2).map(|_| Secret::<8>::zeroed()).collect();
        assert!(again.iter().all(|secret| **secret == [0; 8]));
    }

    #[test]
    fn secrets_of_a_panicking_thread_are_wiped() {
        let (mut secret, _keeps_the_pages) = neighbours::<16>();
        let address = std::thread::spawn(move || {
            secret.bytes_mut().fill(0x5c);
            let address = secret.slot.pointer.as_ptr() as usize;
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                let _secret = secret;
                std::panic::resume_unwind(Box::new(()));
            }));
            assert!(outcome.is_err());
            address
        })
        .join()
        .unwrap();
        // SAFETY: as in the first test.
        let left = unsafe { (address as *const [u8; 16]).read_volatile() };
        assert_ne!(left, [0x5c; 16]);
    }

    #[test]
    fn no_descriptor_to_secret_memory_stays_open() {
        let _secret = Secret::<32>::copy_of(&[1; 32]);
        let open = fs::read_dir("/proc/self/fd").unwrap();
        let links: Vec<_> = open
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .map(|target| target.to_string_lossy().into_owned())
            .collect();
        assert!(!links.is_empty(), "the list was read");
        assert!(!links.iter().any(|target| target.contains("secretmem")), "{links:?}");
    }

    #[test]
    fn pages_are_locked_left_out_of_dumps_and_not_inherited() {
        let secret = Secret::<32>::zeroed();
        let mapping = mapping_of(secret.slot.pointer.as_ptr() as usize);
        let flags = mapping.lines().find(|line| line.starts_with("VmFlags:")).unwrap();
        for (flag, meaning) in [("dd", "not in a core dump"), ("dc", "not in a forked child")] {
            assert!(flags.split(' ').any(|found| found == flag), "{meaning}: {flags}");
        }
        match protection() {
            Protection::MemfdSecret => assert!(mapping.contains("secretmem"), "{mapping}"),
            Protection::Locked => assert!(flags.split(' ').any(|found| found == "lo"), "{flags}"),
            Protection::Unlocked => println!("SKIPPED: this system neither has memfd_secret nor lets us lock pages"),
        }
    }

    #[test]
    fn kernel_does_not_read_secret_memory_for_anybody_where_it_is_secret() {
        // The passive channels of a root attacker go through the kernel's access to foreign memory, as this one does.
        let secret = Secret::<32>::copy_of(&[0x77; 32]);
        let memory = fs::File::open("/proc/self/mem").unwrap();
        let mut stolen = [0; 32];
        let read = memory.read_exact_at(&mut stolen, secret.slot.pointer.as_ptr() as u64);
        if protection() == Protection::MemfdSecret {
            assert!(read.is_err());
            assert_eq!(stolen, [0; 32]);
        } else {
            println!("SKIPPED: no memfd_secret here, protection is {}", protection().name());
        }
        // The same attempt on ordinary memory succeeds: the attempt is a real one.
        let ordinary = Box::new([0x77_u8; 32]);
        memory.read_exact_at(&mut stolen, ordinary.as_ptr() as u64).unwrap();
        assert_eq!(stolen, [0x77; 32]);
    }

    #[test]
    fn anonymous_pages_take_its_place_where_there_is_no_secret_memory() {
        let base = map_anonymous().unwrap();
        // SAFETY: pages of this test alone.
        unsafe {
            base.as_ptr().write(1);
            munmap(base.as_ptr().cast(), CHUNK_BYTES).unwrap();
        }
        assert!(Protection::MemfdSecret < Protection::Locked && Protection::Locked < Protection::Unlocked);
    }

    #[test]
    fn debug_prints_no_byte() {
        assert_eq!(format!("{:?}", Secret::<4>::copy_of(&[1, 2, 3, 4])), "Secret");
    }
}
