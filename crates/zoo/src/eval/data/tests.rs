use std::fs::File;
use std::path::PathBuf;

use super::*;

pub(super) struct Data(tempfile::TempDir);

impl Data {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        Self(folder)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn at(&self, name: &str) -> Location {
        self.path(name).into()
    }

    pub(super) fn open(&self, name: &str) -> Result<Images, Failure> {
        Images::open(&self.at(name), None, None, &Folders::new(1000))
    }

    /// Opens it with labels by image number.
    fn open_labelled(&self, name: &str, labels: &str) -> Result<Images, Failure> {
        Images::open(&self.at(name), None, Some(&self.at(labels)), &Folders::new(1000))
    }

    /// Packs files into an archive.
    fn pack(&self, archive: &str, members: &[(&str, &str)]) {
        let mut tar = tar::Builder::new(File::create(self.path(archive)).expect("made"));
        for (name, text) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, text.as_bytes())
                .expect("packed");
        }
        tar.finish().expect("packed");
    }
}

fn told(images: &Images) -> Vec<(String, Vec<usize>, String)> {
    let entry = |entry: &Entry| {
        let bytes = entry.reading().wait().expect("reached").expect("readable");
        let text = String::from_utf8(bytes).expect("text");
        (entry.name.clone(), entry.labels.clone(), text)
    };
    images.entries.iter().map(entry).collect()
}

#[test]
fn folder_list_and_archives_of_one_data_set_say_the_same() {
    let data = Data::new(&[
        ("val/n01440764/a.JPEG", "tench"),
        ("val/n01443537/b.jpg", "goldfish"),
        ("val/n01443537/notes.txt", "no image"),
        ("list.txt", "val/n01440764/a.JPEG 0\n\nval/n01443537/b.jpg 1\n"),
    ]);
    let folder = data.open("val").expect("a folder");
    let expected = [
        ("n01440764/a.JPEG".to_owned(), vec![0], "tench".to_owned()),
        ("n01443537/b.jpg".to_owned(), vec![1], "goldfish".to_owned()),
    ];
    assert_eq!(told(&folder), expected);
    assert_eq!(
        (
            folder.about.images,
            folder.about.classes,
            folder.passed_over.count()
        ),
        (2, 2, 1)
    );
    let list = data.open("list.txt").expect("a list");
    assert_eq!(list.entries[1].labels, [1]);
    assert_ne!(
        list.about.digest, folder.about.digest,
        "other names are another list"
    );
    let rooted = Images::open(
        &data.at("list.txt"),
        Some(&data.at("")),
        None,
        &Folders::new(1000),
    )
    .expect("a list");
    assert_eq!(rooted.about.digest, list.about.digest);

    std::fs::create_dir(data.path("shards")).expect("made");
    data.pack("shards/0.tar", &[("n01440764/a.JPEG", "tench")]);
    data.pack("shards/1.tar", &[("n01443537/b.jpg", "goldfish")]);
    let shards = data.open("shards").expect("archives");
    assert_eq!(told(&shards), expected);
    assert_eq!(
        shards.about.digest, folder.about.digest,
        "the same names, labels and sizes"
    );
    data.pack(
        "web.tar",
        &[("x/1.jpg", "one"), ("x/1.cls", "7\n"), ("x/1.json", "{}")],
    );
    let web = data.open("web.tar").expect("an archive");
    assert_eq!(told(&web), [("x/1.jpg".to_owned(), vec![7], "one".to_owned())]);
    assert_eq!(web.passed_over.count(), 1);
}

#[test]
fn numbered_folders_stand_for_their_numbers() {
    let data = Data::new(&[("v2/10/a.jpg", "a"), ("v2/9/b.jpg", "b")]);
    let images = data.open("v2").expect("a folder");
    let labels: Vec<usize> = images
        .entries
        .iter()
        .flat_map(|entry| entry.labels.clone())
        .collect();
    assert_eq!(labels, [10, 9], "not the place in the list of names");
    assert_eq!(images.classes(), [9, 10]);
}

#[test]
fn other_labels_may_be_several_or_none() {
    let data = Data::new(&[
        ("list.txt", "a.jpg 3,5\nb.jpg -\n"),
        ("val/0/ILSVRC2012_val_00000002.JPEG", "x"),
        ("val/0/ILSVRC2012_val_00000001.JPEG", "x"),
        ("real.json", "[[7, 8], []]"),
        ("short.json", "[[7]]"),
    ]);
    let list = data.open("list.txt").expect("a list");
    assert_eq!(list.entries[0].labels, [3, 5]);
    assert!(list.entries[1].labels.is_empty());
    let real = |name: &str| Images::open(&data.at("val"), None, Some(&data.at(name)), &Folders::new(1000));
    let entries = real("real.json").expect("relabelled").entries;
    assert_eq!(
        (&entries[0].labels[..], &entries[1].labels[..]),
        (&[7, 8][..], &[][..])
    );
    let failure = real("short.json").expect_err("too few");
    assert!(
        failure
            .message
            .contains("has 1 labels, none for 0/ILSVRC2012_val_00000002.JPEG"),
        "{failure:?}"
    );
}

