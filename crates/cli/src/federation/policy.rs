//! `healthid federation policy`: a stream of cases, a stream of answers.

use std::io::{BufRead as _, BufWriter, Write as _};

use anyhow::{Context as _, Result};

/// Longest line read, in bytes. A longer one is answered as a broken case.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Answers every line; a broken one gets an error answer and the stream goes on.
pub(crate) fn run() -> Result<()> {
    let mut input = std::io::stdin().lock();
    let mut output = BufWriter::new(std::io::stdout().lock());
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.read_until(b'\n', &mut line).context("standard input")?;
        if read == 0 {
            break;
        }
        let text = std::str::from_utf8(&line).unwrap_or_default().trim();
        if text.is_empty() && line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        // Text that is too long or not UTF-8 becomes the empty case, which is answered as broken.
        let case = if line.len() > MAX_LINE_BYTES { "" } else { text };
        let answer = federation::policy::run_case(case);
        writeln!(output, "{answer}").context("standard output")?;
    }
    output.flush().context("standard output")
}
