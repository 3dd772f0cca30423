use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use crate::Record;
use crate::lines::{self, Line};

/// A file of records that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A line is no record.
    #[error("{path}:{line}: not a benchmark record: {source}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The fault.
        source: serde_json::Error,
    },
}

impl StoreError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    fn line(path: &Path, line: usize, source: serde_json::Error) -> Self {
        Self::Line {
            path: path.to_owned(),
            line,
            source,
        }
    }
}

/// The beginning of each line that [`append`] writes.
const HEAD: &str = "{\"schema\":";

/// Adds one record as a line of JSON and waits until it is on disk, so that a later crash loses nothing. Processes that append to
/// one file take turns.
///
/// A last line that a killed run left torn is cut off first; one that lacks only its line feed gets it.
///
/// # Errors
/// If the file cannot be opened, written or synced, or holds anything but records: it is then left as it is.
pub fn append(path: &Path, record: &Record) -> Result<(), StoreError> {
    let io = |error| StoreError::io(path)(error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(StoreError::io(folder))?;
    }
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .open(path)
        .map_err(io)?;
    // Held until the file is closed: nobody else looks at its end before this line is whole.
    files::lock(&file).map_err(io)?;
    check_first(path, &file)?;
    if let Err(foreign) = lines::mend_end::<Record>(&mut file, HEAD).map_err(io)? {
        let line = number(&mut file, foreign.at).map_err(io)?;
        return Err(StoreError::line(path, line, foreign.fault));
    }
    let mut line = serde_json::to_vec(record).expect("a record has only string keys");
    line.push(b'\n');
    lines::add(&mut file, &line).map_err(io)
}

/// Refuses a file whose first line is whole and no record: whatever it is, it is not ours to add to.
fn check_first(path: &Path, file: &File) -> Result<(), StoreError> {
    let mut first = Vec::new();
    let mut reader = BufReader::new(file);
    reader.rewind().map_err(StoreError::io(path))?;
    for number in 1.. {
        first.clear();
        let read = reader
            .read_until(b'\n', &mut first)
            .map_err(StoreError::io(path))?;
        if read == 0 || first.last() != Some(&b'\n') {
            break;
        }
        let line = lines::without_mark(&first).trim_ascii();
        if !line.is_empty() {
            return match Line::<Record>::of(line).fault {
                None => Ok(()),
                Some(fault) => Err(StoreError::line(path, number, fault)),
            };
        }
    }
    Ok(())
}

/// The number of the line that begins there.
fn number(file: &mut File, begin: u64) -> io::Result<usize> {
    file.rewind()?;
    let mut before = Vec::new();
    file.take(begin).read_to_end(&mut before)?;
    Ok(before.iter().filter(|byte| **byte == b'\n').count() + 1)
}

