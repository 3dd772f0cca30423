//! Downloads that are not finished, kept from one run to the next.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::http::is_strong;
use crate::owner;
use crate::ranges::Ranges;
use crate::whole::make_folder;
use files::{no_follow, open_regular, sync_folder};

/// The most of a journal that is read: a line for each note, far more than a download makes.
const LONGEST_JOURNAL: u64 = 16 << 20;

/// A download's bytes, owned by this process: nobody else writes to the same file, whatever others believe.
///
/// A partial that its last owner laid down is taken up by renaming its folder. One whose owner seems to have died is
/// taken by renaming too, but its bytes are copied to a new file: an owner that lives after all writes to the old one.
pub(crate) struct Partial {
    owned: PathBuf,
    /// The folder in which it is left for the next process, if it may be.
    free: Option<PathBuf>,
    journal: File,
    /// The ranges of the file that are there.
    pub(crate) filled: Ranges,
    /// The place that it came from, if all of it came from one.
    pub(crate) origin: Option<Origin>,
}

/// One version of one URL's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) url: String,
    pub(crate) etag: Option<String>,
    /// The size of the whole, if the server announced it.
    #[serde(default)]
    pub(crate) total: Option<u64>,
}

impl Partial {
    /// Takes up the download of this key, or begins one; a dead owner is one who noted nothing for `lease`.
    pub(crate) fn claim(cache: &Cache, key: &str, lease: Duration) -> io::Result<Self> {
        match Self::try_claim(cache, key, lease) {
            // Somebody took it from us at once.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::alone(cache),
            result => result,
        }
    }

    fn try_claim(cache: &Cache, key: &str, lease: Duration) -> io::Result<Self> {
        let folder = cache.partials();
        let owned = folder.join(format!("{key}.{}", owner::name()));
        let free = folder.join(key);
        // What lies behind a link in the folder's place is not ours.
        make_folder(&folder)?;
        let taken_up = fs::rename(&free, &owned).is_ok();
        let abandoned = || owner::abandoned(&folder, key, lease).into_iter();
        let found = taken_up || abandoned().any(|folder| fs::rename(folder, &owned).is_ok());
        let kept = if found { salvage(&owned, !taken_up)? } else { None };
        if kept.is_none() {
            empty(&folder, &owned)?;
        }
        Self::begin(owned, Some(free), kept.unwrap_or_default())
    }

    /// Begins a download under a name that no other process looks for, after another one took the partial.
    pub(crate) fn alone(cache: &Cache) -> io::Result<Self> {
        let folder = cache.partials();
        let owned = folder.join(format!("alone.{}", owner::name()));
        empty(&folder, &owned)?;
        Self::begin(owned, None, Default::default())
    }

    fn begin(
        owned: PathBuf,
        free: Option<PathBuf>,
        (filled, origin): (Ranges, Option<Origin>),
    ) -> io::Result<Self> {
        let journal = File::create_new(owned.join("journal"))?;
        let mut partial = Self {
            owned,
            free,
            journal,
            filled,
            origin,
        };
        partial.rewrite()?;
        Ok(partial)
    }

    fn data(&self) -> PathBuf {
        self.owned.join("data")
    }

    /// A handle to write the bytes with.
    pub(crate) fn writer(&self) -> io::Result<File> {
        let mut options = File::options();
        options.write(true);
        no_follow(&mut options);
        options.open(self.data())
    }

    /// A handle to read the bytes with.
    pub(crate) fn reader(&self) -> io::Result<File> {
        open_regular(&self.data())
    }

    /// Notes that a range is there. Its bytes have been written, so they outlive this process.
    pub(crate) fn note(&self, range: &std::ops::Range<u64>) -> io::Result<()> {
        let line = format!("{} {}\n", range.start, range.end);
        (&self.journal).write_all(line.as_bytes())
    }

    /// Forgets all bytes: the next ones come from this place.
    pub(crate) fn restart(&mut self, origin: Option<Origin>) -> io::Result<()> {
        self.filled = Ranges::default();
        self.origin = origin;
        self.rewrite()
    }

    /// The bytes that come from now on are this place's too.
    pub(crate) fn adopt(&mut self, origin: Origin) -> io::Result<()> {
        if self.origin.as_ref() == Some(&origin) {
            return Ok(());
        }
        self.origin = Some(origin);
        self.rewrite()
    }

    /// Returns whether every byte of a file of this size is there, and no other.
    pub(crate) fn holds(&self, total: u64) -> bool {
        self.filled.gap(0, total).is_none() && self.filled.len() == total
    }

    /// The folder it lies in while it is worked on.
    pub(crate) fn folder(&self) -> &Path {
        &self.owned
    }

    /// Returns whether another process may take it, if it takes us for dead.
    pub(crate) fn is_shared(&self) -> bool {
        self.free.is_some()
    }

    /// Takes a copy of a file's bytes for what is there.
    pub(crate) fn seed(&mut self, from: &mut File) -> io::Result<()> {
        let length = io::copy(from, &mut self.writer()?)?;
        self.filled.insert(0..length);
        self.rewrite()
    }

