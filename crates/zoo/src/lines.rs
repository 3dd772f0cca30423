//! Reads the output of other processes line by line, in bounded memory.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The longest line that is kept whole, in bytes; replies have a few dozen.
pub(crate) const LONGEST: usize = 64 << 10;

/// The most lines that wait to be read; a process that writes more waits, as on any full pipe.
const WAITING: usize = 16;

/// Lines of standard error that are kept for an error message, and the bytes of each.
const KEPT: usize = 12;
const KEPT_BYTES: usize = 1 << 10;

/// A line without its terminator; invalid UTF-8 is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    /// True if the line was longer and its rest was dropped.
    pub(crate) is_cut: bool,
}

/// Sends the lines of a stream as they arrive; the channel closes with the stream.
pub(crate) fn lines(stream: impl Read + Send + 'static) -> Receiver<Line> {
    let (sender, receiver) = mpsc::sync_channel(WAITING);
    std::thread::spawn(move || each_line(stream, LONGEST, |line| sender.send(line).is_ok()));
    receiver
}

/// The last lines of a stream that a thread of its own reads.
#[derive(Debug)]
pub(crate) struct LastLines {
    kept: Arc<Mutex<VecDeque<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl LastLines {
    pub(crate) fn of(stream: impl Read + Send + 'static) -> Self {
        let kept = Arc::<Mutex<VecDeque<String>>>::default();
        let keep = Arc::clone(&kept);
        let reader = std::thread::spawn(move || {
            each_line(stream, KEPT_BYTES, |Line { text, is_cut }| {
                let text = text.trim();
                if !text.is_empty() {
                    let mut kept = keep.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.push_back(format!("{text}{}", if is_cut { "…" } else { "" }));
                    if kept.len() > KEPT {
                        kept.pop_front();
                    }
                }
                true
            });
        });
        Self {
            kept,
            reader: Some(reader),
        }
    }

    /// Waits for the end of the stream, so that all lines are here.
    pub(crate) fn wait(&mut self) {
        let _ = self.reader.take().map(JoinHandle::join);
    }

    /// Returns the lines that are not blank, trimmed, the oldest first.
    pub(crate) fn texts(&self) -> Vec<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }
}

/// Passes each line to `take` until the stream ends or `take` returns false. Of a line longer than `longest` bytes, passes the
/// beginning as soon as it has arrived and drops the rest.
fn each_line(stream: impl Read, longest: usize, mut take: impl FnMut(Line) -> bool) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    // Whether what comes belongs to a line that was handed over.
    let mut passes_over = false;
    while let Ok(bytes) = reader.fill_buf() {
        if bytes.is_empty() {
            if !line.is_empty() {
                take(whole(&line));
            }
            break;
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        let used = part.len() + usize::from(end.is_some());
        if !passes_over {
            line.extend_from_slice(&part[..part.len().min(longest + 1 - line.len())]);
        }
        reader.consume(used);
        let is_cut = line.len() > longest;
        let goes_on = match (is_cut, end.is_some() && !passes_over) {
            (true, _) => {
                line.truncate(longest);
                let text = String::from_utf8_lossy(&line).into_owned();
                take(Line { text, is_cut })
            }
            (false, true) => take(whole(&line)),
            (false, false) => true,
        };
        if !goes_on {
            break;
        }
        passes_over = (passes_over || is_cut) && end.is_none();
        if is_cut || end.is_some() {
            line.clear();
        }
    }
}

fn whole(line: &[u8]) -> Line {
    Line {
        text: String::from_utf8_lossy(line).trim_end().to_owned(),
        is_cut: false,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn all(bytes: &[u8], longest: usize) -> Vec<(String, bool)> {
        let mut lines = Vec::new();
        each_line(bytes, longest, |line| {
            lines.push((line.text, line.is_cut));
            true
        });
        lines
    }

    #[test]
    fn lines_come_whole_up_to_the_limit_and_cut_beyond_it() {
        let lines = all(b"one\n\nfou \r\nlonger\nfive5\nlast", 5);
        let expected = [
            ("one", false),
            ("", false),
            ("fou", false),
            ("longe", true),
            ("five5", false),
            ("last", false),
        ];
        assert_eq!(lines, expected.map(|(text, is_cut)| (text.to_owned(), is_cut)));
        assert_eq!(all(b"\xff\n", 5), [("\u{fffd}".to_owned(), false)]);
        // Longer than any buffer between.
        let long = [vec![b'x'; 100_000], b"\nnext\n".to_vec()].concat();
        let lines = all(&long, 20_000);
        assert_eq!((lines[0].0.len(), lines[0].1), (20_000, true));
        assert_eq!(lines[1..], [("next".to_owned(), false)]);
    }

    #[test]
    fn a_line_without_end_is_handed_over_once_and_takes_no_more_memory() {
        let endless = io::repeat(b'x').take(32 << 20);
        let mut lengths = Vec::new();
        each_line(endless, LONGEST, |line| {
            lengths.push((line.text.len(), line.is_cut));
            true
        });
        assert_eq!(lengths, [(LONGEST, true)]);
    }

    /// Says `ok 1` for ever, and counts the bytes that were taken.
    struct Chatty(Arc<AtomicUsize>);

    impl Read for Chatty {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let text = b"ok 1\n";
            to[..text.len()].copy_from_slice(text);
            self.0.fetch_add(text.len(), Ordering::SeqCst);
            Ok(text.len())
        }
    }

    #[test]
    fn whoever_says_more_than_is_read_waits() {
        let taken = Arc::new(AtomicUsize::new(0));
        let lines = lines(Chatty(Arc::clone(&taken)));
        assert_eq!(lines.recv().expect("a line").text, "ok 1");
        // Time in which a reader without bounds would take megabytes.
        std::thread::sleep(Duration::from_millis(100));
        let most = 5 * (WAITING + 3);
        assert!(taken.load(Ordering::SeqCst) <= most, "{taken:?}");
    }

    #[test]
    fn the_last_lines_are_kept_each_up_to_its_limit() {
        let said: String = (0..100).map(|n| format!("line {n}\n\n")).collect();
        let said = format!("{said}{}\n", "y".repeat(5000));
        let mut last = LastLines::of(io::Cursor::new(said));
        last.wait();
        let texts = last.texts();
        assert_eq!((texts.len(), texts[0].as_str()), (KEPT, "line 89"));
        assert_eq!(texts[KEPT - 1], format!("{}…", "y".repeat(KEPT_BYTES)));
    }
}
