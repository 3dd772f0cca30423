//! The program as a user meets it: arguments in; output, files and exit codes out.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::Place;
use npyz::WriterBuilder;
use serde_json::Value;

const PHOTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/photo.jpg");
/// The same with OpenCV's pixels, as the reference's answers were computed with.
const PIXELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/photo.png");

#[test]
fn the_built_in_manifest_is_listed_in_any_folder() {
    let place = Place::new();
    let list = place.zoo(&["list", "--json"]).json();
    let rows = list.as_array().expect("rows");
    assert_eq!(rows.len(), 12);
    assert_eq!(rows[0]["name"], "HRNet_W18_C");
    assert_eq!(rows[0]["parameters"], 21_295_164);
    assert_eq!(rows[0]["macs"], 4_283_537_072_u64);
    let text = place.zoo(&["list"]).good();
    assert!(
        text.contains("SE_HRNet_W64_C_ssld") && text.contains("128.99"),
        "{text}"
    );
    // One accuracy a variant in one unit, whichever publication states it and in which.
    let claimed = |line: &str| line.contains(" % ");
    assert!(text.lines().skip(1).all(claimed), "{text}");
    for (name, shown, share) in [
        ("HRNet_W18_C", "76.9 %", 0.769),
        ("hrnet_w18_small", "72.3 %", 0.723),
    ] {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        assert!(line.is_some_and(|line| line.contains(shown)), "{text}");
        let row = rows.iter().find(|row| row["name"] == name).expect(name);
        assert_eq!(row["top1"], share);
        assert!(row["top1_column"].is_string());
        let show = place.zoo(&["show", name]).good();
        assert!(show.contains(&format!("{shown} claimed (")), "{show}");
    }
}

#[test]
fn a_manifest_here_takes_the_place_of_the_built_in_one() {
    let place = Place::new();
    place.write("zoo.toml", "schema = 1\nvariants = []\n");
    let error = place.zoo(&["list"]).failed(3);
    assert!(
        error.contains("zoo.toml:2:1") && error.contains("variants"),
        "{error}"
    );
    let error = place.zoo(&["list", "--manifest", "none.toml"]).failed(3);
    assert!(error.contains("none.toml"), "{error}");
}

#[test]
fn an_unknown_name_gets_its_nearest_and_exit_code_4() {
    let place = Place::new();
    for arguments in [
        &["show", "HRNet_W18C"][..],
        &["fetch", "HRNet_W18C"],
        &[
            "classify",
            PHOTO,
            "--model",
            "HRNet_W18C",
            "--weights",
            "seeded:0",
        ],
    ] {
        let error = place.zoo(arguments).failed(4);
        assert!(error.contains("did you mean `HRNet_W18_C`?"), "{error}");
    }
}

