//! The system calls the provider makes, each with the reason it is there. What is not here kills the process.
//!
//! Found by tracing whole logins (card, device, consent, revocation) through the sandbox, and by reading what tokio, SQLite,
//! glibc and aws-lc may call besides. Left out on purpose, among many: `execve`, `execveat`, `fork`, `vfork`, `ptrace`,
//! `process_vm_readv`, `process_vm_writev`, `pidfd_getfd`, `mount`, `bpf`, `userfaultfd`, `perf_event_open`, `io_uring_setup`,
//! `memfd_create`, `init_module`, `setuid`, `unshare`, `setns`, `keyctl`.

/// Where a call is only allowed with certain values of one argument.
#[derive(Debug, Clone)]
pub struct Argument {
    pub(crate) index: u8,
    pub(crate) check: Check,
}

/// What an argument must be. Compared as 32 bits, but for [`Check::Null`].
#[derive(Debug, Clone)]
pub(crate) enum Check {
    OneOf(Vec<u32>),
    BitsClear(u32),
    BitsSet(u32),
    ThisProcess,
    Null,
}

/// A system call that is allowed.
#[derive(Debug, Clone)]
pub struct SystemCall {
    pub(crate) number: i64,
    pub(crate) argument: Option<Argument>,
}

/// A reviewed list of system calls.
#[derive(Debug, Clone)]
pub struct SystemCallList {
    calls: Vec<SystemCall>,
}

impl SystemCallList {
    /// What the provider needs once it is started: files it may open (which, says Landlock), sockets, threads, memory
    /// that is never executable, time and randomness.
    #[must_use]
    pub fn provider() -> Self {
        let mut calls: Vec<SystemCall> = [FILES, SOCKETS, MEMORY, THREADS, WAITING, PROCESS]
            .concat()
            .into_iter()
            .map(SystemCall::any)
            .collect();
        #[cfg(target_arch = "x86_64")]
        calls.extend(ONLY_X86_64.iter().copied().map(SystemCall::any));
        calls.extend(with_arguments());
        Self { calls }
    }

    pub(crate) fn calls(&self) -> &[SystemCall] {
        &self.calls
    }
}

impl SystemCall {
    const fn any(number: i64) -> Self {
        Self { number, argument: None }
    }

    const fn with(number: i64, index: u8, check: Check) -> Self {
        Self {
            number,
            argument: Some(Argument { index, check }),
        }
    }
}

/// The embedded store, the configuration's files, log lines to stderr.
const FILES: &[i64] = &[
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_flock,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_newfstatat,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    // SQLite gives its journal the database's mode and, as root, its owner.
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_utimensat,
    libc::SYS_umask,
];

/// The listeners, calls to peers, the resolver.
const SOCKETS: &[i64] = &[
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_shutdown,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
];

/// The allocator; locked and secret memory.
const MEMORY: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mlock,
    libc::SYS_mlock2,
    libc::SYS_munlock,
    libc::SYS_memfd_secret,
    libc::SYS_membarrier,
];

/// Threads and their signals. `clone3` never gets here: it is answered with `ENOSYS` first, see `filter`.
const THREADS: &[i64] = &[
    libc::SYS_clone3,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_gettid,
    libc::SYS_set_tid_address,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Waiting, time, randomness.
const WAITING: &[i64] = &[
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_ppoll,
    libc::SYS_eventfd2,
    libc::SYS_pipe2,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_restart_syscall,
    libc::SYS_getrandom,
];

/// Questions about oneself and the machine.
const PROCESS: &[i64] = &[
    libc::SYS_getpid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrusage,
    libc::SYS_getcpu,
];

/// Older spellings that exist on this architecture only, and that glibc or SQLite still use.
#[cfg(target_arch = "x86_64")]
const ONLY_X86_64: &[i64] = &[
    libc::SYS_epoll_wait,
    libc::SYS_poll,
    libc::SYS_access,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_time,
];

fn with_arguments() -> Vec<SystemCall> {
    const PROTECTION: u8 = 2;
    let executable = libc::PROT_EXEC.unsigned_abs();
    vec![
        // Memory that was writable never becomes code, and no file is mapped as code any more.
        SystemCall::with(libc::SYS_mmap, PROTECTION, Check::BitsClear(executable)),
        SystemCall::with(libc::SYS_mprotect, PROTECTION, Check::BitsClear(executable)),
        // A thread, never a process.
        SystemCall::with(libc::SYS_clone, 0, Check::BitsSet(libc::CLONE_THREAD.unsigned_abs())),
        // TCP and UDP; netlink, because glibc asks for the machine's addresses before it sorts a peer's; a pair for signals.
        SystemCall::with(
            libc::SYS_socket,
            0,
            Check::OneOf(
                [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_UNIX]
                    .map(i32::unsigned_abs)
                    .to_vec(),
            ),
        ),
        SystemCall::with(
            libc::SYS_socketpair,
            0,
            Check::OneOf(vec![libc::AF_UNIX.unsigned_abs()]),
        ),
        // Names of threads and mappings; reading back what `apply` set.
        SystemCall::with(
            libc::SYS_prctl,
            0,
            Check::OneOf(
                [
                    libc::PR_SET_NAME,
                    libc::PR_SET_VMA,
                    libc::PR_GET_DUMPABLE,
                    libc::PR_GET_NO_NEW_PRIVS,
                ]
                .map(i32::unsigned_abs)
                .to_vec(),
            ),
        ),
        // Reading a limit (a new one would be the third argument), of this process (0).
        SystemCall::with(libc::SYS_prlimit64, 2, Check::Null),
        // Non-blocking sockets; whether stderr is a terminal; how much can be read.
        SystemCall::with(
            libc::SYS_ioctl,
            1,
            Check::OneOf(
                [libc::FIONBIO, libc::FIOCLEX, libc::TCGETS, libc::FIONREAD]
                    .map(|request| u32::try_from(request).unwrap_or(0))
                    .to_vec(),
            ),
        ),
        // `abort` and `raise`: only to oneself.
        SystemCall::with(libc::SYS_tgkill, 0, Check::ThisProcess),
        SystemCall::with(libc::SYS_kill, 0, Check::ThisProcess),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_start_or_open_up_other_processes_are_not_on_the_list() {
        let list = SystemCallList::provider();
        for forbidden in [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_pidfd_open,
            libc::SYS_pidfd_getfd,
            libc::SYS_kcmp,
            libc::SYS_mount,
            libc::SYS_chroot,
            libc::SYS_bpf,
            libc::SYS_perf_event_open,
            libc::SYS_userfaultfd,
            libc::SYS_io_uring_setup,
            libc::SYS_memfd_create,
            libc::SYS_init_module,
            libc::SYS_finit_module,
            libc::SYS_kexec_load,
            libc::SYS_setuid,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_keyctl,
            libc::SYS_open_by_handle_at,
            libc::SYS_seccomp,
        ] {
            assert!(list.calls().iter().all(|call| call.number != forbidden), "{forbidden}");
        }
    }

    #[test]
    fn each_call_is_listed_once() {
        let list = SystemCallList::provider();
        let numbers: std::collections::BTreeSet<_> = list.calls().iter().map(|call| call.number).collect();
        assert_eq!(numbers.len(), list.calls().len());
    }
}
