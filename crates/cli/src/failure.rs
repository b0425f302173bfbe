//! How an error is told: every context once, outermost first.

/// One line. Many errors say in their own words what their cause says; a cause that was said is not said again.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.contains(&cause) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&cause);
    }
    line
}

/// Whether the reader of our output has gone.
pub(crate) fn is_closed_output(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow!("no such key")
            .context("header: no such key")
            .context("statement");
        assert_eq!(told(&error), "statement: header: no such key");
        assert_eq!(told(&anyhow!("alone")), "alone");
    }

    #[test]
    fn a_reader_who_has_gone_is_known_under_any_context() {
        let gone = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(is_closed_output(&anyhow::Error::from(gone).context("standard output")));
        assert!(!is_closed_output(&anyhow!("standard output")));
    }
}
