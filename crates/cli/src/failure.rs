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
}
