//! Networks with classes of their own: a weight file that fits no variant is described, added, and run with its class names.

mod common;

use common::{Place, SMALL, arrays, photo};
use serde_json::json;

const WIDTHS: [usize; 4] = [8, 16, 32, 64];

/// A folder with a network of small photos and 1000 classes, a photo, and weights of the same network with other classes.
fn place() -> Place {
    let place = Place::new();
    let head = SMALL.replace("\"nothing\"", "\"builtin\"");
    let variant = |name: &str, more: &str| {
        format!(
            "\n[[variant]]\nname = \"{name}\"\nnetwork = {{ widths = {WIDTHS:?}{more} }}\npreprocess = \"small\"\n\
             licence = \"MIT\"\n"
        )
    };
    let others: String = [1, 5, 21_841]
        .iter()
        .map(|classes| {
            variant(
                &format!("c{classes}"),
                &format!(", head = {{ classes = {classes} }}"),
            )
        })
        .collect();
    place.write("others.toml", &format!("{head}{others}"));
    place.write("zoo.toml", &format!("{head}{}", variant("tiny", "")));
    photo(&place.path().join("a.png"), |x, y| [x as u8, y as u8, 9]);
    place
}

/// Writes seeded weights of one of the other networks.
fn weights(place: &Place, variant: &str, file: &str, more: &[&str]) {
    let export = [
        "--manifest",
        "others.toml",
        "export",
        variant,
        "--weights",
        "seeded:1",
        "-o",
        file,
    ];
    place.zoo(&[&export[..], more].concat()).good();
}

#[test]
fn every_command_says_which_network_a_file_is_and_how_to_add_it() {
    let place = place();
    weights(&place, "c5", "five.safetensors", &[]);
    arrays::write(&place.path().join("x.npy"), &[1, 3, 32, 32]);
    place.write("list.txt", "a.png 0\n");
    let given = ["--weights", "five.safetensors"];
    for command in [
        &["classify", "a.png", "-m", "tiny"][..],
        &["infer", "-m", "tiny", "--input", "x.npy", "--output", "y.npy"],
        &["export", "tiny", "-o", "w.onnx"],
        &["quantize", "tiny", "--photos", "a.png", "-o", "c.toml"],
        &["fidelity", "tiny", "--photos", "a.png"],
        &["eval", "tiny", "--data", "list.txt"],
        &["bench", "-m", "tiny", "--size", "32"],
        &["classify", "a.png", "-m", "W32"],
    ] {
        let said = place.zoo(&[command, &given].concat()).failed(1);
        let what = "five.safetensors: weights of tiny with 5 classes instead of 1000";
        assert!(said.contains(what), "{command:?}: {said}");
        assert!(
            said.contains("`zoo add NAME --weights five.safetensors`"),
            "{command:?}: {said}"
        );
        assert!(
            !said.contains("not the weights of this network"),
            "{command:?}: {said}"
        );
    }
    let told = place.zoo(&["inspect", "five.safetensors"]).good();
    assert!(
        told.contains(
            "fits      no variant of the manifest: tiny with 5 classes instead of 1000; `zoo add NAME"
        ),
        "{told}"
    );

    // A backbone: its classifier has another name.
    let path = place.path().join("five.safetensors");
    let bytes = std::fs::read(&path).expect("weights");
    let head = String::from_utf8_lossy(&bytes[8..])
        .find("}}")
        .expect("the end of the header")
        + 8;
    let names = String::from_utf8(bytes[8..head].to_vec()).expect("text");
    let renamed = names.replace("\"classifier.", "\"projection.");
    let backbone = [&bytes[..8], renamed.as_bytes(), &bytes[head..]].concat();
    assert_eq!(backbone.len(), bytes.len());
    std::fs::write(place.path().join("backbone.safetensors"), backbone).expect("written");
    for command in [
        &[
            "classify",
            "a.png",
            "-m",
            "tiny",
            "--weights",
            "backbone.safetensors",
        ][..],
        &["add", "mine", "--weights", "backbone.safetensors"],
    ] {
        let said = place.zoo(command).failed(1);
        assert!(
            said.contains("weights of tiny without a classifier")
                && said.contains("the file that also has the classifier"),
            "{command:?}: {said}"
        );
    }

    weights(&place, "c1", "one.safetensors", &["--names", "paddle"]);
    weights(&place, "c21841", "many.safetensors", &["--names", "paddle"]);
    for (file, classes) in [("one.safetensors", 1), ("many.safetensors", 21_841)] {
        let network = place.zoo(&["inspect", file, "--json"]).json()["network"].clone();
        assert_eq!(
            (&network["classes"], &network["widths"]),
            (&json!(classes), &json!(WIDTHS)),
            "{network}"
        );
        let error = place
            .zoo(&["classify", "a.png", "-m", "tiny", "--weights", file])
            .failed(1);
        assert!(error.contains(&format!("{classes} class")), "{error}");
    }
}