#[test]
fn a_mapping_that_does_not_fit_is_an_error_and_not_a_low_score() {
    let data = Data::new(&[
        ("cats/tabby/a.jpg", "a"),
        ("big.txt", "a.jpg 1000\n"),
        ("odd.txt", "a.jpg one\n"),
        ("twice.txt", "a.jpg 1\na.jpg 2\n"),
        ("none/n01440764/readme.md", "nothing"),
    ]);
    let error = |name: &str| {
        let failure = data.open(name).expect_err(name);
        assert!(matches!(failure.exit, Exit::Usage | Exit::Missing), "{failure:?}");
        failure.message
    };
    assert!(error("cats").contains("the folder `tabby` has no known class"));
    assert!(error("big.txt").contains("a.jpg: class 1000, but the network knows 0 to 999"));
    assert!(error("odd.txt").contains("odd.txt:1: `a.jpg one` is not an image with its class"));
    assert!(error("twice.txt").contains("a.jpg is there twice"));
    assert!(error("none").contains("there are no images"));
    assert!(error("nowhere").contains("no such file or folder"));
    data.pack("flat.tar", &[("ILSVRC2012_val_00000001.JPEG", "x")]);
    assert!(error("flat.tar").contains("ILSVRC2012_val_00000001.JPEG has no class"));
    std::fs::write(data.path("broken.tar"), [7; 600]).expect("written");
    assert!(error("broken.tar").contains("not a tar archive"));
}

#[test]
fn what_systems_leave_behind_is_passed_over_and_deeper_folders_are_walked() {
    let data = Data::new(&[
        ("val/n01440764/a.JPEG", "a"),
        ("val/n01440764/part1/deep/b.webp", "b"),
        ("val/n01440764/._a.JPEG", "half of a"),
        ("val/n01440764/Thumbs.db", ""),
        ("val/.DS_Store", ""),
        ("val/__MACOSX/n01440764/._a.JPEG", ""),
        ("val/.thumbnails/c.png", ""),
        ("val/n01443537/notes.txt", ""),
        ("mixed/n01440764/n01443537/a.jpg", ""),
    ]);
    let images = data.open("val").expect("a folder");
    let names: Vec<&str> = images.entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["n01440764/a.JPEG", "n01440764/part1/deep/b.webp"]);
    assert_eq!(images.entries[1].labels, [0]);
    let told = images.passed_over.told().expect("some were");
    assert!(
        told.starts_with("6 files were passed over: 1 .txt, 5 of a desktop"),
        "{told}"
    );
    let failure = data.open("mixed").expect_err("two classes");
    assert!(
        failure
            .message
            .contains("`n01440764` and `n01443537` are two classes"),
        "{failure:?}"
    );
}

#[test]
fn images_without_folders_have_the_labels_of_a_file() {
    let data = Data::new(&[
        ("flat/ILSVRC2012_val_00000002.JPEG", "2"),
        ("flat/ILSVRC2012_val_00000001.JPEG", "1"),
        ("cats/tabby/ILSVRC2012_val_00000001.JPEG", "1"),
        ("twice/a/ILSVRC2012_val_00000001.JPEG", "1"),
        ("twice/b/ILSVRC2012_val_00000001.png", "1"),
        ("real.json", "[[7], [8]]"),
    ]);
    data.pack(
        "flat.tar",
        &[
            ("ILSVRC2012_val_00000001.JPEG", "1"),
            ("ILSVRC2012_val_00000002.JPEG", "2"),
        ],
    );
    for place in ["flat", "flat.tar"] {
        let images = data.open_labelled(place, "real.json").expect("labelled");
        let labels: Vec<&[usize]> = images.entries.iter().map(|entry| &entry.labels[..]).collect();
        assert_eq!(labels, [[7], [8]], "{place}");
        let failure = data.open(place).expect_err("no classes");
        let advice = failure.help.as_deref().unwrap_or_default();
        assert!(advice.contains("--labels"), "{failure:?}");
    }
    let cats = data.open_labelled("cats", "real.json").expect("labelled");
    assert_eq!(cats.classes(), [7], "whatever the folders are named");
    let failure = data
        .open_labelled("twice", "real.json")
        .expect_err("one image twice");
    assert!(failure.message.contains("are both image 1"), "{failure:?}");
}