/// The records of a file, in order. The last one counts with or without its line feed; a last line that a killed run left torn
/// is passed over.
///
/// # Errors
/// If the file cannot be read or a line is no record.
pub fn read(path: &Path) -> Result<Vec<Record>, StoreError> {
    let text = files::read_file(path, files::LARGEST_TEXT).map_err(StoreError::io(path))?;
    let text = lines::without_mark(&text);
    let ends = text.iter().filter(|byte| **byte == b'\n').count();
    let mut records = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let is_last = index == ends;
        let line = if is_last { lines::without_zeros(line) } else { line };
        let parsed = Line::<Record>::of(line);
        match parsed.fault {
            Some(_) if is_last && parsed.is_torn(line, HEAD) => {}
            Some(fault) => return Err(StoreError::line(path, index + 1, fault)),
            None => {}
        }
        records.extend(parsed.values);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Provenance;

    fn record(case: &str, result: Result<Vec<u64>, String>) -> Record {
        Record::new(
            case.parse().expect("a case"),
            Record::now(),
            result,
            Provenance::default(),
        )
    }

    #[test]
    fn records_come_back_and_a_torn_line_is_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/records.jsonl");
        let first = record("HRNet_W18_C/f32/bs1/crop224/candle/t2", Ok(vec![3, 1, 2]));
        let second = record("preprocess/decode", Err("no such file".into()));
        append(&path, &first).expect("written");
        append(&path, &second).expect("written");
        let mut text = fs::read_to_string(&path).expect("the file");
        assert!(
            text.contains(r#""case":"HRNet_W18_C/f32/bs1/crop224/candle/t2""#),
            "{text}"
        );
        assert!(text.contains(r#""samples_ns":[3,1,2]"#), "{text}");
        text.push_str(r#"{"schema":1,"case":"prep"#);
        fs::write(&path, text).expect("written");
        assert_eq!(read(&path).expect("readable"), [first.clone(), second.clone()]);
        assert_eq!(first.summary().expect("measured").median_ns, 2.0);
        assert_eq!(second.outcome(), crate::Outcome::Failed("no such file"));

        append(&path, &first).expect("written");
        assert_eq!(
            read(&path).expect("the torn line is gone"),
            [first.clone(), second, first]
        );
    }

    /// A file with this text.
    fn file(folder: &Path, text: impl AsRef<[u8]>) -> PathBuf {
        let path = folder.join("records.jsonl");
        fs::write(&path, text).expect("written");
        path
    }

    fn line(record: &Record) -> String {
        serde_json::to_string(record).expect("JSON")
    }

    #[test]
    fn a_file_that_is_one_torn_line_is_begun_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let record = record("preprocess/decode", Ok(vec![3; 40_000]));
        let whole = line(&record);
        for cut in [1, 5, HEAD.len(), HEAD.len() + 1, 30, whole.len() - 1] {
            for zeros in [0, 3] {
                let text = [&whole.as_bytes()[..cut], &vec![0; zeros]].concat();
                let path = file(folder.path(), text);
                assert!(read(&path).expect("nothing").is_empty(), "{cut}");
                append(&path, &record).expect("written");
                assert_eq!(read(&path).expect("readable"), std::slice::from_ref(&record));
            }
        }
    }

    #[test]
    fn a_last_record_counts_without_its_line_feed_and_keeps_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, second) = (
            record("preprocess/decode", Ok(vec![1])),
            record("preprocess/decode", Ok(vec![2])),
        );
        let (a, b) = (line(&first), line(&second));
        for text in [
            format!("{a}\n{b}"),
            format!("{a}\r\n{b}  "),
            format!("\u{feff}{a}\n\n{b}"),
            // `cat` of two files, the first without its last line feed.
            format!("{a}{b}\n"),
        ] {
            let path = file(folder.path(), &text);
            assert_eq!(
                read(&path).expect("readable"),
                [first.clone(), second.clone()],
                "{text}"
            );
            append(&path, &first).expect("written");
            let all = [first.clone(), second.clone(), first.clone()];
            assert_eq!(read(&path).expect("readable"), all, "{text}");
        }
    }

    #[test]
    fn the_only_record_of_a_file_without_a_line_feed_is_read_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = include_str!("../tests/no_newline.jsonl");
        assert!(!text.ends_with('\n'));
        let path = file(folder.path(), text);
        let first = read(&path).expect("readable");
        assert_eq!((first.len(), first[0].samples_ns.len()), (1, 9));
        append(&path, &first[0]).expect("written");
        assert_eq!(
            read(&path).expect("readable"),
            [first[0].clone(), first[0].clone()]
        );
        assert!(fs::read_to_string(&path).expect("a file").starts_with(text));
    }

    #[test]
    fn a_file_that_is_not_records_is_never_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let ours = record("preprocess/decode", Ok(vec![1]));
        let foreign = [
            "x".repeat(200_000),
            "mine".into(),
            "mine\n".into(),
            "{\"mine\": [1, 2".into(),
            "{\"mine\": 1}".into(),
            "[1, 2]".into(),
            "\n\n# Mine\ntext".into(),
            format!("{}\nmine", line(&ours)),
            format!("{}\n{{\"case\": 3}}", line(&ours)),
            format!("{} mine", line(&ours)),
            "\0\0\0x".into(),
            "{\n  \"schema\": 1".into(),
        ];
        for text in foreign {
            let path = file(folder.path(), &text);
            let error = append(&path, &ours).expect_err(&text).to_string();
            assert!(error.contains("not a benchmark record"), "{error}");
            assert_eq!(fs::read_to_string(&path).expect("a file"), text);
            read(&path).expect_err(&text);
        }
    }

    #[test]
    fn processes_that_append_to_one_file_lose_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let record = record("preprocess/decode", Ok(vec![7; 3_000]));
        let path = file(folder.path(), &line(&record)[..50]);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..20).for_each(|_| append(&path, &record).expect("written")));
            }
        });
        assert_eq!(read(&path).expect("readable").len(), 160);
    }

    #[test]
    fn who_appends_waits_for_who_holds_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let ours = record("preprocess/decode", Ok(vec![1]));
        let path = file(folder.path(), &line(&ours)[..20]);
        let held = File::options().append(true).open(&path).expect("opened");
        held.lock().expect("free");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| append(&path, &ours).expect("written"));
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(!waiting.is_finished());
            assert_eq!(
                fs::metadata(&path).expect("a file").len(),
                20,
                "nothing is cut meanwhile"
            );
            drop(held);
        });
        assert_eq!(read(&path).expect("readable"), [ours]);
    }

    #[test]
    fn a_foreign_line_is_an_error_with_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("records.jsonl");
        fs::write(&path, "\n{\"case\": 3}\n").expect("written");
        let error = read(&path).expect_err("no record").to_string();
        assert!(
            error.contains("records.jsonl:2: not a benchmark record"),
            "{error}"
        );
        assert!(read(&folder.path().join("none")).is_err());
    }
}
