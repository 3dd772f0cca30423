use std::path::Path;

use registry::Digest;

use super::super::tests::Data;
use super::super::{Images, Incomplete};
use super::*;

/// An archive in memory.
#[derive(Clone, Default)]
struct Tape(Vec<u8>);

impl Tape {
    fn header(&mut self, name: &str, kind: u8, size: u64, link: &str) {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(size);
        header.set_mode(0o644);
        header.set_mtime(0);
        if !link.is_empty() {
            header.set_link_name_literal(link).expect("a link");
        }
        header.set_cksum();
        self.0.extend(header.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }

    fn member(mut self, name: &str, kind: u8, bytes: &[u8]) -> Self {
        self.header(name, kind, bytes.len() as u64, "");
        self.bytes(bytes);
        self
    }

    fn file(self, name: &str, text: &str) -> Self {
        self.member(name, b'0', text.as_bytes())
    }

    fn link(mut self, name: &str, kind: u8, target: &str) -> Self {
        self.header(name, kind, 0, target);
        self
    }

    fn pax(self, lines: &[(&str, &str)]) -> Self {
        let mut text = String::new();
        for (key, value) in lines {
            let plain = key.len() + value.len() + 3;
            let length = (plain..).find(|length| plain + length.to_string().len() == *length);
            text.push_str(&format!("{} {key}={value}\n", length.expect("some length")));
        }
        self.member("PaxHeaders/x", b'x', text.as_bytes())
    }

    fn end(mut self) -> Self {
        self.0.resize(self.0.len() + 1024, 0);
        self
    }

    fn open(&self) -> Result<Images, Failure> {
        let data = Data::new(&[]);
        std::fs::write(data.path("x.tar"), &self.0).expect("written");
        let images = data.open("x.tar");
        // The images' bytes are read before the folder goes.
        images.inspect(|images| drop(read(images)))
    }

    /// Names, labels, and bytes or why there are none.
    fn read(&self) -> Vec<(String, Vec<usize>, Result<String, String>)> {
        let data = Data::new(&[]);
        std::fs::write(data.path("x.tar"), &self.0).expect("written");
        read(&data.open("x.tar").expect("an archive"))
    }

    fn refused(&self, exit: Exit) -> String {
        let failure = self.open().expect_err("refused");
        assert_eq!(failure.exit, exit, "{failure:?}");
        failure.message
    }
}

fn read(images: &Images) -> Vec<(String, Vec<usize>, Result<String, String>)> {
    let entry = |entry: &Entry| {
        let bytes = entry.reading().wait().expect("no store");
        let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (entry.name.clone(), entry.labels.clone(), text)
    };
    images.entries.iter().map(entry).collect()
}

fn good(name: &str, class: usize, text: &str) -> (String, Vec<usize>, Result<String, String>) {
    (name.to_owned(), vec![class], Ok(text.to_owned()))
}

/// An archive of `tests/archives`.
fn sample(name: &str) -> Location {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/archives");
    folder.join(name).into()
}

fn digest(entry: &Entry) -> String {
    let bytes = entry.reading().wait().expect("no store").expect("readable");
    Digest::of(&bytes).to_string()
}

#[test]
fn samples_with_dots_have_the_classes_that_samples_without_have() {
    let labels = |name: &str| {
        let images = Images::open(&sample(name), None, None, &Folders::new(1000)).expect("an archive");
        let labels: Vec<usize> = images.entries.iter().map(|entry| entry.labels[0]).collect();
        (labels, images.entries.iter().map(digest).collect::<Vec<_>>())
    };
    assert_eq!(labels("e8_dots.tar"), labels("e8_plain.tar"));
    assert_eq!(labels("e8_dots.tar").0, [731, 731, 429]);
}

#[test]
fn sparse_members_of_every_form_are_put_together_as_gnu_tar_does() {
    let images =
        Images::open(&sample("e10_sparse_gnu.tar"), None, None, &Folders::new(1000)).expect("an archive");
    let digests: Vec<String> = images.entries.iter().map(digest).collect();
    let begins = ["5c7a47c0fe0d2f47", "cab74b593b255d80", "0edbe9649733e4c8"];
    for (digest, begin) in digests.iter().zip(begins) {
        assert!(digest.starts_with(begin), "{digests:?}");
    }
    for name in [
        "sparse_gnu.tar",
        "sparse_pax_0.0.tar",
        "sparse_pax_0.1.tar",
        "sparse_pax_1.0.tar",
    ] {
        let images = Images::open(&sample(name), None, None, &Folders::new(1000)).expect(name);
        let [entry] = &images.entries[..] else {
            panic!("{name}: {:?}", images.entries);
        };
        assert_eq!(
            (entry.name.as_str(), entry.bytes),
            ("0/many.jpg", 400_000),
            "{name}"
        );
        assert!(digest(entry).starts_with("8132276fdb8dd0ab"), "{name}");
    }
}

#[test]
fn a_sparse_member_whose_map_does_not_fit_is_named() {
    let bad = Tape::default()
        .pax(&[("GNU.sparse.size", "99"), ("GNU.sparse.map", "0,100")])
        .file("3/a.jpg", "x")
        .pax(&[("GNU.sparse.major", "2"), ("GNU.sparse.minor", "0")])
        .file("3/b.jpg", "x")
        .pax(&[("GNU.sparse.size", "999999999999"), ("GNU.sparse.map", "0,1")])
        .file("3/c.jpg", "x")
        .file("3/d.jpg", "d")
        .end()
        .read();
    let why = |index: usize| bad[index].2.clone().expect_err("not readable");
    assert!(why(0).contains("a piece is behind its end"), "{}", why(0));
    assert!(why(1).contains("its version is not known"), "{}", why(1));
    assert!(why(2).contains("999999999999 bytes"), "{}", why(2));
    assert_eq!(bad[3], good("3/d.jpg", 3, "d"));
}

#[test]
fn links_are_read_and_those_that_lead_nowhere_are_named() {
    let images =
        Images::open(&sample("e11_hardlink.tar"), None, None, &Folders::new(1000)).expect("an archive");
    let labels: Vec<usize> = images.entries.iter().map(|entry| entry.labels[0]).collect();
    assert_eq!(labels, [0, 1, 2]);
    assert_eq!(digest(&images.entries[0]), digest(&images.entries[2]));

    let read = Tape::default()
        .file("./3/a.jpg", "a")
        .link("3/b.jpg", b'1', "3/a.jpg")
        .link("4/c.jpg", b'2', "../3/b.jpg")
        .link("4/d.jpg", b'2', "later.jpg")
        .file("4/later.jpg", "later")
        .link("5/e.jpg", b'2', "/etc/passwd")
        .link("5/f.jpg", b'2', "f.jpg")
        .link("5/g.jpg", b'1', "none.jpg")
        .link("5/h.jpg", b'6', "")
        .member("6/i.jpg", b'7', b"contiguous")
        .member("6/j.jpg", b'M', b"the rest")
        .link("6/k.jpg", b'1', "6/late.jpg")
        .file("6/late.jpg", "late")
        .end()
        .read();
    assert_eq!(read[..2], [good("3/a.jpg", 3, "a"), good("3/b.jpg", 3, "a")]);
    assert_eq!(read[2..4], [good("4/c.jpg", 4, "a"), good("4/d.jpg", 4, "later")]);
    let why = |name: &str| {
        let found = read.iter().find(|image| image.0 == name).expect(name);
        found.2.clone().expect_err(name)
    };
    assert_eq!(
        why("5/e.jpg"),
        "it is a link to /etc/passwd, which the archive does not have"
    );
    assert!(why("5/f.jpg").contains("links that lead to each other"));
    assert!(why("5/g.jpg").contains("none.jpg, which the archive does not have"));
    assert_eq!(why("5/h.jpg"), "it is a pipe");
    assert!(why("6/j.jpg").contains("a part of a file"));
    assert!(
        why("6/k.jpg").contains("late.jpg"),
        "a hard link is of what comes before it"
    );
    assert!(read.contains(&good("6/i.jpg", 6, "contiguous")));
}

#[test]
fn the_class_of_an_image_may_be_a_link_and_one_that_cannot_be_read_takes_the_image_with_it() {
    let read = Tape::default()
        .file("a.cls", "7")
        .file("a.jpg", "a")
        .link("b.cls", b'1', "a.cls")
        .file("b.jpg", "b")
        .link("c.cls", b'2', "none")
        .file("c.jpg", "c")
        .file("d.cls", "\u{feff}8\r\n")
        .file("d.jpg", "d")
        .end()
        .read();
    assert_eq!(read[..2], [good("a.jpg", 7, "a"), good("b.jpg", 7, "b")]);
    let why = read[2].2.clone().expect_err("no class");
    assert!(
        why.starts_with("its class, c.cls, cannot be read: it is a link to none"),
        "{why}"
    );
    assert_eq!(read[3], good("d.jpg", 8, "d"));
}

#[test]
fn names_are_those_that_tar_unpacks() {
    let long = format!("7/{}.jpg", "x".repeat(200));
    let read = Tape::default()
        .member("././@LongLink", b'L', format!("{long}\0").as_bytes())
        .file("7/short.jpg", "long name")
        .pax(&[("path", "./8/ö.jpg"), ("comment", "two\nlines"), ("size", "3")])
        .member("8/o.jpg", b'0', b"pax")
        .file("/9//x/../a.jpg", "slashes")
        .member("9/b.jpg", 0, b"old")
        .member("9/c.jpg/", b'0', b"")
        .file("9/d.JPEG", "upper")
        .end()
        .read();
    assert_eq!(read[0], good(&long, 7, "long name"));
    assert_eq!(read[1], good("8/ö.jpg", 8, "pax"));
    assert_eq!(read[2], good("9/b.jpg", 9, "old"));
    assert_eq!(read[3], good("9/d.JPEG", 9, "upper"));
    assert_eq!(read[4], good("9/x/../a.jpg", 9, "slashes"));
    assert_eq!(read.len(), 5);
}

#[test]
fn what_would_count_twice_or_with_a_class_in_doubt_is_refused() {
    let twice = Tape::default().file("3/a.jpg", "1").file("./3/a.jpg", "2").end();
    assert!(twice.refused(Exit::Usage).contains("3/a.jpg is there twice"));
    let two = Tape::default()
        .file("a.jpg", "1")
        .file("a.png", "2")
        .file("a.cls", "3")
        .end();
    assert!(
        two.refused(Exit::Usage)
            .contains("2 images (a.jpg, a.png) and 1 class (a.cls)")
    );
    let other = Tape::default()
        .file("n01440764/a.jpg", "1")
        .file("n01440764/a.cls", "3")
        .end();
    let told = other.refused(Exit::Usage);
    assert!(
        told.contains("a.cls says class 3, its folder says class 0"),
        "{told}"
    );
    let odd = Tape::default()
        .file("a.jpg", "1")
        .file("a.cls", "cat\u{1b}[2J")
        .end();
    let told = odd.refused(Exit::Usage);
    assert!(
        told.contains("a.cls: `cat\\u{1b}[2J` is not a class number"),
        "{told}"
    );
}

#[test]
fn an_archive_that_is_cut_is_told_wherever_it_is_cut() {
    let whole = Tape::default().file("a.jpg", "123").file("a.cls", "456").end();
    let cut = |bytes: usize| Tape(whole.0[..bytes].to_vec());
    for (bytes, inside) in [
        (514, "inside a.jpg"),
        (600, "inside the padding after a.jpg"),
        (1100, "inside the header after a.jpg"),
        (1537, "inside a.cls"),
        (1540, "inside the padding after a.cls"),
    ] {
        let told = cut(bytes).refused(Exit::Checksum);
        assert!(told.contains(inside), "{bytes}: {told}");
    }
    let failure = Images::open(&sample("cls_cut.tar"), None, None, &Folders::new(1000)).expect_err("cut");
    assert!(
        failure.message.contains("inside a.cls, which has 6 bytes"),
        "{failure:?}"
    );
    assert!(
        cut(100)
            .refused(Exit::Usage)
            .contains("not a tar archive: it has 100 bytes")
    );

    let told = |tape: &Tape| tape.open().expect("an archive").incomplete;
    assert_eq!(told(&whole), []);
    for bytes in [2048, 2100] {
        let doubtful = told(&cut(bytes));
        assert!(
            matches!(&doubtful[..], [Incomplete::Doubtful(what)] if what.contains("no end mark after a.cls")),
            "{doubtful:?}"
        );
    }
    let half = told(&cut(2560));
    assert!(matches!(&half[..], [Incomplete::Harmless(what)] if what.contains("one block of zeros")));
    let extended = Tape::default().file("3/a.jpg", "1").pax(&[("path", "3/b.jpg")]);
    assert!(
        extended
            .refused(Exit::Checksum)
            .contains("between the attributes of a member")
    );
}

#[test]
fn what_follows_the_end_mark_is_told() {
    let first = Tape::default().file("3/a.jpg", "1").end();
    let second = Tape::default().file("3/b.jpg", "2").end();
    let both = Tape([first.0.clone(), second.0].concat());
    let told = both.refused(Exit::Usage);
    assert!(
        told.contains("more members follow its end mark, from byte 2048 on"),
        "{told}"
    );
    let litter = Tape([&first.0[..], &[7; 1024]].concat())
        .open()
        .expect("an archive");
    assert!(matches!(&litter.incomplete[..], [Incomplete::Doubtful(what)] if what.contains("3/a.jpg")));
    let mut filled = first.clone();
    filled.0.resize(10240, 0);
    assert_eq!(filled.open().expect("an archive").incomplete, []);
    let mut damaged = Tape::default().file("3/a.jpg", "1").file("3/b.jpg", "2").end();
    damaged.0[1024 + 10] ^= 1;
    let told = damaged.refused(Exit::Checksum);
    assert!(told.contains("damaged at byte 1024, after 3/a.jpg"), "{told}");
}

#[test]
fn sizes_beyond_any_archive_are_refused() {
    for size in [1 << 40, u64::MAX / 2, u64::MAX - 600] {
        let mut tape = Tape::default();
        tape.header("3/a.jpg", b'0', size, "");
        let told = tape.end().refused(Exit::Checksum);
        assert!(told.contains("the archive is cut"), "{told}");
        let mut tape = Tape::default().file("3/a.jpg", "1");
        tape.header("x", b'x', size, "");
        let told = tape.end().refused(Exit::Checksum);
        assert!(told.contains("the attributes of a member"), "{told}");
    }
}

#[test]
fn some_programs_give_a_hard_link_the_size_of_its_target() {
    let mut without = Tape::default().file("3/a.jpg", "abc");
    without.header("3/b.jpg", b'1', 3, "3/a.jpg");
    let without = without.file("3/c.jpg", "c").end().read();
    let mut with = Tape::default().file("3/a.jpg", "abc");
    with.header("3/b.jpg", b'1', 3, "3/a.jpg");
    with.bytes(b"abc");
    assert_eq!(with.file("3/c.jpg", "c").end().read(), without);
    assert_eq!(without[1], good("3/b.jpg", 3, "abc"));
    assert_eq!(without.len(), 3);
}

/// Every member is an image, the class of one, or passed over: whatever archives hold.
#[test]
fn no_member_is_lost_or_counted_twice() {
    let names = [
        "3/a.jpg",
        "3/b.JPEG",
        "4/c.png",
        "3/._a.jpg",
        "4/x.json",
        "4/c.cls",
        "4/README",
        "__MACOSX/3/a.jpg",
        ".DS_Store",
        "5/d.webp",
        "5/d.cls",
        "5/e.0.jpg",
        "5/e.0.cls",
        "5/e.1.cls",
        "6/f.bmp",
    ];
    let mut rng = fastrand::Rng::with_seed(18);
    let mut images = 0;
    for _ in 0..300 {
        let mut tape = Tape::default();
        let mut count = 0;
        for name in names {
            if rng.bool() {
                continue;
            }
            count += 1;
            tape = match rng.u8(..6) {
                0 => tape.link(name, b'1', "3/a.jpg"),
                1 => tape.link(name, b'2', "../3/a.jpg"),
                2 => tape.member(name, b'7', b"5"),
                3 => tape.link(name, b'3', ""),
                _ => tape.file(name, "5"),
            };
            if rng.u8(..4) == 0 {
                tape = tape.link("3/", b'5', "");
            }
        }
        let found = tape.end();
        let data = Data::new(&[]);
        std::fs::write(data.path("x.tar"), &found.0).expect("written");
        let Ok(found) = find(&[data.at("x.tar")], &Folders::new(1000), false) else {
            continue;
        };
        assert_eq!(found.seen, count);
        let parts = [found.entries.len(), found.classes, found.passed_over.count()];
        assert_eq!(parts.iter().sum::<usize>(), count, "{parts:?}");
        images += found.entries.len();
    }
    assert!(images > 500, "{images}");
}
