use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::{Answer, Answered, Header};
use crate::lines::{self, Line};

/// A file of answers that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Another process writes it.
    #[error("{path}: another process is writing it")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A line is not what it should be.
    #[error("{path}:{line}: {why}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The reason.
        why: String,
        /// The error of the JSON reader, if the line is no JSON of this form.
        source: Option<serde_json::Error>,
    },
    /// It holds another evaluation.
    #[error("{path} holds another evaluation: {difference}")]
    Other {
        /// The file.
        path: PathBuf,
        /// The settings that differ, each with both values.
        difference: String,
    },
}

impl EvalError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// The beginning of a header.
const HEADER: &str = "{\"eval\":";
/// The beginning of an answer, of whatever kind.
const ANSWER: &str = "{\"image\":";

/// A file of answers that is being written, by this process alone.
#[derive(Debug)]
pub struct Book<A = Answer> {
    path: PathBuf,
    file: File,
    answers: Vec<A>,
}

impl<A: Answered> Book<A> {
    /// Begins the file, or goes on with it if it holds the same evaluation; a line that a kill cut short is dropped.
    ///
    /// # Errors
    /// If it holds anything else, another process writes it, or the file system says no.
    pub fn open(path: &Path, header: &Header) -> Result<Self, EvalError> {
        let io = |error| EvalError::io(path)(error);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(EvalError::io(folder))?;
        }
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(EvalError::Busy {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let has_header = has_line(&mut file).map_err(io)?;
        if !has_header {
            mend_end::<A, Header>(path, &mut file, HEADER)?;
        }
        let answers = if file.metadata().map_err(io)?.len() == 0 {
            let mut line = serde_json::to_vec(header).expect("our types have string keys");
            line.push(b'\n');
            lines::add(&mut file, &line).map_err(io)?;
            Vec::new()
        } else {
            let (found, answers) = read_answers(path)?;
            let shard = (found.shard != header.shard)
                .then(|| format!("shard: expected {}, found {}", header.shard, found.shard));
            if let Some(difference) = header.key.difference(&found.key).or(shard) {
                let path = path.to_owned();
                return Err(EvalError::Other { path, difference });
            }
            // Not before it is known to be ours.
            mend_end::<A, A>(path, &mut file, ANSWER)?;
            answers
        };
        Ok(Self {
            path: path.to_owned(),
            file,
            answers,
        })
    }

    /// All answers so far.
    pub fn answers(&self) -> &[A] {
        &self.answers
    }

    /// Adds answers and waits until they are on disk.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn add(&mut self, answers: Vec<A>) -> Result<(), EvalError> {
        let mut text = Vec::new();
        for answer in &answers {
            serde_json::to_writer(&mut text, answer).expect("our types have string keys");
            text.push(b'\n');
        }
        lines::add(&mut self.file, &text).map_err(EvalError::io(&self.path))?;
        self.answers.extend(answers);
        Ok(())
    }
}

/// Has the file end in a whole line: what a kill cut short is dropped, a line that lacks only its end gets it.
fn mend_end<A: Answered, T: DeserializeOwned>(
    path: &Path,
    file: &mut File,
    head: &str,
) -> Result<(), EvalError> {
    match lines::mend_end::<T>(file, head).map_err(EvalError::io(path))? {
        Ok(()) => Ok(()),
        // Reading it again tells which line it is.
        Err(foreign) => read_answers::<A>(path).and(Err(EvalError::Line {
            path: path.to_owned(),
            line: 1,
            why: foreign.fault.to_string(),
            source: Some(foreign.fault),
        })),
    }
}

/// Returns `true` if the file has a first line with its end.
fn has_line(file: &mut File) -> io::Result<bool> {
    file.rewind()?;
    let mut first = Vec::new();
    BufReader::new(&*file).read_until(b'\n', &mut first)?;
    Ok(first.ends_with(b"\n"))
}

/// Returns `true` if a line is the beginning of a value that a killed run left.
fn is_torn<T: DeserializeOwned>(line: &str, head: &str) -> bool {
    Line::<T>::of(line.as_bytes()).is_torn(line.as_bytes(), head)
}

fn read_answers<A: Answered>(path: &Path) -> Result<(Header, Vec<A>), EvalError> {
    let text = files::read_file(path, files::LARGEST_TEXT).map_err(EvalError::io(path))?;
    // A kill may have cut a letter in two.
    parse_answers(&String::from_utf8_lossy(&text), path)
}

