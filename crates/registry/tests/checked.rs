//! The door to the cache: what is read in full, what is taken on a note, and which notes are believed.
#![cfg(unix)]

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use common::{Bench, body, known, serve};
use registry::{Cache, Check, Checked, Digest, FetchError};

const SIZE: usize = 200_000;

/// Longer than a tick of any clock.
const LATER: Duration = Duration::from_millis(250);

/// A bench with its file, which has been there for a while.
fn fetched() -> (Bench, PathBuf) {
    let server = serve(&body(SIZE), &[]);
    let bench = Bench::of(&server, &known(&body(SIZE)));
    let path = bench.fetch().expect("fetched").file.path;
    sleep(LATER);
    (bench, path)
}

fn open(bench: &Bench) -> Result<Check, FetchError> {
    let found = bench.fetcher.cache.open(&bench.artifact, &bench.lock(), false);
    found.map(|found| found.expect("there").check)
}

/// The notes on files whose names begin like this.
fn notes(cache: &Cache, begin: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache.root().join("checked")).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths
        .filter(|path| {
            path.file_name()
                .expect("a name")
                .to_string_lossy()
                .starts_with(begin)
        })
        .collect()
}

fn overwrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("readable");
    change(&mut bytes);
    fs::write(path, bytes).expect("written");
}

#[test]
fn a_file_is_read_once_and_then_known_by_its_looks() {
    let (bench, path) = fetched();
    assert_eq!(open(&bench).expect("right"), Check::Read);
    assert_eq!(open(&bench).expect("right"), Check::Stamp);
    let deep = bench.fetcher.cache.open(&bench.artifact, &bench.lock(), true);
    assert_eq!(deep.expect("right").expect("there").check, Check::Read);
    // Whatever touches it has it read again.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    assert_eq!(open(&bench).expect("right"), Check::Read);
    // A copy of the same bytes in its place is another file.
    let copied = path.with_file_name("copied");
    fs::copy(&path, &copied).expect("copied");
    fs::rename(&copied, &path).expect("renamed");
    assert_eq!(open(&bench).expect("right"), Check::Read);
}

#[test]
fn a_change_within_a_tick_of_being_read_is_seen() {
    let (bench, path) = fetched();
    for round in 0..200 {
        fs::write(&path, body(SIZE)).expect("written");
        open(&bench).expect("right again");
        overwrite(&path, |bytes| bytes[round * 7] ^= 1);
        let error = open(&bench).expect_err("changed at once").to_string();
        assert!(error.contains("found sha256"), "round {round}: {error}");
    }
}

#[test]
fn an_older_file_of_the_same_size_and_time_is_seen() {
    let (bench, path) = fetched();
    open(&bench).expect("right");
    let modified = fs::metadata(&path).expect("there").modified().expect("a time");
    // As `cp -a` and tar bring back what a backup held.
    let restored = path.with_file_name("restored");
    fs::copy(&path, &restored).expect("copied");
    overwrite(&restored, |bytes| bytes[SIZE / 2] ^= 0x40);
    let file = fs::File::options().write(true).open(&restored).expect("opened");
    file.set_modified(modified).expect("set back");
    fs::rename(&restored, &path).expect("renamed");
    open(&bench).expect_err("other bytes");
    overwrite(&path, |bytes| bytes.truncate(SIZE - 1));
    let error = open(&bench).expect_err("cut").to_string();
    assert!(error.contains("expected") || error.contains("bytes"), "{error}");
}

#[test]
fn notes_that_others_may_write_are_not_believed() {
    let (bench, _) = fetched();
    open(&bench).expect("right");
    let note = notes(&bench.fetcher.cache, &Digest::of(&body(SIZE)).to_string()).remove(0);
    assert_eq!(open(&bench).expect("right"), Check::Stamp);
    for mode in [0o664, 0o646] {
        fs::set_permissions(&note, fs::Permissions::from_mode(mode)).expect("set");
        assert_eq!(open(&bench).expect("right"), Check::Read, "{mode:o}");
        assert_eq!(open(&bench).expect("right"), Check::Stamp, "noted anew");
    }
    let text = fs::read(&note).expect("readable");
    let elsewhere = bench.path("note");
    fs::write(&elsewhere, text).expect("written");
    fs::remove_file(&note).expect("removed");
    symlink(&elsewhere, &note).expect("planted");
    assert_eq!(open(&bench).expect("right"), Check::Read, "a link is no note");
    fs::write(&note, "1 size 5\n").expect("written");
    assert_eq!(open(&bench).expect("right"), Check::Read, "neither is nonsense");
    assert!(elsewhere.is_file());
}

#[test]
fn a_link_in_the_place_of_the_published_folder_is_not_followed() {
    let (bench, path) = fetched();
    let folder = path.parent().expect("a folder");
    let elsewhere = bench.path("elsewhere");
    fs::rename(folder, &elsewhere).expect("moved");
    symlink(&elsewhere, folder).expect("planted");
    let error = open(&bench).expect_err("a link").to_string();
    assert!(
        error.contains("symbolic links in the cache are not followed"),
        "{error}"
    );
    assert_eq!(bench.fetcher.cache.find(&bench.artifact, &bench.lock()), None);
    bench.fetcher.cache.open_copy("name", false).expect("not there");
    assert!(bench.fetcher.cache.new_copy("name").is_err());
}

const COPY: &str = "0123.4567.v1.safetensors";

