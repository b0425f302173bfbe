//! `healthid federation policy`: a stream of cases, a stream of answers.

use std::io::{BufRead, BufReader, BufWriter, Read as _, Write};

use anyhow::{Context as _, Result};

/// Longest line read, in bytes. The rest of a longer one is skipped, and it is answered as a broken case.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Answers every line of standard input; a broken one gets an error answer and the stream goes on.
pub(crate) fn run() -> Result<()> {
    // An input of one's own, because it tells whether more is waiting.
    answer(
        BufReader::new(std::io::stdin()),
        BufWriter::new(std::io::stdout().lock()),
    )
}

fn answer<R: std::io::Read>(mut input: BufReader<R>, mut output: impl Write) -> Result<()> {
    let mut line = Vec::new();
    while let Some(length) = read_line(&mut input, &mut line).context("standard input")? {
        let text = std::str::from_utf8(&line).unwrap_or_default().trim();
        if text.is_empty() && line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        // Text that is too long or not UTF-8 becomes the empty case, which is answered as broken.
        let case = if length > MAX_LINE_BYTES { "" } else { text };
        writeln!(output, "{}", federation::policy::run_case(case)).context("standard output")?;
        if input.buffer().is_empty() {
            // Whoever asks one case at a time waits for its answer before the next.
            output.flush().context("standard output")?;
        }
    }
    output.flush().context("standard output")
}

/// Reads a line into `line`, of which at most one byte more than [`MAX_LINE_BYTES`] is kept; gives its whole length, `None` at the end.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<Option<usize>> {
    line.clear();
    let mut length = input.by_ref().take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', line)?;
    if length == 0 {
        return Ok(None);
    }
    let mut is_complete = line.last() == Some(&b'\n');
    while !is_complete {
        let waiting = input.fill_buf()?;
        if waiting.is_empty() {
            break;
        }
        let end = waiting.iter().position(|byte| *byte == b'\n');
        let skipped = end.map_or(waiting.len(), |at| at + 1);
        is_complete = end.is_some();
        input.consume(skipped);
        length += skipped;
    }
    Ok(Some(length))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answers(input: &[u8]) -> Vec<serde_json::Value> {
        let mut output = Vec::new();
        answer(BufReader::with_capacity(16, input), &mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_case_has_one_answer_and_a_broken_one_ends_nothing() {
        let mut input = b"{\"metadata\":{\"a\":1}}\nnot json\n\xff\xfe\n\n".to_vec();
        input.extend_from_slice(format!("{{\"metadata\":\"{}\"}}\n", "x".repeat(MAX_LINE_BYTES)).as_bytes());
        input.extend_from_slice(b"{\"metadata\":{\"a\":2}}");
        let answers = answers(&input);
        let errors: Vec<bool> = answers.iter().map(|answer| answer.get("error").is_some()).collect();
        assert_eq!(errors, [false, true, true, true, false]);
        assert_eq!(answers[4]["resolved"]["a"], 2);
    }

    #[test]
    fn an_answer_comes_before_the_next_case_is_asked() {
        struct OneLine(Option<&'static [u8]>, std::rc::Rc<std::cell::Cell<usize>>);
        impl std::io::Read for OneLine {
            fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
                match self.0.take() {
                    Some(line) => {
                        into[..line.len()].copy_from_slice(line);
                        Ok(line.len())
                    }
                    // The next case is only asked after the answer to the first was flushed.
                    None => {
                        assert_eq!(self.1.get(), 1);
                        Ok(0)
                    }
                }
            }
        }
        struct Flushes(std::rc::Rc<std::cell::Cell<usize>>);
        impl Write for Flushes {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                self.0.set(self.0.get() + 1);
                Ok(())
            }
        }
        let flushes = std::rc::Rc::default();
        let input = OneLine(Some(b"{\"metadata\":{}}\n"), std::rc::Rc::clone(&flushes));
        answer(BufReader::new(input), Flushes(flushes)).unwrap();
    }
}