/// The header and the answers of a file of this text and name. The last line counts with or without its line feed; what a
/// killed run left torn of it is passed over.
///
/// # Errors
/// If another line is not what it should be.
pub fn parse_answers<A: Answered>(text: &str, path: &Path) -> Result<(Header, Vec<A>), EvalError> {
    let bad = |line: usize, why: String, source: Option<serde_json::Error>| EvalError::Line {
        path: path.to_owned(),
        line,
        why,
        source,
    };
    let text = text.trim_end_matches('\0');
    let last = text.rfind('\n').map_or(0, |end| end + 1);
    // A torn header is none.
    let text = if last == 0 && is_torn::<Header>(text, HEADER) {
        ""
    } else {
        text
    };
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if first.is_empty() {
        return Err(bad(
            1,
            "the file is empty: expected an evaluation's header".into(),
            None,
        ));
    }
    let header: Header = serde_json::from_str(first).map_err(|error| {
        bad(
            1,
            format!("not the header of an evaluation: {error}"),
            Some(error),
        )
    })?;
    if header.eval != Header::SCHEMA {
        let (found, known) = (header.eval, Header::SCHEMA);
        return Err(bad(
            1,
            format!("form {found} of evaluations: this program knows {known}"),
            None,
        ));
    }
    let mut answers = Vec::new();
    let ends = rest.matches('\n').count();
    for (index, line) in rest.split('\n').enumerate() {
        let parsed = Line::<A>::of(line.as_bytes());
        match parsed.fault {
            Some(_) if index == ends && parsed.is_torn(line.as_bytes(), ANSWER) => {}
            Some(fault) => return Err(bad(index + 2, format!("no answer: {fault}"), Some(fault))),
            None => {}
        }
        answers.extend(parsed.values);
    }
    Ok((header, answers))
}

#[cfg(test)]
mod tests {
    use super::super::Shard;
    use super::super::testing::{answer, header};
    use super::*;

    #[test]
    fn a_book_goes_on_where_it_was_cut_and_refuses_another_evaluation() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/eval.jsonl");
        let header = header(3, Shard::WHOLE);
        let mut book = Book::<Answer>::open(&path, &header).expect("begun");
        book.add(vec![answer(2, Some(0)), answer(0, None)])
            .expect("written");
        assert!(matches!(
            Book::<Answer>::open(&path, &header),
            Err(EvalError::Busy { .. })
        ));
        drop(book);
        let mut text = fs::read_to_string(&path).expect("readable");
        text.push_str(r#"{"image":1,"top":[4"#);
        fs::write(&path, text).expect("written");

        let mut book = Book::<Answer>::open(&path, &header).expect("goes on");
        assert_eq!(book.answers(), [answer(2, Some(0)), answer(0, None)]);
        book.add(vec![answer(1, Some(3))]).expect("written");
        drop(book);
        let (_, answers) = read_answers::<Answer>(&path).expect("readable");
        assert_eq!(answers.len(), 3);

        // Without its last line feed it is as whole.
        let text = fs::read_to_string(&path).expect("readable");
        fs::write(&path, text.trim_end()).expect("written");
        assert_eq!(read_answers::<Answer>(&path).expect("readable").1.len(), 3);
        drop(Book::<Answer>::open(&path, &header).expect("goes on"));
        assert_eq!(fs::read_to_string(&path).expect("readable"), text);

        let mut other = header.clone();
        other.key.weights = "seeded:1".into();
        let error = Book::<Answer>::open(&path, &other)
            .expect_err("other weights")
            .to_string();
        assert!(
            error.contains("holds another evaluation: weights: expected seeded:1, found seeded:0"),
            "{error}"
        );
        other.key.weights.clone_from(&header.key.weights);
        other.shard = Shard { index: 1, of: 2 };
        let error = Book::<Answer>::open(&path, &other)
            .expect_err("another shard")
            .to_string();
        assert!(error.contains("shard: expected 1/2, found 0/1"), "{error}");
    }

    #[test]
    fn foreign_files_are_refused_with_their_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("eval.jsonl");
        let error = |text: &str| {
            fs::write(&path, text).expect("written");
            read_answers::<Answer>(&path)
                .expect_err("no evaluation")
                .to_string()
        };
        assert!(error("").contains("eval.jsonl:1: the file is empty"));
        assert!(error("{}\n").contains("eval.jsonl:1: not the header"));
        for text in ["mine", "{\"mine\": [1", "mine\n{\"image\":1"] {
            fs::write(&path, text).expect("written");
            let refused = Book::<Answer>::open(&path, &header(3, Shard::WHOLE)).expect_err("no evaluation");
            assert!(
                refused.to_string().contains("eval.jsonl:1: not the header"),
                "{refused}"
            );
            assert_eq!(
                fs::read_to_string(&path).expect("a file"),
                text,
                "it stays as it is"
            );
        }
        let line = serde_json::to_string(&header(3, Shard::WHOLE)).expect("JSON");
        let foreign = format!("{line}\nmine");
        fs::write(&path, &foreign).expect("written");
        let refused = Book::<Answer>::open(&path, &header(3, Shard::WHOLE)).expect_err("no answer");
        assert!(
            refused.to_string().contains("eval.jsonl:2: no answer"),
            "{refused}"
        );
        assert_eq!(fs::read_to_string(&path).expect("a file"), foreign);
        assert!(error(&format!("{line}\n{{\"top\":3}}\n")).contains("eval.jsonl:2: no answer"));
        let newer = line.replacen("\"eval\":1", "\"eval\":2", 1);
        assert!(error(&format!("{newer}\n")).contains("form 2 of evaluations: this program knows 1"));
    }
}