#[test]
fn names_that_people_have_are_found_by_every_command() {
    let place = Place::new();
    for name in ["W18", "hrnet_w18", "hrnet_w18.ms_in1k", "HRNet-W18-C"] {
        let shown = place.zoo(&["show", name, "--json"]).json();
        assert_eq!(shown["name"], "HRNet_W18_C", "{name}");
    }
    let plan = place
        .zoo(&["fetch", "w48", "hrnet_w18.MS_in1k", "*_V2", "--dry-run"])
        .good();
    let chosen: Vec<&str> = plan
        .lines()
        .map(|line| line["download  ".len()..].split(':').next().unwrap_or_default())
        .collect();
    assert_eq!(
        chosen,
        ["HRNet_W18_C ms", "HRNet_W48_C paddle", "hrnet_w18_small_v2 ms"]
    );
    let source = ["fetch", "hrnet_w18.ms_in1k", "--source", "paddle", "--dry-run"];
    assert!(
        place.zoo(&source).good().contains("HRNet_W18_C paddle"),
        "--source says more"
    );
    let missing = place
        .zoo(&["export", "hrnet_w18.ms_in1k", "-o", "w.onnx"])
        .failed(7);
    assert!(missing.contains("the ms weights of HRNet_W18_C"), "{missing}");
    let error = place.zoo(&["show", "ssld"]).failed(4);
    let three = "did you mean `HRNet_W18_C_ssld`, `HRNet_W48_C_ssld` or `SE_HRNet_W64_C_ssld`?";
    assert!(error.contains(three), "{error}");
    let error = place.zoo(&["fetch", "hrnet_w18.ms_aug_in1k"]).failed(4);
    assert!(
        error.contains("no weights of HRNet_W18_C that are named"),
        "{error}"
    );
    let plan = place.zoo(&[
        "bench",
        "-m",
        "w18,W18,*w18_c",
        "--precision",
        "FP32,half",
        "--plan",
        "--json",
    ]);
    let cases: Vec<String> = plan
        .json()
        .as_array()
        .expect("cells")
        .iter()
        .map(|row| {
            row["case"]
                .as_str()
                .expect("an id")
                .split("/bs")
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert_eq!(cases, ["HRNet_W18_C/f32", "HRNet_W18_C/f16"]);
}

#[test]
fn show_lists_layers_that_add_up() {
    let shown = Place::new()
        .zoo(&["show", "HRNet_W48_C", "--layers", "--json"])
        .json();
    let layers = shown["layers"].as_array().expect("layers");
    let sum = |field: &str| {
        layers
            .iter()
            .map(|layer| layer[field].as_u64().expect("a count"))
            .sum::<u64>()
    };
    assert_eq!((sum("parameters"), sum("macs")), (77_567_400, 17_277_996_032));
}

#[test]
fn lint_finds_what_is_wrong_with_the_page() {
    let place = Place::new();
    let text = place.zoo(&["lint"]).good();
    for said in ["HRNet_W18_C", "4.140", "0.816", "models"] {
        assert!(text.contains(said), "no {said} in {text}");
    }
    place.zoo(&["lint", "--strict"]).failed(1);
}

#[test]
fn a_photo_is_classified() {
    let place = Place::new();
    let run = place.zoo(&[
        "classify",
        PIXELS,
        PHOTO,
        "--model",
        "HRNet_W18_C",
        "--weights",
        "seeded:0",
        "--json",
    ]);
    assert!(run.stderr().contains("never trained"), "{}", run.stderr());
    let lines = run.good();
    let answers: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), 2);
    let classes = answers[0]["classes"].as_array().expect("classes");
    assert_eq!(classes.len(), 5);
    let probabilities: Vec<f64> = classes
        .iter()
        .map(|class| class["probability"].as_f64().expect("a number"))
        .collect();
    assert!(
        probabilities.is_sorted_by(|a, b| a >= b) && probabilities[4] > 0.0,
        "{probabilities:?}"
    );
    // timm's largest logit for this photo and these weights, from tests/golden.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/w18_photo.npy");
    let (_, golden) = read_npy(Path::new(path));
    let largest = golden.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let index = golden.iter().position(|logit| *logit == largest).expect("there");
    assert_eq!(classes[0]["index"], index);
    assert!((classes[0]["logit"].as_f64().expect("a number") - f64::from(largest)).abs() < 1e-4);
}

#[test]
fn what_is_no_photo_is_refused() {
    let place = Place::new();
    place.write("cat.jpg", "meow");
    let with = |path: &str| {
        place.zoo(&[
            "classify",
            path,
            "--model",
            "HRNet_W18_C",
            "--weights",
            "seeded:0",
        ])
    };
    assert!(with("cat.jpg").failed(1).contains("cat.jpg"));
    assert!(with("none.jpg").failed(8).contains("none.jpg"));
    assert!(with(".").failed(1).contains("1 of 1 image could not be read"));

    std::fs::copy(PIXELS, place.path().join("dog.png")).expect("copied");
    let some = with(".");
    assert!(
        some.stdout().contains("dog.png (HRNet_W18_C)"),
        "{}",
        some.stdout()
    );
    assert!(some.failed(9).contains("1 of 2 images could not be read"));
}

