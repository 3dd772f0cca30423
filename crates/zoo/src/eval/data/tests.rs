use super::*;

struct Data(tempfile::TempDir);

impl Data {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self, name: &str) -> Result<Images, Failure> {
        Images::open(&self.path(name), None, None, 1000)
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
        let mut bytes = b"of the image before".to_vec();
        entry.read(&mut bytes).expect("readable");
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
        (folder.about.images, folder.about.classes, folder.passed_over),
        (2, 2, 1)
    );
    let list = data.open("list.txt").expect("a list");
    assert_eq!(list.entries[1].labels, [1]);
    assert_ne!(
        list.about.digest, folder.about.digest,
        "other names are another list"
    );
    let rooted = Images::open(&data.path("list.txt"), Some(data.0.path()), None, 1000).expect("a list");
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
    assert_eq!(web.passed_over, 1);
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
    let real = |name: &str| Images::open(&data.path("val"), None, Some(&data.path(name)), 1000);
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
    assert!(error("cats").contains("the folder `tabby` stands for no class"));
    assert!(error("big.txt").contains("a.jpg: class 1000, but the network knows 0 to 999"));
    assert!(error("odd.txt").contains("odd.txt:1: `a.jpg one` is no image with its class"));
    assert!(error("twice.txt").contains("a.jpg is there twice"));
    assert!(error("none").contains("there are no images"));
    assert!(error("nowhere").contains("no such file or folder"));
    data.pack("flat.tar", &[("ILSVRC2012_val_00000001.JPEG", "x")]);
    assert!(error("flat.tar").contains("ILSVRC2012_val_00000001.JPEG has no class"));
    std::fs::write(data.path("broken.tar"), [7; 600]).expect("written");
    assert!(error("broken.tar").contains("not a tar archive"));
}
