//! Variants of one's own: a manifest that adds to the built-in one, files of this machine, and `zoo add`.

mod common;

use std::fs;
use std::process::Stdio;

use common::{Place, SMALL, arrays};
use registry::Digest;

/// A manifest that adds a network of its own width, for photos of 32 pixels, to the built-in ones.
fn mine() -> String {
    let head = SMALL.replace("\"nothing\"", "\"builtin\"");
    format!(
        r#"# Mine.
{head}
[[variant]]
name = "tiny"
network = {{ widths = [8, 16, 32, 64], head = {{ classes = 10 }} }}
preprocess = "small"
license = "MIT"

[[variant.weights]]
path = "tiny.safetensors"
"#
    )
}

/// A folder with that manifest, and weights where it says.
fn place() -> Place {
    let place = Place::new();
    place.write("zoo.toml", &mine());
    let export = [
        "export",
        "tiny",
        "--weights",
        "seeded:1",
        "-o",
        "tiny.safetensors",
    ];
    place.zoo(&export).good();
    place
}

fn infer(place: &Place) -> common::Run {
    place.infer("tiny", ["x.npy", "y.npy"], &["--backend", "cpu-exact"])
}

#[test]
fn a_manifest_of_this_folder_says_that_it_replaces_the_built_in_one() {
    let place = Place::new();
    place.write("zoo.toml", &mine().replace("extends = \"builtin\"\n", ""));
    let said = place.zoo(&["show", "tiny"]).said();
    assert_eq!(
        said.matches("replaces the built-in variants").count(),
        1,
        "{said}"
    );
    assert!(
        said.contains("`extends = \"builtin\"` at its top keeps them"),
        "{said}"
    );
    assert_eq!(
        place.zoo(&["show", "tiny", "--manifest", "zoo.toml"]).said(),
        "",
        "it was named"
    );
    place.zoo(&["show", "HRNet_W18_C"]).failed(4);
    for extends in ["nothing", "builtin"] {
        place.write(
            "zoo.toml",
            &mine().replace("builtin", extends).replace("paddle-224", "small"),
        );
        assert_eq!(place.zoo(&["show", "tiny"]).said(), "", "{extends}");
    }
    place.zoo(&["show", "W18"]).good();
}

#[test]
fn a_network_without_weights_says_what_to_do() {
    let place = Place::new();
    let mine = mine();
    let (without, _) = mine.split_once("[[variant.weights]]").expect("weights");
    place.write("zoo.toml", without);
    common::photo(&place.path().join("a.png"), |x, y| [x as u8, y as u8, 0]);
    let error = place.zoo(&["classify", "a.png", "--model", "tiny"]).failed(7);
    assert!(
        error.contains("names no weights of tiny") && error.contains("--weights seeded:0"),
        "{error}"
    );
    let seeded = ["classify", "a.png", "--model", "tiny", "--weights", "seeded:0"];
    let answer = place.zoo(&seeded).good();
    assert!(
        !answer.contains("tench"),
        "ten classes have no names of ImageNet's: {answer}"
    );
    let list = place.zoo(&["list", "--json"]).json();
    let names = list.as_array().expect("rows").iter().map(|row| &row["name"]);
    assert_eq!(names.filter(|name| *name == "tiny").count(), 1, "{list}");
    place.zoo(&["fetch", "tiny"]).failed(4);
}

/// Writes other weights into the file that the manifest names.
fn replace_weights(place: &Place) {
    let export = [
        "export",
        "tiny",
        "--weights",
        "seeded:2",
        "-o",
        "tiny.safetensors",
    ];
    place.zoo(&export).good();
}