#[test]
fn a_file_alone_makes_a_network_with_names_for_its_classes() {
    let place = place();
    weights(&place, "c5", "five.safetensors", &[]);
    let add =
        |name: &str, more: &[&str]| place.zoo(&[&["add", name, "--preprocess", "small"], more].concat());
    place.write("names.txt", "ant\nbee\ncat\ndog\n");
    let birds = ["--weights", "five.safetensors", "--labels", "names.txt"];
    let error = add("five", &birds).failed(3);
    assert!(error.contains("names.txt: 4 lines, expected 5"), "{error}");
    place.write("names.txt", "ant\nbee\ncat\ndog\neel\n");
    let said = add("five", &birds).said();
    assert!(said.contains("widths 8, 16, 32, 64, 5 classes"), "{said}");

    let classes = place.zoo(&["classify", "a.png", "-m", "five", "--json"]).json()["classes"].clone();
    let names: Vec<&str> = classes
        .as_array()
        .expect("classes")
        .iter()
        .map(|class| class["name"].as_str().expect("a name"))
        .collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["ant", "bee", "cat", "dog", "eel"]);
    let best = &classes[0];
    let index = best["index"].as_u64().expect("an index") as usize;
    assert_eq!(best["name"], sorted[index], "names are in the order of the file");
    let shown = place.zoo(&["show", "five"]).good();
    assert!(shown.contains("classes     5, named by "), "{shown}");

    // Folders of labelled photos have the names of the classes, or their numbers.
    for (name, folder) in [("a", "eel"), ("b", "0"), ("c", "cow")] {
        let folder = place.path().join("photos").join(folder);
        std::fs::create_dir_all(&folder).expect("made");
        photo(&folder.join(format!("{name}.png")), |x, y| [x as u8, 7, y as u8]);
    }
    let eval = || place.zoo(&["eval", "five", "--data", "photos", "--json"]);
    let error = eval().failed(2);
    assert!(
        error.contains("`cow` has no known class") && error.contains("labels"),
        "{error}"
    );
    std::fs::remove_dir_all(place.path().join("photos/cow")).expect("removed");
    assert_eq!(eval().json()["tally"]["counted"], 2);

    // Options that the file contradicts, and names without weights.
    let error = add("six", &["--weights", "five.safetensors", "--classes", "6"]).failed(1);
    assert!(error.contains("the file has the tensors of five"), "{error}");
    add("bare", &["--widths", "8,16,32,64", "--labels", "names.txt"]).good();
    let answer = place
        .zoo(&["classify", "a.png", "-m", "bare", "--weights", "five.safetensors"])
        .good();
    assert!(answer.contains("eel"), "as many classes as labels: {answer}");
    let error = add("none", &[]).failed(2);
    assert!(error.contains("--widths") && error.contains("--like"), "{error}");

    weights(&place, "c1", "one.safetensors", &[]);
    add("one", &["--weights", "one.safetensors"]).good();
    let run = place.zoo(&["classify", "a.png", "-m", "one", "--json"]);
    assert!(run.stderr().contains("100 % for every photo"), "{}", run.stderr());
    assert_eq!(run.json()["classes"][0]["probability"], 1.0);
}

#[test]
fn the_small_layouts_come_from_the_file_or_from_a_variant() {
    let place = Place::new();
    place
        .zoo(&["add", "small5", "--like", "hrnet_w18_small", "--classes", "5"])
        .good();
    let export = [
        "export",
        "small5",
        "--weights",
        "seeded:1",
        "-o",
        "small5.safetensors",
    ];
    place.zoo(&export).good();
    let manifest = std::fs::read_to_string(place.path().join("zoo.toml")).expect("written");
    assert!(
        manifest.contains(
            "stage1 = { blocks = 1, mid = 32 }, modules = [1, 1, 1], blocks = 2, head = { classes = 5 }"
        ),
        "{manifest}"
    );
    std::fs::remove_file(place.path().join("zoo.toml")).expect("removed");
    let told = place.zoo(&["inspect", "small5.safetensors"]).good();
    assert!(
        told.contains("hrnet_w18_small with 5 classes instead of 1000"),
        "{told}"
    );
    place
        .zoo(&["add", "small5", "--weights", "small5.safetensors"])
        .good();
    let again = std::fs::read_to_string(place.path().join("zoo.toml")).expect("written");
    assert!(
        again.starts_with(manifest.trim_end()),
        "the file says as much as the options: {again}"
    );
    place.zoo(&["verify", "small5"]).good();
}
