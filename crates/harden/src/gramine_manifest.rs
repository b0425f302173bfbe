//! A linter for Gramine manifests: an enclave is worth what its manifest allows the host.
//!
//! Every switch is on a list here, with the values it may have. What is not on the list is refused too: a switch that a
//! later Gramine invents is dangerous until somebody has read about it.
//!
//! Read against Gramine 1.9. Takes rendered manifests, and templates whose Jinja expressions stand inside strings.
//!
//! **Does not:** check the files that are named, or compute the measurement (Gramine's own tools do).

use thiserror::Error;
use toml::{Table, Value};

/// Longest manifest, in bytes. Trusted files are listed one by one after rendering.
pub const MAX_MANIFEST_BYTES: usize = 1024 * 1024;

/// Something in a manifest that an enclave must not have, or lacks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{code}: {key}: {why}")]
pub struct Finding {
    /// A stable code.
    pub code: &'static str,
    /// The switch, with dots.
    pub key: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Every defect of a manifest; none, if it may be signed. `newer_than` is the security version of the release before.
#[must_use]
pub fn lint(manifest: &str, newer_than: Option<u16>) -> Vec<Finding> {
    let unreadable = |why| {
        vec![Finding {
            code: "gramine.unreadable",
            key: "(file)".to_owned(),
            why,
        }]
    };
    if manifest.len() > MAX_MANIFEST_BYTES {
        return unreadable("longer than 1 MiB");
    }
    let Ok(table) = manifest.parse::<Table>() else {
        return unreadable("not TOML");
    };
    let switches = flatten(&table);
    let mut findings: Vec<_> = switches.iter().filter_map(|(key, value)| judge(key, value)).collect();
    for (key, code, why) in REQUIRED {
        if !switches.iter().any(|(present, _)| present == key) {
            findings.push(Finding {
                code,
                key: (*key).to_owned(),
                why,
            });
        }
    }
    if let (Some(before), Some(Value::Integer(version))) = (newer_than, find(&switches, "sgx.isvsvn"))
        && *version <= i64::from(before)
    {
        findings.push(Finding {
            code: "gramine.security_version",
            key: "sgx.isvsvn".to_owned(),
            why: "not above that of the release before",
        });
    }
    findings
}

/// Switches whose default is unsafe, or depends on the version of Gramine.
const REQUIRED: &[(&str, &str, &str)] = &[
    ("sgx.debug", "gramine.debug", "must be given, and false"),
    (
        "sgx.remote_attestation",
        "gramine.remote_attestation",
        "must be \"dcap\", else there is no evidence",
    ),
    ("sgx.isvprodid", "gramine.product_id", "must be given"),
    ("sgx.isvsvn", "gramine.security_version", "must be given"),
    ("sgx.enclave_size", "gramine.size", "must be fixed"),
    ("sgx.max_threads", "gramine.size", "must be fixed"),
    ("sys.stack.size", "gramine.size", "must be fixed"),
    (
        "sys.disallow_subprocesses",
        "gramine.subprocesses",
        "must be given, and true",
    ),
    ("loader.argv", "gramine.arguments", "must be fixed here"),
    ("libos.entrypoint", "gramine.entrypoint", "must be given"),
];

/// Every leaf with its dotted key. Arrays and inline tables below the keys judged as a whole stay whole.
fn flatten(table: &Table) -> Vec<(String, &Value)> {
    fn walk<'a>(prefix: &str, table: &'a Table, leaves: &mut Vec<(String, &'a Value)>) {
        for (name, value) in table {
            let key = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            match value {
                Value::Table(inner) if prefix != "loader.env" => walk(&key, inner, leaves),
                _ => leaves.push((key, value)),
            }
        }
    }
    let mut leaves = Vec::new();
    walk("", table, &mut leaves);
    leaves
}

fn find<'a>(switches: &[(String, &'a Value)], key: &str) -> Option<&'a Value> {
    switches
        .iter()
        .find(|(present, _)| present == key)
        .map(|(_, value)| *value)
}

fn judge(key: &str, value: &Value) -> Option<Finding> {
    let (code, why) = verdict(key, value)?;
    Some(Finding {
        code,
        key: key.to_owned(),
        why,
    })
}