#[test]
fn infer_writes_logits_and_refuses_other_sizes() {
    let place = Place::new();
    write_npy(&place.path().join("x.npy"), &[2, 3, 64, 96]);
    write_npy(&place.path().join("odd.npy"), &[1, 3, 60, 64]);
    let infer = |input: &str| {
        let fixed = [
            "infer",
            "--model",
            "HRNet_W18_C",
            "--weights",
            "seeded:0",
            "--output",
            "y.npy",
            "--input",
        ];
        place.zoo(&[&fixed[..], &[input]].concat())
    };
    let error = infer("odd.npy").failed(2);
    assert!(error.contains("32"), "{error}");
    assert!(!place.path().join("y.npy").exists());
    infer("x.npy").good();
    let (shape, logits) = read_npy(&place.path().join("y.npy"));
    assert_eq!(shape, [2, 1000]);
    assert!(logits.iter().all(|logit| logit.is_finite()));
    assert_eq!(place.files(), ["odd.npy", "x.npy", "y.npy"]);
}

#[test]
fn missing_weights_say_how_to_get_them() {
    let place = Place::new();
    let error = place
        .zoo(&["classify", PHOTO, "--model", "HRNet_W18_C"])
        .failed(7);
    assert!(error.contains("zoo fetch HRNet_W18_C"), "{error}");
    let error = place
        .zoo(&[
            "classify",
            PHOTO,
            "--model",
            "HRNet_W18_C",
            "--weights",
            "none.pdparams",
        ])
        .failed(8);
    assert!(error.contains("none.pdparams"), "{error}");
}

#[test]
fn fetching_without_a_network_tells_of_each_server_and_leaves_nothing_behind() {
    let place = Place::new();
    let run = place.zoo(&["fetch", "all", "--retries", "1"]);
    let told = run.stdout() + &run.stderr();
    run.failed(5);
    for server in [
        "error: github.com: ",
        "error: paddle-imagenet-models-name.bj.bcebos.com: ",
    ] {
        assert_eq!(told.matches(server).count(), 1, "{told}");
    }
    assert!(
        told.contains("connection refused: nothing listens at this address, or at the proxy if one is set: "),
        "{told}"
    );
    assert!(
        told.contains(": hrnet_w18_small ms, hrnet_w18_small_v2 ms\n"),
        "{told}"
    );
    assert!(
        told.contains(": 10 files\n") && told.lines().count() == 4,
        "{told}"
    );
    assert_eq!(place.files(), [""; 0]);
    let told = place.zoo(&["fetch", "all", "--offline"]).failed(7);
    assert!(
        told.contains("and offline: 12 files\n") && told.lines().count() == 3,
        "{told}"
    );
}

#[test]
fn help_documents_every_exit_code_and_completions_are_printed() {
    let place = Place::new();
    let help = place.zoo(&["--help"]).good();
    assert!(help.contains("Exit codes:\n   0  success\n"), "{help}");
    for (exit, meaning) in zoo::Exit::ALL {
        assert!(
            help.contains(&format!("\n {:>3}  {meaning}\n", exit.code())),
            "{help}"
        );
    }
    place
        .zoo(&["bench", "--size", "200", "-m", "HRNet_W18_C"])
        .failed(2);
    place.zoo(&["no-such-command"]).failed(2);
    assert!(place.zoo(&["completions", "bash"]).good().contains("_zoo"));
}

/// The names of the pages of a command and of those below it.
fn pages(command: &clap::Command, name: &str) -> Vec<String> {
    let inner = command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
        .flat_map(|inner| pages(inner, &format!("{name}-{}", inner.get_name())));
    std::iter::once(name.to_owned()).chain(inner).collect()
}

