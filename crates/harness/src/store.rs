use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::Record;

/// A file of records that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is no record.
    #[error("{path}:{line}: not a benchmark record: {source}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
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
}

/// Adds one record as a line of JSON and waits until it is on disk, so that a later crash loses nothing. A last line
/// without its end, from a run that was killed, is cut off first.
///
/// # Errors
/// If the file cannot be opened, written or synced.
pub fn append(path: &Path, record: &Record) -> Result<(), StoreError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(StoreError::io(folder))?;
    }
    let mut line = serde_json::to_vec(record).expect("a record has only string keys");
    line.push(b'\n');
    let write = |mut file: File| {
        cut_torn_line(&mut file)?;
        file.write_all(&line)?;
        file.sync_data()
    };
    OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .open(path)
        .and_then(write)
        .map_err(StoreError::io(path))
}

/// Cuts off a last line without its end.
pub(crate) fn cut_torn_line(file: &mut File) -> io::Result<()> {
    const STEP: u64 = 64 << 10;
    let whole = file.seek(SeekFrom::End(0))?;
    let mut end = whole;
    while end > 0 {
        let begin = end.saturating_sub(STEP);
        let mut part = vec![0; usize::try_from(end - begin).expect("at most a step")];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(&mut part)?;
        if let Some(last) = part.iter().rposition(|byte| *byte == b'\n') {
            end = begin + last as u64 + 1;
            break;
        }
        end = begin;
    }
    if end < whole {
        file.set_len(end)?;
    }
    Ok(())
}

/// The records of a file, in order. A last line without its end, from a run that was killed, is passed over.
///
/// # Errors
/// If the file cannot be read or another line is no record.
pub fn read(path: &Path) -> Result<Vec<Record>, StoreError> {
    let text = fs::read_to_string(path).map_err(StoreError::io(path))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|source| StoreError::Line {
                path: path.to_owned(),
                line: index + 1,
                source,
            })
        })
        .collect()
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

    #[test]
    fn a_file_that_is_one_torn_line_is_begun_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("records.jsonl");
        fs::write(&path, vec![b'x'; 200_000]).expect("written");
        let record = record("preprocess/decode", Ok(vec![3]));
        append(&path, &record).expect("written");
        assert_eq!(read(&path).expect("readable"), [record]);
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
