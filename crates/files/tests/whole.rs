//! A file appears whole or not at all, whoever else writes it, and only where it should.

use std::fs;
use std::io::Write;
use std::path::Path;

use files::{Whole, WholeFolder};

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn a_place_is_checked_before_the_work_and_nothing_stays_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let (there, absent) = (folder.path().join("there"), folder.path().join("absent"));
    fs::write(&there, "a line\n").expect("written");
    for check in [files::check_output, files::check_append] {
        check(&there).expect("a file that is there");
        check(&absent).expect("a new one");
        check(folder.path()).expect_err("a folder");
        check(&folder.path().join("none/file")).expect_err("there is no such folder");
    }
    assert_eq!(fs::read_to_string(&there).expect("read"), "a line\n");
    assert_eq!(names(folder.path()), ["there"]);
}

#[test]
fn a_file_that_is_given_up_leaves_nothing_and_keeps_what_was_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a");
    files::write(&path, b"first").expect("written");
    let mut given_up = Whole::output(&path).expect("begun");
    given_up.write_all(b"half").expect("written");
    assert_eq!(fs::read(&path).expect("a file"), b"first");
    drop(given_up);
    assert_eq!(fs::read(&path).expect("a file"), b"first");
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn writers_of_one_name_in_one_process_do_not_meet() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.onnx");
    // A process that was killed left this behind, with the number that this one has.
    let left = folder
        .path()
        .join(format!("w.onnx.{}.partial", std::process::id()));
    fs::write(&left, b"x").expect("written");
    let texts: Vec<Vec<u8>> = (0..8_u8).map(|n| vec![n; 100_000]).collect();
    std::thread::scope(|scope| {
        for text in &texts {
            scope.spawn(|| files::write(&path, text).expect("each writer gets through"));
        }
    });
    assert!(
        texts.contains(&fs::read(&path).expect("a file")),
        "one of them whole"
    );
    assert_eq!(names(folder.path()).len(), 2);
}

#[test]
fn a_folder_is_refused_before_anything_is_computed_and_a_missing_one_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Whole::output(folder.path()).expect_err("a folder").to_string();
    assert_eq!(error, "is a folder; name a file in it");
    let error = Whole::create(&folder.path().join("no/such"))
        .expect_err("no folder")
        .to_string();
    assert!(
        error.starts_with("there is no folder") && error.ends_with("no: make it"),
        "{error}"
    );
}

#[test]
fn a_folder_takes_its_path_whole_and_never_the_place_of_one_with_something_in_it() {
    let above = tempfile::tempdir().expect("a folder");
    let begin = || {
        let folder = WholeFolder::create_in(above.path()).expect("begun");
        fs::write(folder.path().join("page"), b"x").expect("written");
        folder
    };
    let path = |name: &str| above.path().join(name);
    drop(begin());
    assert!(names(above.path()).is_empty(), "given up");
    fs::create_dir(path("empty")).expect("made");
    let placed = begin().place(&path("empty")).expect("renamed").expect("placed");
    assert_eq!(names(&placed), ["page"]);
    let again = begin()
        .place(&path("empty"))
        .expect("no failure")
        .expect_err("it is taken");
    again.place(&path("other")).expect("renamed").expect("placed");
    assert_eq!(names(above.path()), ["empty", "other"]);

    // As a process that is killed leaves it.
    std::mem::forget(begin());
    assert_eq!(names(above.path()).len(), 3);
    WholeFolder::remove_abandoned(above.path()).expect("removed");
    assert_eq!(names(above.path()), ["empty", "other"]);
}

#[test]
fn a_lock_is_held_by_one_until_it_is_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lock");
    let held = files::try_hold(&path).expect("opened").expect("free");
    assert!(files::try_hold(&path).expect("opened").is_none());
    let waiting = std::thread::spawn({
        let path = path.clone();
        move || files::hold(&path).expect("opened")
    });
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(!waiting.is_finished());
    drop(held);
    drop(waiting.join().expect("no panic"));
    assert!(files::try_hold(&path).expect("opened").is_some());
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("a file").permissions().mode() & 0o777
    }

    #[test]
    fn a_new_file_has_what_the_umask_leaves_and_a_replaced_one_keeps_its_permissions() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name| folder.path().join(name);
        fs::File::create(path("usual")).expect("made");
        files::write(&path("new"), b"x").expect("written");
        assert_eq!(mode(&path("new")), mode(&path("usual")));
        fs::set_permissions(path("new"), fs::Permissions::from_mode(0o640)).expect("set");
        files::write(&path("new"), b"y").expect("written");
        assert_eq!(mode(&path("new")), 0o640);
    }

    #[test]
    fn a_link_that_a_user_names_stays_a_link_and_its_target_gets_the_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("far")).expect("made");
        fs::write(path("far/target"), b"old").expect("written");
        symlink("far/target", path("link")).expect("linked");
        symlink("link", path("to-link")).expect("linked");
        symlink("far/none-yet", path("dangling")).expect("linked");
        files::write(&path("to-link"), b"new").expect("written");
        files::write(&path("dangling"), b"made").expect("written");
        assert!(path("link").is_symlink() && path("to-link").is_symlink() && path("dangling").is_symlink());
        assert_eq!(fs::read(path("far/target")).expect("a file"), b"new");
        assert_eq!(fs::read(path("far/none-yet")).expect("a file"), b"made");

        symlink("round", path("round")).expect("linked");
        let error = files::write(&path("round"), b"x")
            .expect_err("a circle")
            .to_string();
        assert!(error.contains("circle"), "{error}");
    }

    #[test]
    fn a_link_in_a_folder_of_ours_is_replaced_and_its_target_untouched() {
        let folder = tempfile::tempdir().expect("a folder");
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, b"theirs").expect("written");
        symlink(&target, &link).expect("linked");
        let mut file = Whole::create(&link).expect("begun");
        file.write_all(b"ours").expect("written");
        file.publish().expect("published");
        assert!(!link.is_symlink());
        assert_eq!(fs::read(&target).expect("a file"), b"theirs");
    }

    // A device would do as well, but is not for a test to lose.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_pipe_is_written_to_and_stays_a_pipe() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        let reader = pipe.clone();
        let reader = std::thread::spawn(move || fs::read(reader).expect("read"));
        files::write(&pipe, b"through").expect("written");
        assert_eq!(reader.join().expect("a reader"), b"through");
        assert!(fs::metadata(&pipe).expect("a pipe").file_type().is_fifo());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_link_to_a_pipe_without_a_path_is_written_through() {
        use std::io::Read;
        use std::os::fd::AsRawFd;
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("stdout");
        symlink(format!("/proc/self/fd/{}", writer.as_raw_fd()), &link).expect("linked");
        files::check_output(&link).expect("it can be written");
        files::write(&link, b"through").expect("written");
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("read");
        assert_eq!(text, "through");
        assert!(link.is_symlink());
    }

    #[test]
    fn links_pipes_and_folders_are_not_opened_as_regular_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, b"x").expect("written");
        symlink(&target, &link).expect("linked");
        files::open_regular(&target).expect("a file");
        for path in [&link, folder.path(), Path::new("/dev/null")] {
            let error = files::open_regular(path)
                .expect_err("no regular file")
                .to_string();
            assert!(
                error.contains("not a regular file"),
                "{}: {error}",
                path.display()
            );
        }
    }
}