#[test]
fn each_command_has_a_manual_page_and_no_page_names_one_that_is_missing() {
    let place = Place::new();
    place.zoo(&["man", "share/man1"]).good();
    place.zoo(&["man", "share/man1"]).good();
    let folder = place.path().join("share/man1");
    let expected = pages(&zoo::command(), "zoo");
    let files: BTreeSet<String> = expected.iter().map(|name| format!("{name}.1")).collect();
    let found: BTreeSet<String> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    assert_eq!(found, files);
    for file in &files {
        let text = std::fs::read_to_string(folder.join(file)).expect("the page");
        assert!(text.contains("\n.TH zoo"), "{file}: {text}");
        for word in text
            .split_whitespace()
            .filter_map(|word| word.strip_suffix("(1)"))
        {
            let word = word.replace("\\-", "-");
            assert!(expected.contains(&word), "{file} names {word}");
        }
    }
    let main = std::fs::read_to_string(folder.join("zoo.1")).expect("the page");
    assert!(main.contains("zoo\\-fetch(1)"), "{main}");
    assert!(main.contains("\n.SH EXAMPLES\n.nf\n"), "{main}");
    for (exit, meaning) in zoo::Exit::ALL {
        let line = format!("{:>3}  {meaning}\n", exit.code());
        assert!(main.replace("\\-", "-").contains(&line), "{line} in {main}");
    }
    let race = std::fs::read_to_string(folder.join("zoo-peers-race.1")).expect("the page");
    assert!(race.contains("ZOO_CACHE"), "the variables of options: {race}");
    place.write("file", "");
    place.zoo(&["man", "file"]).failed(8);
}

#[test]
fn doctor_names_what_it_found() {
    let doctor = Place::new().zoo(&["doctor", "--json"]).json();
    assert_eq!(doctor["manifest"], "built in");
    assert_eq!(doctor["variants"], 12);
    assert!(doctor["threads"].as_u64().expect("threads") > 0);
}

fn read_npy(path: &Path) -> (Vec<u64>, Vec<f32>) {
    let file = npyz::NpyFile::new(std::fs::File::open(path).expect("the file")).expect("a NumPy file");
    (file.shape().to_vec(), file.into_vec().expect("float32"))
}

fn write_npy(path: &Path, shape: &[u64]) {
    write_npy_with(path, shape, &[]);
}

/// The same with these values at these places.
fn write_npy_with(path: &Path, shape: &[u64], odd: &[(u64, f32)]) {
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(shape)
        .writer(file)
        .begin_nd()
        .expect("begun");
    let odd = |i: u64| {
        odd.iter()
            .find_map(|(place, value)| (*place == i).then_some(*value))
    };
    let values = (0..shape.iter().product()).map(|i| odd(i).unwrap_or((i % 7) as f32 / 7.0 - 0.5));
    writer.extend(values).expect("written");
    writer.finish().expect("finished");
}

/// A ReLU would make 0 of a NaN, and the logits would be numbers that mean nothing.
#[test]
fn infer_refuses_what_is_not_finite_and_says_where_it_is() {
    let place = Place::new();
    // Image 1, channel 2, row 5, column 70 of `[2, 3, 64, 96]`, and a later one.
    let first = ((3 + 2) * 64 + 5) * 96 + 70;
    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        write_npy_with(
            &place.path().join("x.npy"),
            &[2, 3, 64, 96],
            &[(first, odd), (first + 1, f32::NAN)],
        );
        for more in [
            &[][..],
            &["--backend", "candle"],
            &["--at", "conv1"],
            &["--precision", "int8"],
        ] {
            let fixed = [
                "infer",
                "--model",
                "HRNet_W18_C",
                "--weights",
                "seeded:0",
                "--input",
                "x.npy",
                "--output",
                "y.npy",
            ];
            let error = place.zoo(&[&fixed[..], more].concat()).failed(2);
            let told = format!("x.npy: image 1 is not finite: {odd} in channel 2, row 5, column 70");
            assert!(error.contains(&told), "{more:?}: {error}");
            assert!(!place.path().join("y.npy").exists());
        }
    }
}