/// `None` where the switch is admitted with this value.
fn verdict(key: &str, value: &Value) -> Option<(&'static str, &'static str)> {
    let refuse_unless = |fine: bool, code, why| if fine { None } else { Some((code, why)) };
    if let Some(code) = insecure(key) {
        return Some((code, "lets the host into the enclave; leave it out, whatever its value"));
    }
    if let Some(name) = key.strip_prefix("loader.env.") {
        let fixed = value.is_str() && !LOADER_VARIABLES.contains(&name);
        return refuse_unless(
            fixed,
            "gramine.environment",
            "must be a fixed text, and not one that loads code",
        );
    }
    if key.starts_with("sgx.cpu_features.") {
        let known = matches!(value.as_str(), Some("required" | "disabled"));
        return refuse_unless(known, "gramine.cpu_features", "must not be left to the host");
    }
    match key {
        "sgx.debug" => refuse_unless(
            is(value, false),
            "gramine.debug",
            "a debug enclave is readable by the host",
        ),
        "sgx.remote_attestation" => refuse_unless(
            value.as_str() == Some("dcap"),
            "gramine.remote_attestation",
            "must be \"dcap\"",
        ),
        "sgx.file_check_policy" => refuse_unless(
            value.as_str() == Some("strict"),
            "gramine.file_check_policy",
            "must be \"strict\": else unlisted files of the host are read",
        ),
        "sgx.allowed_files" => refuse_unless(
            value.as_array().is_some_and(Vec::is_empty),
            "gramine.allowed_files",
            "allowed files are the host's to change",
        ),
        "sgx.isvprodid" => refuse_unless(is_number(value, 1), "gramine.product_id", "must be from 1 to 65535"),
        "sgx.isvsvn" => refuse_unless(
            is_number(value, 1),
            "gramine.security_version",
            "must be from 1 to 65535",
        ),
        "sgx.max_threads" => refuse_unless(is_number(value, 1), "gramine.size", "must be a fixed number"),
        "sgx.enclave_size" | "sys.stack.size" | "sys.brk.max_size" | "loader.pal_internal_mem_size" => {
            refuse_unless(value.is_str(), "gramine.size", "must be a fixed size")
        }
        "sgx.edmm_enable" => refuse_unless(
            is(value, false),
            "gramine.dynamic_memory",
            "memory added later is not measured",
        ),
        "sgx.enable_stats" | "sgx.profile.enable" | "sgx.vtune_profile" => refuse_unless(
            is(value, false) || value.as_str() == Some("none"),
            "gramine.profiling",
            "tells the host what the enclave does",
        ),
        "sgx.trusted_files" => refuse_unless(value.is_array(), "gramine.trusted_files", "must be a list"),
        "sys.disallow_subprocesses" => refuse_unless(
            is(value, true),
            "gramine.subprocesses",
            "the provider starts no process",
        ),
        "loader.argv" => refuse_unless(
            value.as_array().is_some_and(|words| words.iter().all(Value::is_str)),
            "gramine.arguments",
            "must be a list of fixed words",
        ),
        "loader.log_level" => refuse_unless(
            matches!(value.as_str(), Some("none" | "error" | "warning")),
            "gramine.log_level",
            "tells the host every call the enclave makes",
        ),
        "libos.check_invalid_pointers" => {
            refuse_unless(is(value, true), "gramine.pointer_checks", "must not be turned off")
        }
        "libos.entrypoint" => refuse_unless(value.is_str(), "gramine.entrypoint", "must be a path"),
        "fs.mounts" => mounts(value),
        "fs.start_dir"
        | "fs.root.type"
        | "fs.root.uri"
        | "sys.enable_sigterm_injection"
        | "sgx.use_exinfo"
        | "sgx.preheat_enclave"
        | "sgx.rpc_thread_num" => None,
        _ => Some((
            "gramine.unknown_switch",
            "not on the list of switches that were read about",
        )),
    }
}

/// The code for switches Gramine itself calls insecure, and for their like.
fn insecure(key: &str) -> Option<&'static str> {
    let last = key.rsplit('.').next().unwrap_or(key);
    match last {
        "insecure__use_cmdline_argv" | "argv_src_file" => Some("gramine.host_arguments"),
        "insecure__use_host_env" | "env_src_file" => Some("gramine.host_environment"),
        _ if key.split('.').any(|part| part.starts_with("insecure__")) => Some("gramine.insecure"),
        "allowed_ioctls" | "ioctl_structs" => Some("gramine.ioctl"),
        _ => None,
    }
}

/// Variables the dynamic loader takes code from.
const LOADER_VARIABLES: [&str; 2] = ["LD_PRELOAD", "LD_AUDIT"];

fn mounts(value: &Value) -> Option<(&'static str, &'static str)> {
    let Some(mounts) = value.as_array() else {
        return Some(("gramine.mount", "must be a list"));
    };
    mounts.iter().find_map(|mount| {
        let text = |key| mount.get(key).and_then(Value::as_str);
        match text("type") {
            None | Some("chroot" | "tmpfs") => None,
            Some("encrypted") => match text("key_name") {
                Some("_sgx_mrenclave") => None,
                Some("_sgx_mrsigner") => Some((
                    "gramine.signer_bound_key",
                    "whatever the same key signed could open the files",
                )),
                _ => Some((
                    "gramine.mount_key",
                    "must be the key of the measurement, \"_sgx_mrenclave\"",
                )),
            },
            Some("untrusted_shm") => Some(("gramine.shared_memory", "memory the host writes to")),
            Some(_) => Some(("gramine.mount", "unknown kind of mount")),
        }
    })
}

fn is(value: &Value, expected: bool) -> bool {
    value.as_bool() == Some(expected)
}

fn is_number(value: &Value, least: i64) -> bool {
    value
        .as_integer()
        .is_some_and(|number| (least..=i64::from(u16::MAX)).contains(&number))
}

#[cfg(test)]
mod tests;
