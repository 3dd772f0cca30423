//! Notes on files: what the bytes of one were when all of them were last read, and what it looked like then, so that it need
//! not be read again.
//!
//! A note is worth as much as who wrote it: one that another user wrote, or may change, is none. And it is worth nothing
//! where the file had changed right before it was read: the clock of a file system goes in ticks, and what changes a file
//! twice within one leaves it looking the same (git's index knows this as the racy case).

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};

use files::Whole;

use crate::Digest;
use crate::cache::Cache;
use crate::whole::{make_folder, open_within};

/// Nanoseconds of a file system's clock since 1970.
type Moment = i128;

const SECOND: Moment = 1_000_000_000;

/// The longest time between two changes of a file that get the same time: a tick of the kernel is ten milliseconds at most.
const TICK: Moment = SECOND / 10;

/// The same where times have no fractions of a second: FAT counts in twos.
const COARSE_TICK: Moment = 2 * SECOND;

/// The version of a note's text.
const VERSION: u32 = 2;

/// More than any note has.
const LONGEST: u64 = 4096;

/// The metadata by which a file is recognised: size, times, device and inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    text: String,
    changed: Moment,
}

impl Stamp {
    /// The stamp of a file with this metadata.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let text = {
            use std::os::unix::fs::MetadataExt;
            format!(
                "size {} mtime {}.{:09} ctime {}.{:09} dev {} inode {}",
                metadata.len(),
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.ctime(),
                metadata.ctime_nsec(),
                metadata.dev(),
                metadata.ino(),
            )
        };
        #[cfg(not(unix))]
        let text = format!(
            "size {} mtime {:?} created {:?}",
            metadata.len(),
            metadata.modified(),
            metadata.created()
        );
        Self {
            text,
            changed: changed(metadata),
        }
    }
}

/// The time of the file's last change: its ctime, which nobody can set, if the system has one.
fn changed(metadata: &Metadata) -> Moment {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Moment::from(metadata.ctime()) * SECOND + Moment::from(metadata.ctime_nsec())
    }
    #[cfg(not(unix))]
    {
        let modified = metadata.modified().ok();
        let since = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        // A time that is not known is one that no reading is later than.
        since.map_or(Moment::MAX / 2, |since| since.as_nanos().cast_signed())
    }
}

/// A note on a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// The digest of its bytes.
    pub(crate) sha256: Digest,
    /// When reading them began, by the clock of the cache's file system.
    began: Moment,
    stamp: String,
}

impl Note {
    /// Returns whether a file with this stamp now is the one that was read, unchanged.
    pub(crate) fn holds(&self, now: &Stamp) -> bool {
        let tick = match now.changed % SECOND {
            0 => COARSE_TICK,
            _ => TICK,
        };
        self.stamp == now.text && now.changed.saturating_add(tick) < self.began
    }

    fn parse(name: &str, text: &str) -> Option<Self> {
        let rest = text.strip_prefix(&format!("{VERSION} file {name} sha256 "))?;
        let (sha256, rest) = rest.split_once(" began ")?;
        let (began, stamp) = rest.strip_suffix('\n')?.split_once(' ')?;
        Some(Self {
            sha256: sha256.parse().ok()?,
            began: began.parse().ok()?,
            stamp: stamp.to_owned(),
        })
    }
}

/// A note in the making, begun before the first byte of its file is read.
#[derive(Debug)]
pub(crate) struct Begun {
    file: Whole,
    name: String,
    began: Moment,
}

impl Begun {
    /// Notes what the bytes were, and what the file looked like meanwhile.
    pub(crate) fn write(mut self, sha256: Digest, stamp: &Stamp) -> io::Result<()> {
        let (name, began, stamp) = (&self.name, self.began, &stamp.text);
        let text = format!("{VERSION} file {name} sha256 {sha256} began {began} {stamp}\n");
        self.file.write_all(text.as_bytes())?;
        self.file.place()
    }
}

impl Cache {
    /// Reads the note of this user, or of the system's administrator, on the file of this name.
    pub(crate) fn noted(&self, name: &str) -> Option<Note> {
        names(name).iter().find_map(|note| {
            let file = open_within(&self.checked(), note).ok()?;
            if !is_trusted(&file.metadata().ok()?) {
                return None;
            }
            let mut text = String::new();
            file.take(LONGEST).read_to_string(&mut text).ok()?;
            Note::parse(name, &text)
        })
    }

    /// Begins a note on the file of this name.
    ///
    /// # Errors
    /// If it cannot be written, in a read-only cache say.
    pub(crate) fn begin_note(&self, name: &str) -> io::Result<Begun> {
        make_folder(&self.checked())?;
        let file = Whole::create(&self.checked().join(&names(name)[0]))?;
        let handle = file.handle()?;
        only_ours(&handle)?;
        let began = changed(&handle.metadata()?);
        Ok(Begun {
            file,
            name: name.to_owned(),
            began,
        })
    }
}

/// Whoever may change a note could have us believe anything, so no umask makes it anyone else's to write.
fn only_ours(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata()?.permissions().mode();
        file.set_permissions(std::fs::Permissions::from_mode(mode & 0o755))?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

/// The name of the file that a note is about.
pub(crate) fn subject(note: &str) -> &str {
    if cfg!(unix) {
        note.rsplit_once('.').map_or(note, |(name, _)| name)
    } else {
        note
    }
}

/// The names of notes on a file: our own, where we write, and the administrator's.
fn names(name: &str) -> Vec<String> {
    #[cfg(unix)]
    {
        let user = rustix::process::geteuid().as_raw();
        vec![format!("{name}.{user}"), format!("{name}.0")]
    }
    #[cfg(not(unix))]
    vec![name.to_owned()]
}

/// Returns whether nobody but this user and the administrator can have written a file.
fn is_trusted(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let owner = metadata.uid();
        let is_ours = owner == 0 || owner == rustix::process::geteuid().as_raw();
        is_ours && metadata.mode() & 0o022 == 0
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(changed: Moment) -> Stamp {
        Stamp {
            text: "size 5".into(),
            changed,
        }
    }

    fn note(began: Moment) -> Note {
        Note {
            sha256: Digest([7; 32]),
            began,
            stamp: "size 5".into(),
        }
    }

    #[test]
    fn what_changed_within_a_tick_of_being_read_is_read_again() {
        let changed = 100 * SECOND + 5;
        assert!(note(changed + TICK + 1).holds(&stamp(changed)));
        for began in [changed + TICK, changed, changed - SECOND, 0] {
            assert!(!note(began).holds(&stamp(changed)), "{began}");
        }
        let whole = 100 * SECOND;
        assert!(
            !note(whole + SECOND).holds(&stamp(whole)),
            "a clock of two seconds"
        );
        assert!(note(whole + 3 * SECOND).holds(&stamp(whole)));
        let mut other = stamp(changed);
        other.text = "size 6".into();
        assert!(!note(changed + SECOND).holds(&other));
    }

    #[test]
    fn a_note_is_of_one_file_and_of_one_version() {
        let note = note(100 * SECOND);
        let Note { sha256, began, stamp } = &note;
        let text = |version: u32| format!("{version} file a sha256 {sha256} began {began} {stamp}\n");
        assert_eq!(Note::parse("a", &text(VERSION)), Some(note.clone()));
        assert_eq!(Note::parse("b", &text(VERSION)), None, "the note of another file");
        assert_eq!(Note::parse("a", &text(1)), None);
        let cut = text(VERSION);
        assert_eq!(Note::parse("a", &cut[..cut.len() - 1]), None);
    }
}
