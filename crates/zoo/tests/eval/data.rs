//! Forms of data sets, and what is damaged, passed over or refused in them.

use serde_json::Value;

use crate::common;
use crate::world::{MODEL, World, counts};

#[test]
fn folders_and_archives_give_what_the_list_gives() {
    let world = World::new(40);
    world.label();
    let list = world.eval(&["--out", "a", "--json"]).json();
    let text = std::fs::read_to_string(world.place.path().join("list.txt")).expect("the list");
    let mut tar =
        tar::Builder::new(std::fs::File::create(world.place.path().join("data.tar")).expect("made"));
    for line in text.lines() {
        let (name, class) = line.split_once(' ').expect("a class");
        let source = world.place.path().join(name);
        let file = name.split_once('/').expect("a folder").1;
        let folder = world.place.path().join("folders").join(class);
        std::fs::create_dir_all(&folder).expect("made");
        std::fs::copy(&source, folder.join(file)).expect("copied");
        tar.append_path_with_name(&source, format!("{class}/{file}"))
            .expect("packed");
    }
    tar.finish().expect("packed");
    let of = |data: &str| {
        let run = [
            &["eval", "tiny", "--data", data, "--out", "b", "--json", "-q"],
            &MODEL[..],
        ]
        .concat();
        world.place.zoo(&run).json()
    };
    let (folders, archive) = (of("folders"), of("data.tar"));
    assert_eq!(folders["tally"], list["tally"]);
    assert_eq!(
        counts(&archive),
        counts(&folders),
        "the same names, labels and bytes"
    );
    let restricted = [
        &[
            "eval",
            "tiny",
            "--data",
            "folders",
            "--out",
            "b",
            "--json",
            "-q",
            "--restrict",
        ],
        &MODEL[..],
    ]
    .concat();
    let restricted = world.place.zoo(&restricted).json();
    let top1 = |summary: &Value| summary["tally"]["top1"].as_u64().expect("a count");
    assert!(
        top1(&restricted) >= top1(&folders),
        "fewer classes can be confused"
    );
    assert_ne!(restricted["key"], folders["key"]);
}

/// The example for Slurm as its tasks run it, here side by side.

#[test]
fn unreadable_images_are_counted_and_named_and_labels_that_do_not_fit_are_an_error() {
    let world = World::new(12);
    world.label();
    let damaged = world.place.path().join("images/0003.png");
    std::fs::write(&damaged, b"\x89PNG damaged").expect("written");
    std::fs::remove_file(world.place.path().join("images/0007.png")).expect("deleted");
    let run = world.eval(&[]);
    let told = run.stdout();
    assert!(told.contains("2 images could not be read:"), "{told}");
    assert!(
        told.contains("images/0003.png: ") && told.contains("images/0007.png: "),
        "{told}"
    );
    assert!(told.contains("on 10 of 12 images"), "{told}");
    let error = run.failed(9);
    assert!(error.contains("2 images could not be read"), "{error}");
    let again = world.eval(&[]);
    assert!(
        again.stderr().contains("0 images to answer, 12 already there"),
        "{}",
        again.stderr()
    );
    let both = [&["eval", "tiny", "tiny", "--data", "list.txt"], &MODEL[..]].concat();
    let error = world.place.zoo(&both).failed(9);
    assert!(
        error.contains("error: 2 images could not be read"),
        "each image is counted once: {error}"
    );

    world.place.write("bad.txt", "images/0001.png 1000\n");
    let bad = [&["eval", "tiny", "--data", "bad.txt"], &MODEL[..]].concat();
    let error = world.place.zoo(&bad).failed(2);
    assert!(
        error.contains("class 1000, but the network knows 0 to 999"),
        "{error}"
    );
    let until = world.eval(&["--until-decided", "0.5pp"]).failed(2);
    assert!(until.contains("tiny has no claimed top-1 accuracy"), "{until}");
    #[cfg(not(feature = "object-store"))]
    {
        let error = world.eval(&["--out", "s3://zoo/run"]).failed(2);
        assert!(error.contains("--features object-store"), "{error}");
    }
    let error = world.eval(&["--shard", "3/3"]).failed(2);
    assert!(error.contains("expected 0/3 to 2/3"), "{error}");
}

/// Runs the evaluation of the small network on other data.
fn on(world: &World, data: &str, more: &[&str]) -> common::Run {
    let run = [&["eval", "tiny", "--data", data, "--out", "on"], &MODEL[..], more].concat();
    world.place.zoo(&run)
}

/// Packs images of the world into an archive, by the names that they get there.
fn pack(world: &World, archive: &str, members: &[(&str, &str)]) -> Vec<u8> {
    let path = world.place.path().join(archive);
    let mut tar = tar::Builder::new(std::fs::File::create(&path).expect("made"));
    for (source, name) in members {
        let source = world.place.path().join(source);
        tar.append_path_with_name(source, name).expect("packed");
    }
    tar.finish().expect("packed");
    std::fs::read(path).expect("an archive")
}