#[test]
fn a_list_is_read_as_spreadsheets_and_windows_write_it() {
    let text = "\u{feff}# PATH CLASS\r\nval/a.jpg\t3\r\n\r\n\"val/b c.jpg\" 4 # cat\r\n./val/d.jpg 5\r\nval\\e.jpg 6\r\n";
    let data = Data::new(&[
        ("list.txt", text),
        ("val/a.jpg", "a"),
        ("val/b c.jpg", "b"),
        ("val/d.jpg", "d"),
        ("val/e.jpg", "e"),
        ("twice.txt", "val/a.jpg 3\n./val/a.jpg 3\n"),
    ]);
    let images = data.open("list.txt").expect("a list");
    let expected = [
        ("val/a.jpg", 3, "a"),
        ("val/b c.jpg", 4, "b"),
        ("val/d.jpg", 5, "d"),
        ("val/e.jpg", 6, "e"),
    ];
    let expected = expected.map(|(name, class, text)| (name.to_owned(), vec![class], text.to_owned()));
    assert_eq!(told(&images), expected);
    assert_eq!(
        images.passed_over.told().as_deref(),
        Some("comments in the list: 1")
    );
    let failure = data.open("twice.txt").expect_err("one image twice");
    assert!(
        failure.message.contains("val/a.jpg is there twice"),
        "{failure:?}"
    );
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(*b"a\0 \x001\0").collect();
    std::fs::write(data.path("utf16.txt"), utf16).expect("written");
    let failure = data.open("utf16.txt").expect_err("no UTF-8");
    assert!(failure.message.contains("it is UTF-16"), "{failure:?}");
}

#[test]
fn paths_of_a_list_stay_below_a_root_that_is_given() {
    let data = Data::new(&[("set/lists/val.txt", "../a.jpg 1\n"), ("set/a.jpg", "a")]);
    let images = data.open("set/lists/val.txt").expect("beside the list");
    assert_eq!(told(&images)[0].2, "a");
    for line in ["../a.jpg 1", "/etc/hostname 1", "b/../../a.jpg 1"] {
        std::fs::write(data.path("set/lists/val.txt"), line).expect("written");
        let root = data.at("set/lists");
        let failure = Images::open(
            &data.at("set/lists/val.txt"),
            Some(&root),
            None,
            &Folders::new(1000),
        )
        .expect_err(line);
        assert!(failure.message.contains("val.txt:1: "), "{failure:?}");
        assert!(failure.message.contains("is not below"), "{failure:?}");
    }
}

#[test]
fn files_of_other_kinds_are_named_with_what_to_do() {
    let data = Data::new(&[
        ("a.tgz", "\x1f"),
        ("photo.jpg", ""),
        ("shards/b.tar.zst", ""),
        ("page.tar", "<!DOCTYPE html><title>404</title>"),
        ("empty.tar", ""),
    ]);
    std::fs::write(data.path("a.tgz"), b"\x1f\x8b\x08\0").expect("written");
    std::fs::write(data.path("photo.jpg"), b"\xff\xd8\xff\xe0").expect("written");
    data.pack("shards/a.tar", &[("n01440764/a.jpg", "a")]);
    let refused = |name: &str| {
        let failure = data.open(name).expect_err(name);
        assert_eq!(failure.exit, Exit::Usage, "{failure:?}");
        format!("{} {}", failure.message, failure.help.unwrap_or_default())
    };
    let packed = refused("a.tgz");
    assert!(
        packed.contains("compressed by gzip") && packed.contains("gzip -d"),
        "{packed}"
    );
    assert!(refused("photo.jpg").contains("a JPEG image"));
    assert!(refused("shards").contains("b.tar.zst: compressed archives are not read"));
    assert!(refused("page.tar").contains("a web page"));
    assert!(refused("empty.tar").contains("not a tar archive: it has 0 bytes"));
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_no_regular_file_is_an_image_that_cannot_be_read() {
    let data = Data::new(&[("val/n01440764/a.jpg", "a")]);
    let folder = data.path("val/n01440764");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let pipe = folder.join("b.jpg");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, folder.join(name)).expect("a link");
    };
    link("/dev/zero", "c.jpg");
    link("nowhere", "d.jpg");
    File::create(folder.join("e.jpg"))
        .expect("made")
        .set_len(3 << 30)
        .expect("a size");
    let images = data.open("val").expect("a folder");
    let why = |index: usize| {
        let read = images.entries[index].reading().wait().expect("no store");
        read.expect_err("not readable")
    };
    assert_eq!(images.entries.len(), 5);
    assert_eq!(why(1), "is a pipe: only regular files are read");
    assert_eq!(why(2), "is a device: only regular files are read");
    assert!(why(3).starts_with("No such file"), "{}", why(3));
    assert_eq!(
        why(4),
        "has 3221225472 bytes, and no more than 268435456 are read"
    );
    std::fs::rename(&pipe, data.path("list.txt")).expect("renamed");
    let failure = data.open("list.txt").expect_err("no list");
    assert!(failure.message.contains("is a pipe"), "{failure:?}");
}