#[test]
fn a_file_of_this_machine_is_used_where_it_lies_and_never_changed() {
    let place = place();
    let bytes = fs::read(place.path().join("tiny.safetensors")).expect("there");
    arrays::write(&place.path().join("x.npy"), &[1, 3, 32, 32]);
    infer(&place).good();
    let answer = fs::read(place.path().join("y.npy")).expect("written");
    let seeded = ["--weights", "seeded:1", "--backend", "cpu-exact"];
    place.infer("tiny", ["x.npy", "z.npy"], &seeded).good();
    assert!(
        answer == fs::read(place.path().join("z.npy")).expect("written"),
        "the weights that it names"
    );
    assert!(place.zoo(&["list"]).good().contains("local (here)"));
    let unpinned = place.zoo(&["verify", "tiny"]).good();
    assert!(
        unpinned.starts_with("unpinned  tiny local: sha256 ")
            && unpinned
                .contains("no digest is pinned to compare it with, and `zoo fetch tiny` pins this one"),
        "{unpinned}"
    );

    let told = place.zoo(&["fetch", "tiny", "--locked"]).failed(6);
    assert!(told.contains("zoo.lock does not pin it"), "{told}");
    let said = place.zoo(&["fetch", "tiny"]).said();
    assert!(said.contains("tiny local: on this machine, now pinned"), "{said}");
    let lock = fs::read_to_string(place.path().join("zoo.lock")).expect("a lock");
    assert!(
        lock.contains("url = \"./tiny.safetensors\"") && lock.contains(&Digest::of(&bytes).to_string()),
        "{lock}"
    );
    assert!(
        place
            .zoo(&["verify", "tiny"])
            .good()
            .contains("verified  tiny local: sha256")
    );
    let said = place.zoo(&["mirror", "stick", "tiny"]).failed(7);
    assert!(said.contains("1 file of this machine left out"), "{said}");
    assert!(
        !place.path().join("stick").exists(),
        "a mirror has what was downloaded"
    );
    let published = place
        .files()
        .into_iter()
        .filter(|file| file.ends_with(&Digest::of(&bytes).to_string()));
    assert_eq!(published.count(), 0, "nothing is copied");

    // Another file in its place is another digest than the pinned one.
    replace_weights(&place);
    let other = fs::read(place.path().join("tiny.safetensors")).expect("there");
    fs::remove_file(place.path().join("y.npy")).expect("removed");
    for run in [
        place.zoo(&["verify", "tiny", "--repair"]).failed(9),
        infer(&place).failed(6),
        place.zoo(&["export", "tiny", "-o", "w.onnx"]).failed(6),
        place.zoo(&["fetch", "tiny"]).failed(6),
    ] {
        assert!(run.contains("tiny.safetensors"), "{run}");
    }
    assert!(!place.path().join("y.npy").exists());
    assert!(
        fs::read(place.path().join("tiny.safetensors")).expect("there") == other,
        "a repair writes nothing"
    );
    place.zoo(&["pin", "tiny", "--accept-changed", "tiny"]).good();
    infer(&place).good();
    assert!(
        answer != fs::read(place.path().join("y.npy")).expect("written"),
        "other weights"
    );

    fs::remove_file(place.path().join("tiny.safetensors")).expect("removed");
    let error = infer(&place).failed(7);
    assert!(error.contains("tiny.safetensors: is not there"), "{error}");
    place.zoo(&["fetch", "tiny"]).failed(7);
}

#[test]
fn pruning_keeps_what_was_prepared_from_a_file_that_nothing_pins() {
    let place = place();
    arrays::write(&place.path().join("x.npy"), &[1, 3, 32, 32]);
    infer(&place).good();
    let copies = || -> Vec<String> {
        let is_copy = |file: &String| file.starts_with("cache/sha256/") && file.ends_with(".safetensors");
        place.files().into_iter().filter(is_copy).collect()
    };
    let first = copies();
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(!place.path().join("zoo.lock").exists(), "nothing is pinned");
    let listed = place.zoo(&["cache", "prune", "--dry-run"]).good();
    assert!(
        listed.starts_with("keep ") && listed.contains("tiny local of zoo.toml"),
        "{listed}"
    );
    place.zoo(&["cache", "prune"]).good();
    assert_eq!(copies(), first, "the manifest in use names the file");
    let mine = mine();
    let (without, _) = mine.split_once("[[variant.weights]]").expect("weights");
    place.write("other.toml", without);
    let elsewhere = |more: &[&str]| {
        let prune = [&["cache", "prune", "--manifest", "other.toml"], more].concat();
        place.zoo(&prune).said()
    };
    elsewhere(&[]);
    assert_eq!(copies(), first, "another manifest does");

    replace_weights(&place);
    infer(&place).good();
    assert_eq!(copies().len(), 2);
    elsewhere(&[]);
    let now = copies();
    assert!(
        now.len() == 1 && now != first,
        "the file holds other weights now: {now:?}"
    );
    fs::remove_file(place.path().join("zoo.toml")).expect("removed");
    elsewhere(&[]);
    assert_eq!(copies(), now, "kept by what it named last");
    elsewhere(&["--gone"]);
    assert_eq!(copies(), Vec::<String>::new());
}