    /// Writes the journal anew. A crash on the way forgets bytes that are there, and takes none for there.
    fn rewrite(&mut self) -> io::Result<()> {
        let path = self.owned.join("journal");
        fs::remove_file(&path)?;
        self.journal = File::options().append(true).create_new(true).open(path)?;
        let mut text = serde_json::to_string(&self.origin).map_err(io::Error::other)? + "\n";
        for range in self.filled.iter() {
            text.push_str(&format!("{} {}\n", range.start, range.end));
        }
        self.journal.write_all(text.as_bytes())
    }

    /// Publishes the bytes, which are `total` long and verified, in place of what was at `path`.
    pub(crate) fn publish(self, path: &Path, total: u64) -> io::Result<()> {
        let file = self.writer()?;
        file.set_len(total)?;
        file.sync_all()?;
        drop(file);
        let folder = files::folder_of(path);
        make_folder(folder)?;
        fs::rename(self.data(), path)?;
        sync_folder(folder)?;
        // Dropped, it removes what is left of itself.
        Ok(())
    }
}

impl Drop for Partial {
    /// Lays the partial down for the next one, unless there is nothing in it.
    fn drop(&mut self) {
        let keeps = self.filled.len() > 0 && fs::symlink_metadata(self.data()).is_ok();
        let free = self.free.as_ref().filter(|_| keeps);
        if free.is_none_or(|free| fs::rename(&self.owned, free).is_err()) {
            let _ = fs::remove_dir_all(&self.owned);
        }
    }
}

/// Makes the folder of a download without bytes. The folder above it may go at the same moment: another process that
/// fetched in vain leaves no empty one behind.
fn empty(above: &Path, owned: &Path) -> io::Result<()> {
    let make = || {
        make_folder(above)?;
        fs::create_dir(owned)
    };
    let again = |error: io::Error| {
        if error.kind() == io::ErrorKind::NotFound {
            make()
        } else {
            Err(error)
        }
    };
    make().or_else(again)?;
    File::create_new(owned.join("data")).map(drop)
}

/// Keeps the noted bytes of a partial that was found, in a file that only we write to.
fn salvage(folder: &Path, copy: bool) -> io::Result<Option<(Ranges, Option<Origin>)>> {
    let kept = read(folder, copy).unwrap_or(None);
    if kept.is_none() {
        // A link in the folder's place is removed itself; what it leads to is not ours.
        match fs::symlink_metadata(folder)?.is_dir() {
            true => fs::remove_dir_all(folder)?,
            false => fs::remove_file(folder)?,
        }
    }
    Ok(kept)
}

fn read(folder: &Path, copy: bool) -> io::Result<Option<(Ranges, Option<Origin>)>> {
    if !fs::symlink_metadata(folder)?.is_dir() {
        return Ok(None);
    }
    let (data, journal) = (folder.join("data"), folder.join("journal"));
    let mut file = open_regular(&data)?;
    let noted = read_journal(&journal, file.metadata()?.len())?;
    fs::remove_file(&journal)?;
    if copy || !only_name(&file.metadata()?) {
        let copied = folder.join("data.copy");
        let _ = fs::remove_file(&copied);
        io::copy(&mut file, &mut File::create_new(&copied)?)?;
        fs::rename(&copied, &data)?;
    }
    Ok(noted)
}

/// The ranges that are noted as there, of a file of this length.
fn read_journal(path: &Path, length: u64) -> io::Result<Option<(Ranges, Option<Origin>)>> {
    let text = io::read_to_string(open_regular(path)?.take(LONGEST_JOURNAL))?;
    let mut lines = text.split_inclusive('\n');
    let origin = lines.next().and_then(|line| serde_json::from_str(line).ok());
    let Some(mut origin): Option<Option<Origin>> = origin else {
        return Ok(None);
    };
    if let Some(origin) = &mut origin {
        // It goes into a request.
        origin.etag = origin.etag.take().filter(|etag| is_strong(etag));
    }
    let mut filled = Ranges::default();
    // The last line may be cut off.
    for line in lines.filter_map(|line| line.strip_suffix('\n')) {
        let range = line.split_once(' ');
        let range = range.and_then(|(start, end)| Some(start.parse().ok()?..end.parse::<u64>().ok()?));
        filled.insert(range.map_or(0..0, |range| range.start..range.end.min(length)));
    }
    Ok(Some((filled, origin)))
}

/// The number of bytes that an interrupted download of this key has left.
pub(crate) fn kept(cache: &Cache, key: &str) -> u64 {
    let folder = cache.partials().join(key);
    let length = fs::symlink_metadata(folder.join("data")).map_or(0, |data| data.len());
    let noted = read_journal(&folder.join("journal"), length).ok().flatten();
    noted.map_or(0, |(filled, _)| filled.len())
}

/// Returns whether a file has no second name, under which others may know it.
fn only_name(metadata: &fs::Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::nlink(metadata) == 1;
    #[cfg(not(unix))]
    true
}