#[test]
fn an_archive_that_is_cut_never_gives_an_accuracy_with_exit_code_0() {
    let world = World::new(4);
    let members = [("images/0000.png", "1/a.png"), ("images/0001.png", "2/b.png")];
    let whole = pack(&world, "whole.tar", &members);
    let good = on(&world, "whole.tar", &["--json"]).json();
    assert_eq!(good["tally"]["counted"], 2);
    let end = whole.len() - 1024;
    std::fs::write(world.place.path().join("edge.tar"), &whole[..end]).expect("written");
    let run = on(&world, "edge.tar", &["-q"]);
    assert!(
        run.stderr().contains("has no end mark after 2/b.png"),
        "{}",
        run.stderr()
    );
    assert!(run.failed(9).contains("1 archive may be truncated"));
    std::fs::write(world.place.path().join("inside.tar"), &whole[..end - 512]).expect("written");
    let error = on(&world, "inside.tar", &[]).failed(6);
    assert!(
        error.contains("inside.tar: the archive is cut: it ends at byte"),
        "{error}"
    );
    std::fs::write(
        world.place.path().join("twice.tar"),
        [&whole[..], &whole].concat(),
    )
    .expect("written");
    let error = on(&world, "twice.tar", &[]).failed(2);
    assert!(error.contains("more members follow its end mark"), "{error}");
}

#[test]
fn what_is_passed_over_is_told_and_a_link_to_nowhere_is_named() {
    let world = World::new(2);
    let path = world.place.path().join("odd.tar");
    let mut tar = tar::Builder::new(std::fs::File::create(path).expect("made"));
    let image = world.place.path().join("images/0000.png");
    tar.append_path_with_name(&image, "1/a.png").expect("packed");
    tar.append_path_with_name(&image, "1/._a.png").expect("packed");
    for (name, target) in [("2/b.png", "1/a.png"), ("3/c.png", "none.png")] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Link);
        header.set_size(0);
        tar.append_link(&mut header, name, target).expect("packed");
    }
    tar.finish().expect("packed");
    let run = on(&world, "odd.tar", &["--json"]);
    assert!(
        run.stderr().contains("1 file was passed over"),
        "{}",
        run.stderr()
    );
    let told = run.stderr();
    assert!(told.contains("1 image could not be read"), "{told}");
    run.failed(9);
    let text = on(&world, "odd.tar", &[]).stdout();
    assert!(
        text.contains("3/c.png: it is a link to none.png, which the archive does not have"),
        "{text}"
    );
    assert!(text.contains("on 2 of 3 images"), "{text}");
}

/// A pipe that nobody writes into, and a device that never ends, would be waited for without end.
#[cfg(target_os = "linux")]
#[test]
fn pipes_devices_and_absurd_sizes_are_named_by_every_command_that_reads_photos() {
    let world = World::new(2);
    let folder = world.place.path().join("images/1");
    std::fs::create_dir(&folder).expect("made");
    std::fs::rename(world.place.path().join("images/0000.png"), folder.join("a.png")).expect("moved");
    std::fs::remove_file(world.place.path().join("images/0001.png")).expect("removed");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let pipe = folder.join("b.jpg");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
    std::os::unix::fs::symlink("/dev/zero", folder.join("c.jpg")).expect("a link");
    let sparse = std::fs::File::create(folder.join("d.jpg")).expect("made");
    sparse.set_len(3 << 30).expect("a size");
    let all_named = |told: &str| {
        for why in [
            "b.jpg: is a pipe",
            "c.jpg: is a device",
            "d.jpg: has 3221225472 bytes",
        ] {
            assert!(told.contains(why), "{why}: {told}");
        }
    };
    let run = on(&world, "images", &[]);
    all_named(&run.stdout());
    run.failed(9);
    let classify = [&["classify", "images", "--model", "tiny"], &MODEL[..]].concat();
    all_named(&world.place.zoo(&classify).failed(9));
    let prepare = ["preprocess", "images", "--model", "tiny", "-o", "x.npy"];
    all_named(&world.place.zoo(&prepare).failed(9));
    let quantize = ["quantize", "tiny", "--weights", "seeded:5", "--photos", "images"];
    all_named(&world.place.zoo(&quantize).failed(9));
    let fidelity = [
        "fidelity",
        "tiny",
        "--weights",
        "seeded:5",
        "--photos",
        "images/1/b.jpg",
    ];
    let error = world.place.zoo(&fidelity).failed(8);
    assert!(error.contains("b.jpg: is a pipe"), "{error}");
    for (option, place) in [
        ("--input", "images/1/b.jpg"),
        ("--input", "/dev/zero"),
        ("--calibration", "images/1/b.jpg"),
    ] {
        let infer = match option {
            "--input" => vec![
                "infer",
                "--model",
                "tiny",
                option,
                place,
                "-o",
                "y.npy",
                "--weights",
                "seeded:5",
            ],
            _ => vec![
                "classify",
                "images/1/a.png",
                "--model",
                "tiny",
                "--weights",
                "seeded:5",
                "--precision",
                "int8",
                option,
                place,
            ],
        };
        let error = world.place.zoo(&infer).failed(8);
        assert!(error.contains("only regular files are read"), "{error}");
    }
    let error = world
        .place
        .zoo(&["list", "--manifest", "images/1/b.jpg"])
        .failed(3);
    assert!(error.contains("is a pipe"), "{error}");
}