#[test]
fn a_stated_digest_holds_for_a_file_of_this_machine() {
    let place = place();
    arrays::write(&place.path().join("x.npy"), &[1, 3, 32, 32]);
    let right = Digest::of(&fs::read(place.path().join("tiny.safetensors")).expect("there"));
    place.write("zoo.toml", &format!("{}sha256 = \"{right}\"\n", mine()));
    infer(&place).good();
    place.zoo(&["fetch", "tiny", "--locked"]).good();
    let wrong = Digest::of(b"another");
    place.write("zoo.toml", &format!("{}sha256 = \"{wrong}\"\n", mine()));
    let error = infer(&place).failed(6);
    assert!(
        error.contains(&format!("zoo.toml says sha256 {wrong}")),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn a_manifest_leads_nowhere_else() {
    let place = place();
    let secret = tempfile::tempdir().expect("another folder");
    let weights = secret.path().join("w.safetensors");
    fs::rename(place.path().join("tiny.safetensors"), &weights).expect("moved");
    let whole = weights.display().to_string();
    place.write("zoo.toml", &mine().replace("tiny.safetensors", &whole));
    let error = place.zoo(&["verify", "tiny"]).failed(3);
    assert!(error.contains("--weights-dir DIR"), "{error}");
    let folder = secret.path().display().to_string();
    place
        .zoo_with(&[("ZOO_WEIGHTS_DIR", &folder)], &["fetch", "tiny"])
        .good();
    place.zoo(&["--weights-dir", &folder, "verify", "tiny"]).good();
    let added = place.zoo(&["--weights-dir", &folder, "add", "w20", "--widths", "20,40,80,160"]);
    assert!(added.stderr().contains("ZOO_WEIGHTS_DIR"), "{}", added.stderr());
    added.good();
    place.write("zoo.toml", &mine());
    std::os::unix::fs::symlink(&weights, place.path().join("tiny.safetensors")).expect("linked");
    for command in [
        &["fetch", "tiny"][..],
        &["verify", "tiny"],
        &["export", "tiny", "-o", "w.onnx"],
    ] {
        let error = place.zoo(command);
        let said = error.stdout() + &error.failed(8);
        assert!(said.contains("link"), "{command:?}: {said}");
    }
}

#[test]
fn pins_of_the_built_in_manifest_hold_where_one_extends_it() {
    let place = place();
    let url = "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph/legendary_models/HRNet_W18_C_pretrained.pdparams";
    let digest = Digest::of(b"weights");
    let lock = format!("version = 1\n\n[[artifact]]\nurl = \"{url}\"\nbytes = 7\nsha256 = \"{digest}\"\n");
    fs::create_dir_all(place.path().join("cache/sha256")).expect("made");
    place.write("cache/zoo.lock", &lock);
    place.write(&format!("cache/sha256/{digest}"), "weights");
    place.zoo(&["verify", "W18"]).good();
    place.zoo(&["fetch", "W18", "--locked", "--offline"]).good();
    let own = fs::read_to_string(place.path().join("zoo.lock")).expect("pinned here, too");
    assert!(own.contains(&digest.to_string()), "{own}");
}

#[test]
fn a_variant_is_added_to_a_manifest_that_is_made_for_it() {
    let place = Place::new();
    place
        .zoo(&[
            "export",
            "hrnet_w18_small",
            "--weights",
            "seeded:1",
            "-o",
            "small.safetensors",
        ])
        .good();
    let add = |more: &[&str]| place.zoo(&[&["add", "w20", "--widths"], more].concat());
    let error = add(&["20,40,80,160", "--weights", "small.safetensors"]).failed(1);
    assert!(
        error.contains("the file has the tensors of hrnet_w18_small"),
        "{error}"
    );
    assert!(!place.path().join("zoo.toml").exists(), "nothing is written");
    let elsewhere = tempfile::tempdir().expect("another folder");
    let outside = elsewhere.path().join("my weights.safetensors");
    fs::copy(place.path().join("small.safetensors"), &outside).expect("copied");
    let outside = outside.display().to_string();
    for option in ["--weights", "--labels"] {
        let error = place.zoo(&["add", "far", "--like", "hrnet_w18_small", option, &outside]);
        let error = error.failed(2);
        assert!(
            error.contains(&format!("`cp '{outside}' "))
                && error.contains("--weights-dir DIR")
                && !error.contains("zoo.toml:"),
            "{option}: {error}"
        );
    }
    fs::create_dir(place.path().join("below")).expect("made");
    let around = place.zoo(&["add", "near", "--weights", "below/../small.safetensors"]);
    assert!(around.said().contains("near is in zoo.toml"));
    fs::remove_file(place.path().join("zoo.toml")).expect("removed");
    let error = add(&["20,40"]).failed(2);
    assert!(error.contains("--widths 20,40: expected 4 numbers"), "{error}");
    let said = add(&["20,40,80,160", "--license", "MIT"]).said();
    assert!(
        said.contains("w20 is in zoo.toml, which is new and keeps"),
        "{said}"
    );
    assert!(said.contains("next: `zoo bench -m w20`"), "{said}");
    let error = place.zoo(&["bench", "-m", "birds"]).failed(4);
    assert!(
        error.contains("no variant is named `birds`") && error.contains("did you mean `w20`?"),
        "{error}"
    );
    let shown = place.zoo(&["show", "W20", "--json"]).json();
    assert_eq!(
        (&shown["licence"], &shown["widths"][3]),
        (&"MIT".into(), &160.into())
    );

    place
        .zoo(&["export", "w20", "--weights", "seeded:1", "-o", "w20.safetensors"])
        .good();
    let text = fs::read_to_string(place.path().join("zoo.toml")).expect("written") + "# Kept.\n";
    place.write("zoo.toml", &text);
    let more = |name: &str, widths: &str| {
        place.zoo(&[
            "add",
            name,
            "--widths",
            widths,
            "--weights",
            "w20.safetensors",
            "--preprocess",
            "paddle-224",
        ])
    };
    let error = more("w24", "24,48,96,192").failed(1);
    assert!(
        error.contains("the file has the tensors of w20: name that variant, as in `--model w20`"),
        "{error}"
    );
    let shown = place.zoo(&["show", "w20"]).good();
    assert!(
        shown.contains("\nWeights\nnone: other commands need `--weights FILE`\n")
            && shown.contains("\nPublished\nnothing: the manifest has no figures of this variant\n"),
        "{shown}"
    );
    let error = more("W20", "20,40,80,160").failed(2);
    assert!(error.contains("`w20` is already a variant"), "{error}");
    more("hrnet_w18_c", "20,40,80,160").failed(2);
    let said = more("mine", "20,40,80,160").said();
    assert!(said.contains("next: `zoo classify PHOTO --model mine`"), "{said}");
    let now = fs::read_to_string(place.path().join("zoo.toml")).expect("written");
    assert!(now.starts_with(&text), "{now}");
    place.zoo(&["fetch", "mine"]).good();
    let shown = place.zoo(&["show", "mine"]).good();
    assert!(
        shown.contains("./w20.safetensors")
            && shown
                .contains("\nlicence     not stated (NOASSERTION): `licence` in the manifest states it\n"),
        "{shown}"
    );
}

#[test]
fn variants_that_are_added_at_the_same_time_are_all_there() {
    let place = Place::new();
    let names: Vec<String> = (0..8).map(|index| format!("w{index}")).collect();
    let children: Vec<_> = names
        .iter()
        .map(|name| {
            let add = ["add", name, "--widths", "8,16,32,64"];
            place
                .command(&add)
                .stderr(Stdio::piped())
                .spawn()
                .expect("started")
        })
        .collect();
    for child in children {
        let ended = child.wait_with_output().expect("it ends");
        assert!(
            ended.status.success(),
            "{}",
            String::from_utf8_lossy(&ended.stderr)
        );
    }
    let text = fs::read_to_string(place.path().join("zoo.toml")).expect("a manifest");
    for name in &names {
        assert_eq!(text.matches(&format!("name = \"{name}\"")).count(), 1, "{text}");
    }
    assert_eq!(place.files(), ["zoo.toml"], "no lock is left");
    place.zoo(&["show", "w7"]).good();
}

#[test]
fn an_empty_manifest_says_what_it_needs_and_is_filled_by_the_first_variant() {
    let place = Place::new();
    place.write("zoo.toml", "\n");
    let error = place.zoo(&["list"]).failed(3);
    for part in [
        "zoo.toml:1:1: ",
        "`schema = 1`",
        "`extends = \"builtin\"`",
        "[[variant]]",
        "`zoo add`",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    place.zoo(&["add", "w20", "--widths", "20,40,80,160"]).good();
    place.zoo(&["show", "W18"]).good();
}

#[test]
fn verifying_an_empty_cache_says_what_to_do_next() {
    let place = Place::new();
    let said = place.zoo(&["verify"]).said();
    assert!(
        said.contains("nothing to check") && said.contains("`zoo fetch all`"),
        "{said}"
    );
    place.zoo(&["verify", "all"]).failed(7);
}