/// A cache with a copy that this process made a while ago.
fn with_copy() -> (tempfile::TempDir, Cache) {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::new(folder.path().join("cache"));
    let mut copy = cache.new_copy(COPY).expect("begun");
    copy.write_all(&body(SIZE)).expect("written");
    copy.publish().expect("published");
    sleep(LATER);
    (folder, cache)
}

fn copy(cache: &Cache) -> Result<Option<Checked>, FetchError> {
    cache.open_copy(COPY, false)
}

#[test]
fn a_copy_is_what_we_made_or_it_is_not_believed() {
    let (_folder, cache) = with_copy();
    let check = |cache| copy(cache).expect("right").map(|copy| copy.check);
    assert_eq!(
        check(&cache),
        Some(Check::Read),
        "the clock had not gone on when it was made"
    );
    assert_eq!(check(&cache), Some(Check::Stamp));
    overwrite(&cache.copy_path(COPY), |bytes| bytes[5] ^= 1);
    let error = copy(&cache).expect_err("changed").to_string();
    assert!(error.contains("the note of its making says sha256"), "{error}");
    overwrite(&cache.copy_path(COPY), |bytes| bytes[5] ^= 1);
    sleep(LATER);
    assert_eq!(check(&cache), Some(Check::Read), "right again");
    // What another made is right only if somebody vouches for it.
    for note in notes(&cache, COPY) {
        fs::remove_file(note).expect("removed");
    }
    assert_eq!(check(&cache), None);
    let strange = cache.open_strange_copy(COPY).expect("readable").expect("there");
    assert_eq!(check(&cache), None, "reading it does not vouch for it");
    cache.vouch_for_copy(COPY, Digest([1; 32])).expect("read");
    assert_eq!(check(&cache), None, "not of that digest");
    cache.vouch_for_copy(COPY, strange.pin.sha256).expect("read");
    assert_eq!(check(&cache), Some(Check::Stamp));
}

#[test]
fn a_note_is_of_one_name_alone() {
    let (_folder, cache) = with_copy();
    let other = "89ab.cdef.v1.safetensors";
    fs::copy(cache.copy_path(COPY), cache.copy_path(other)).expect("copied");
    let note = notes(&cache, COPY).remove(0);
    let name = note
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .replace(COPY, other);
    fs::rename(&note, note.with_file_name(name)).expect("renamed");
    assert!(cache.open_copy(other, false).expect("readable").is_none());
}

#[test]
fn what_is_no_regular_file_in_a_copys_place_is_refused_and_replaced() {
    let (folder, cache) = with_copy();
    let victim = folder.path().join("victim");
    fs::write(&victim, body(SIZE)).expect("written");
    let path = cache.copy_path(COPY);
    fs::remove_file(&path).expect("removed");
    symlink(&victim, &path).expect("planted");
    let error = copy(&cache)
        .expect_err("a link, though to the same bytes")
        .to_string();
    assert!(error.contains("not a regular file"), "{error}");
    let mut made = cache.new_copy(COPY).expect("begun");
    made.write_all(b"new").expect("written");
    made.publish().expect("published");
    assert_eq!(
        fs::read(&victim).expect("there"),
        body(SIZE),
        "nothing was written through the link"
    );
    assert_eq!(fs::read(&path).expect("there"), b"new");
    cache.remove_copy(COPY).expect("removed");
    assert!(copy(&cache).expect("gone").is_none());
    // To open a pipe would be to wait for its writer.
    let pipe = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .expect("mkfifo");
    assert!(pipe.success());
    copy(&cache).expect_err("a pipe");
}

#[test]
fn files_of_others_are_hashed_once_and_again_when_they_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::new(folder.path().join("cache"));
    let path = folder.path().join("weights.pth");
    fs::write(&path, body(SIZE)).expect("written");
    sleep(LATER);
    let digest = |path: &Path| {
        let (pin, check) = cache
            .digest_of(&fs::File::open(path).expect("there"))
            .expect("read");
        (pin.sha256, check)
    };
    assert_eq!(digest(&path), (Digest::of(&body(SIZE)), Check::Read));
    let link = folder.path().join("link.pth");
    symlink(&path, &link).expect("linked");
    assert_eq!(
        digest(&link),
        (Digest::of(&body(SIZE)), Check::Stamp),
        "the same file"
    );
    overwrite(&path, |bytes| bytes[1] = !bytes[1]);
    let (other, check) = digest(&path);
    assert_eq!((other == Digest::of(&body(SIZE)), check), (false, Check::Read));
    // Notes on them do not stay for ever.
    assert_eq!(notes(&cache, "file-").len(), 1);
    cache
        .collect_garbage(Duration::from_secs(3600), false)
        .expect("collected");
    assert_eq!(notes(&cache, "file-").len(), 1);
    cache.collect_garbage(Duration::ZERO, false).expect("collected");
    assert!(notes(&cache, "file-").is_empty());
}

#[test]
fn copies_whose_maker_was_killed_are_collected_when_they_are_old() {
    let (_folder, cache) = with_copy();
    let begun = cache.copy_path(".new-abc");
    fs::write(&begun, b"half").expect("written");
    cache
        .collect_garbage(Duration::from_secs(3600), false)
        .expect("collected");
    assert!(begun.exists(), "it is young");
    cache.collect_garbage(Duration::ZERO, false).expect("collected");
    assert!(!begun.exists() && cache.copy_path(COPY).exists());
    assert_eq!(
        notes(&cache, COPY).len(),
        1,
        "the note of a copy that is there stays"
    );
}