#[test]
fn infer_writes_the_features_of_a_node() {
    let place = Place::new();
    write_npy(&place.path().join("x.npy"), &[1, 3, 64, 64]);
    let infer = |node: &str| {
        let fixed = [
            "infer",
            "--model",
            "HRNet_W18_C",
            "--weights",
            "seeded:0",
            "--input",
            "x.npy",
        ];
        place.zoo(&[&fixed[..], &["--output", "y.npy", "--at", node]].concat())
    };
    let error = infer("stage4.2.fuse_layers.3.rel").failed(4);
    assert!(
        error.contains("did you mean `stage4.2.fuse_layers.3.relu`?"),
        "{error}"
    );
    infer("stage4.2.fuse_layers.1.relu").good();
    let (shape, values) = read_npy(&place.path().join("y.npy"));
    assert_eq!(shape, [1, 36, 8, 8]);
    assert!(values.iter().all(|value| *value >= 0.0) && values.iter().any(|value| *value > 0.0));
    let module = infer("incre_modules.0").failed(4);
    assert!(
        module.contains("did you mean `incre_modules.0.0.relu`"),
        "{module}"
    );
}

/// The arrays of a `.npz` file, whose members lie in it as they are.
fn read_npz(path: &Path) -> Vec<(String, Vec<u64>, Vec<f32>)> {
    let bytes = std::fs::read(path).expect("the archive");
    let number = |at: usize, length: usize| {
        let bytes = bytes[at..at + length].iter().rev();
        bytes.fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    let (mut at, mut arrays) = (0, Vec::new());
    while bytes[at..].starts_with(b"PK\x03\x04") {
        assert_eq!(
            (number(at + 6, 2) & 8, number(at + 8, 2)),
            (0, 0),
            "sizes first, nothing compressed"
        );
        let (size, name, extra) = (number(at + 22, 4), number(at + 26, 2), number(at + 28, 2));
        let begin = at + 30 + name + extra;
        let array = npyz::NpyFile::new(&bytes[begin..begin + size]).expect("an array");
        let name = String::from_utf8(bytes[at + 30..at + 30 + name].to_vec()).expect("a name");
        let name = name.strip_suffix(".npy").expect("numpy's ending").to_owned();
        arrays.push((name, array.shape().to_vec(), array.into_vec().expect("float32")));
        at = begin + size;
    }
    arrays
}

#[test]
fn infer_writes_a_pyramid_of_one_pass_under_names() {
    let place = Place::new();
    write_npy(&place.path().join("x.npy"), &[1, 3, 64, 64]);
    let fixed = [
        "infer",
        "-m",
        "hrnet_w18_small",
        "--weights",
        "seeded:0",
        "-i",
        "x.npy",
        "-o",
    ];
    let infer = |more: &[&str]| place.zoo(&[&fixed[..], more].concat());
    let told = infer(&["f.npz", "--features"]).said();
    assert!(
        told.contains("stride_4 [1, 128, 16, 16], stride_8 [1, 256, 8, 8]"),
        "{told}"
    );
    let pyramid = read_npz(&place.path().join("f.npz"));
    let shapes: Vec<(&str, &[u64])> = pyramid
        .iter()
        .map(|(name, shape, _)| (name.as_str(), shape.as_slice()))
        .collect();
    let expected: [(&str, &[u64]); 5] = [
        ("stride_2", &[1, 64, 32, 32]),
        ("stride_4", &[1, 128, 16, 16]),
        ("stride_8", &[1, 256, 8, 8]),
        ("stride_16", &[1, 512, 4, 4]),
        ("stride_32", &[1, 1024, 2, 2]),
    ];
    assert_eq!(shapes, expected);
    infer(&["one.npy", "--at", "incre_modules.1.0.relu"]).good();
    let (_, alone) = read_npy(&place.path().join("one.npy"));
    let largest = alone.iter().copied().fold(0.0_f32, f32::max);
    let mut differences = alone.iter().zip(&pyramid[2].2).map(|(a, b)| (a - b).abs());
    assert!(differences.all(|difference| difference <= 1e-6 * largest));

    infer(&["n.npz", "--at", "classifier,bn1", "--at", "bn1"]).good();
    let names: Vec<String> = read_npz(&place.path().join("n.npz"))
        .into_iter()
        .map(|array| array.0)
        .collect();
    assert_eq!(names, ["classifier", "bn1"], "each once");
    let several = infer(&["y.npy", "--features=stage4"]).failed(2);
    assert!(several.contains("--output y.npz"), "{several}");
    assert!(
        infer(&["y.npz", "--features=stage5"])
            .failed(2)
            .contains("feature_location")
    );
    assert!(!place.path().join("y.npz").exists() && !place.path().join("y.npy").exists());
}

#[test]
fn arrays_of_another_form_are_refused_with_what_makes_them_fit() {
    let place = Place::new();
    let infer = || {
        let fixed = [
            "infer",
            "-m",
            "hrnet_w18_small",
            "--weights",
            "seeded:0",
            "-i",
            "x.npy",
            "-o",
            "y.npy",
        ];
        place.zoo(&fixed)
    };
    for (shape, advice) in [
        (&[1, 64, 64, 3][..], "transpose(0, 3, 1, 2)"),
        (&[3, 64, 64], "x[None]"),
    ] {
        write_npy(&place.path().join("x.npy"), shape);
        let error = infer().failed(2);
        assert!(
            error.contains("expected an array of shape [n, 3, h, w]") && error.contains(advice),
            "{error}"
        );
    }
    let mut writer = npyz::WriteOptions::<f64>::new()
        .default_dtype()
        .shape(&[1, 3, 32, 32])
        .writer(std::fs::File::create(place.path().join("x.npy")).expect("a file"))
        .begin_nd()
        .expect("begun");
    writer
        .extend(std::iter::repeat_n(0.5, 3 * 32 * 32))
        .expect("written");
    writer.finish().expect("finished");
    let error = infer().failed(2);
    assert!(
        error.contains("convert it with .astype(numpy.float32)"),
        "{error}"
    );
    place.write("x.npy", "text");
    let error = infer().failed(2);
    assert!(error.contains("x.npy: not a NumPy file"), "{error}");
}

#[test]
fn a_network_is_exported_as_onnx() {
    let place = Place::new();
    let export = [
        "export",
        "hrnet_w18_small",
        "--weights",
        "seeded:0",
        "--fold",
        "--output",
        "small.onnx",
    ];
    let told = place.zoo(&export).said();
    for part in [
        "opset 17",
        "images float32 [batch, 3, 224, 224]; free: batch",
        "logits float32 [batch, 1000]",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let bytes = std::fs::read(place.path().join("small.onnx")).expect("the model");
    let noted = [
        ("variant", "hrnet_w18_small"),
        ("precision", "f32"),
        ("weights", "seeded:0"),
        ("classes", "1000"),
        ("labels", "imagenet-1k"),
        ("preprocess_mean", "[0.485, 0.456, 0.406]"),
        ("preprocess_crop", "224"),
        ("preprocess_interpolation", "bilinear"),
        ("tool", "hrnet-zoo "),
    ];
    for (key, value) in noted {
        // A string's length stands before it, behind the number of its field.
        let note = [&[10, key.len() as u8][..], key.as_bytes(), &[18]].concat();
        let at = bytes.windows(note.len()).position(|window| window == note);
        let found = &bytes[at.expect(key) + note.len() + 1..];
        assert!(found.starts_with(value.as_bytes()), "{key}");
    }
    // 13.2 million parameters of four bytes.
    assert!(bytes.len() > 52_000_000 && bytes.windows(4).any(|window| window == b"Conv"));
    assert_eq!(place.files(), ["small.onnx"]);
    let nowhere = [
        "export",
        "hrnet_w18_small",
        "--weights",
        "seeded:0",
        "--output",
        "none/small.onnx",
    ];
    assert!(place.zoo(&nowhere).failed(8).contains("none/small.onnx"));
}

#[test]
fn exported_weights_are_inspected_and_run_as_they_are() {
    let place = Place::new();
    for names in ["timm", "paddle"] {
        let file = format!("{names}.safetensors");
        let export = ["export", "hrnet_w18_small", "--weights", "seeded:0"];
        place
            .zoo(&[&export[..], &["--names", names, "--output", &file]].concat())
            .good();
        let inspected = place.zoo(&["inspect", &file, "--json"]).json();
        assert_eq!(inspected["format"], "safetensors");
        assert_eq!(
            inspected["fits"],
            serde_json::json!(["hrnet_w18_small"]),
            "{names}"
        );
        assert_eq!(inspected["ailments"], serde_json::json!([]));
    }
    write_npy(&place.path().join("x.npy"), &[1, 3, 64, 64]);
    let logits = |weights: &str| {
        let infer = [
            "infer",
            "--model",
            "hrnet_w18_small",
            "--input",
            "x.npy",
            "--output",
            "y.npy",
            "--weights",
            weights,
        ];
        place.zoo(&infer).good();
        read_npy(&place.path().join("y.npy")).1
    };
    let seeded = logits("seeded:0");
    // The word after --features is the network's name.
    let export = [
        "export",
        "--features",
        "hrnet_w18_small",
        "--weights",
        "timm.safetensors",
        "-o",
        "features.onnx",
    ];
    let told = place.zoo(&export).said();
    assert!(
        told.contains("output incre_modules.3.0.relu float32 [batch, 1024, 7, 7]"),
        "{told}"
    );
    let file = |name: &str| std::fs::read(place.path().join(name)).expect("a file");
    let digest = registry::Digest::of(&file("timm.safetensors")).to_string();
    let model = file("features.onnx");
    assert!(
        model.windows(64).any(|window| window == digest.as_bytes()),
        "the digest of the weights is noted"
    );
    assert_eq!(logits("timm.safetensors"), seeded);
    assert_eq!(logits("paddle.safetensors"), seeded);
    let other = [
        "infer",
        "--model",
        "HRNet_W18_C",
        "--input",
        "x.npy",
        "--output",
        "z.npy",
    ];
    let error = place
        .zoo(&[&other[..], &["--weights", "timm.safetensors"]].concat())
        .failed(1);
    assert!(error.contains("not the weights of this network"), "{error}");
    assert!(
        error.contains("the file has the tensors of hrnet_w18_small"),
        "{error}"
    );
    let folded = [
        "export",
        "hrnet_w18_small",
        "--format",
        "safetensors",
        "--fold",
        "--output",
        "f",
    ];
    assert!(place.zoo(&folded).failed(2).contains("--fold"));
    let unnamed = ["export", "hrnet_w18_small", "--output", "weights.bin"];
    assert!(
        place
            .zoo(&unnamed)
            .failed(2)
            .contains("neither .onnx nor .safetensors")
    );
}

#[test]
fn the_plan_of_a_network_is_shown() {
    let plan = Place::new().zoo(&["show", "hrnet_w18_small", "--plan"]).good();
    // 91 convolutions, each one step with all that follows it.
    assert_eq!(plan.matches("conv").count(), 91, "{plan}");
    assert!(
        plan.starts_with("load -> 1x3x224x224") && plan.contains("store 1x1000"),
        "{plan}"
    );
}
