//! Attack 17: each dangerous switch, seeded into the manifest we ship.

use super::*;

const OURS: &str = include_str!("../../../../deploy/gramine/healthid-provider.manifest.template");

fn codes(manifest: &str) -> Vec<&'static str> {
    let mut codes: Vec<_> = lint(manifest, None).into_iter().map(|finding| finding.code).collect();
    codes.dedup();
    codes
}

/// The manifest we ship with one line in place of another, or with a line added to a table.
fn seeded(table: &str, line: &str) -> String {
    let key = line.split('=').next().unwrap().trim();
    let without: String = OURS
        .lines()
        .filter(|ours| ours.split('=').next().unwrap().trim() != key)
        .flat_map(|ours| [ours, "\n"])
        .collect();
    let header = format!("[{table}]\n");
    assert!(without.contains(&header), "{table}");
    without.replacen(&header, &format!("{header}{line}\n"), 1)
}

#[test]
fn the_manifest_we_ship_is_clean() {
    assert_eq!(lint(OURS, Some(0)), []);
}

#[test]
fn each_dangerous_switch_is_refused_by_its_own_code() {
    for (table, line, code) in [
        ("sgx", "debug = true", "gramine.debug"),
        ("sgx", "debug = \"false\"", "gramine.debug"),
        ("sgx", "remote_attestation = \"none\"", "gramine.remote_attestation"),
        ("sgx", "remote_attestation = \"epid\"", "gramine.remote_attestation"),
        (
            "sgx",
            "file_check_policy = \"allow_all_but_log\"",
            "gramine.file_check_policy",
        ),
        ("sgx", "allowed_files = [\"file:data/\"]", "gramine.allowed_files"),
        ("sgx", "isvprodid = 0", "gramine.product_id"),
        ("sgx", "isvprodid = 65536", "gramine.product_id"),
        ("sgx", "isvsvn = 0", "gramine.security_version"),
        ("sgx", "isvsvn = \"1\"", "gramine.security_version"),
        ("sgx", "enclave_size = 4", "gramine.size"),
        ("sgx", "max_threads = 0", "gramine.size"),
        ("sgx", "edmm_enable = true", "gramine.dynamic_memory"),
        ("sgx", "enable_stats = true", "gramine.profiling"),
        ("sgx", "profile.enable = \"main\"", "gramine.profiling"),
        ("sgx", "vtune_profile = true", "gramine.profiling"),
        ("sgx", "cpu_features.avx = \"unspecified\"", "gramine.cpu_features"),
        ("sgx", "trusted_files = \"file:everything\"", "gramine.trusted_files"),
        ("sgx", "insecure__rpc_thread_num = 4", "gramine.insecure"),
        ("sgx", "something_new = true", "gramine.unknown_switch"),
        ("sys", "disallow_subprocesses = false", "gramine.subprocesses"),
        ("sys", "insecure__allow_eventfd = true", "gramine.insecure"),
        ("sys", "insecure__allow_eventfd = false", "gramine.insecure"),
        ("sys", "ioctl_structs.a = []", "gramine.unknown_switch"),
        ("sys", "allowed_ioctls = []", "gramine.ioctl"),
        ("loader", "insecure__use_cmdline_argv = true", "gramine.host_arguments"),
        ("loader", "argv_src_file = \"file:arguments\"", "gramine.host_arguments"),
        ("loader", "insecure__use_host_env = true", "gramine.host_environment"),
        (
            "loader",
            "env_src_file = \"file:environment\"",
            "gramine.host_environment",
        ),
        ("loader", "insecure__disable_aslr = true", "gramine.insecure"),
        ("loader", "log_level = \"trace\"", "gramine.log_level"),
        ("loader", "argv = [1]", "gramine.arguments"),
        ("loader.env", "RUST_LOG = { passthrough = true }", "gramine.environment"),
        ("loader.env", "LD_PRELOAD = \"/data/evil.so\"", "gramine.environment"),
        (
            "fs",
            "insecure__keys.default = \"00112233445566778899aabbccddeeff\"",
            "gramine.insecure",
        ),
        (
            "fs",
            "mounts = [{ type = \"untrusted_shm\", path = \"/shm\", uri = \"dev:/x\" }]",
            "gramine.shared_memory",
        ),
        (
            "fs",
            "mounts = [{ type = \"encrypted\", key_name = \"_sgx_mrsigner\" }]",
            "gramine.signer_bound_key",
        ),
        (
            "fs",
            "mounts = [{ type = \"encrypted\", key_name = \"default\" }]",
            "gramine.mount_key",
        ),
        ("fs", "mounts = [{ type = \"encrypted\" }]", "gramine.mount_key"),
        ("fs", "mounts = [{ type = \"device\" }]", "gramine.mount"),
        ("fs", "mounts = \"all\"", "gramine.mount"),
    ] {
        let manifest = if line.starts_with("mounts") {
            let start = OURS.find("mounts = [").unwrap();
            let end = start + OURS[start..].find("\n]").unwrap() + 2;
            format!("{}{line}{}", &OURS[..start], &OURS[end..])
        } else if line.starts_with("trusted_files") {
            let start = OURS.find("trusted_files = [").unwrap();
            format!("{}{line}\n", &OURS[..start])
        } else {
            seeded(table, line)
        };
        let found = codes(&manifest);
        assert_eq!(found, [code], "{line}\n{manifest}");
    }
}

#[test]
fn a_switch_that_must_be_there_is_missed() {
    for (key, code) in [
        ("debug", "gramine.debug"),
        ("remote_attestation", "gramine.remote_attestation"),
        ("isvprodid", "gramine.product_id"),
        ("isvsvn", "gramine.security_version"),
        ("enclave_size", "gramine.size"),
        ("max_threads", "gramine.size"),
        ("stack.size", "gramine.size"),
        ("disallow_subprocesses", "gramine.subprocesses"),
        ("argv", "gramine.arguments"),
        ("libos.entrypoint", "gramine.entrypoint"),
    ] {
        let without: String = OURS
            .lines()
            .filter(|line| line.split('=').next().unwrap().trim() != key)
            .flat_map(|line| [line, "\n"])
            .collect();
        assert_eq!(codes(&without), [code], "{key}");
    }
}

#[test]
fn the_security_version_must_rise_with_every_release() {
    assert_eq!(lint(OURS, Some(0)), []);
    for before in [1, 2, u16::MAX] {
        assert_eq!(
            lint(OURS, Some(before)).first().map(|finding| finding.code),
            Some("gramine.security_version")
        );
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    assert_eq!(codes("sgx.debug = "), ["gramine.unreadable"]);
    assert_eq!(codes(&" ".repeat(MAX_MANIFEST_BYTES + 1)), ["gramine.unreadable"]);
    assert!(lint("", None).len() >= REQUIRED.len());
}
