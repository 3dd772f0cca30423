//! The program as a user meets it: arguments in; output, files and exit codes out.

use std::path::Path;
use std::process::{Command, Output};

use npyz::WriterBuilder;
use serde_json::Value;
use tempfile::TempDir;

const PHOTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/photo.jpg");
/// The same with OpenCV's pixels, for no two JPEG decoders round alike.
const PIXELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/photo.png");

/// A folder with nothing in it but what the program puts there.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("written");
    }

    /// Runs the program here, with its cache here and no network behind its proxy.
    fn zoo(&self, arguments: &[&str]) -> Run {
        let output = Command::new(env!("CARGO_BIN_EXE_zoo"))
            .args(arguments)
            .current_dir(self.path())
            .env("ZOO_CACHE", self.path().join("cache"))
            .env("ZOO_PEERS", self.path().join("peers"))
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env_remove("ZOO_MANIFEST")
            .env_remove("NO_PROXY")
            .output()
            .expect("the program starts");
        Run(output)
    }

    /// Every file below this folder, as paths relative to it.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let path = path.strip_prefix(self.path()).expect("below");
                    found.push(path.display().to_string());
                }
            }
        }
        found.sort();
        found
    }
}

/// A finished run.
struct Run(Output);

impl Run {
    fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).expect("UTF-8")
    }

    fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).expect("UTF-8")
    }

    /// The standard output of a run that succeeded.
    fn good(self) -> String {
        assert_eq!(self.0.status.code(), Some(0), "{}", self.stderr());
        self.stdout()
    }

    /// The standard error of a run that ended with this code.
    fn failed(self, code: i32) -> String {
        let stderr = self.stderr();
        assert_eq!(self.0.status.code(), Some(code), "{stderr}{}", self.stdout());
        stderr
    }

    fn json(self) -> Value {
        serde_json::from_str(&self.good()).expect("JSON")
    }
}

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
    let answers = run.json();
    assert_eq!(answers.as_array().expect("answers").len(), 2);
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
fn fetching_without_a_network_tells_each_file_and_leaves_nothing_behind() {
    let place = Place::new();
    let run = place.zoo(&["fetch", "all", "--retries", "1"]);
    let told = run.stdout() + &run.stderr();
    run.failed(5);
    for name in ["HRNet_W18_C_pretrained", "SE_HRNet_W64_C_ssld_pretrained"] {
        assert!(told.contains(name), "{told}");
    }
    assert_eq!(place.files(), [""; 0]);
    place.zoo(&["fetch", "all", "--offline"]).failed(7);
}

#[test]
fn a_bench_appends_records_that_report_renders() {
    let place = Place::new();
    let bench = ["bench", "--stage", "preprocess", "--time", "0", "--json", "-q"];
    let records = place.zoo(&bench).good();
    for line in records.lines() {
        let record: Value = serde_json::from_str(line).expect("JSON");
        assert!(record["case"].as_str().expect("an id").starts_with("preprocess/"));
        assert!(!record["samples_ns"].as_array().expect("samples").is_empty());
    }
    let kept = std::fs::read_to_string(place.path().join("reports/records.jsonl")).expect("kept");
    assert_eq!(kept, records);

    let page = place.zoo(&["report", "-q"]).good();
    let folder = place
        .path()
        .join(page.trim())
        .parent()
        .expect("a folder")
        .to_owned();
    let html = std::fs::read_to_string(folder.join("index.html")).expect("the page");
    assert!(html.contains("Preprocessing") && html.contains("<svg"), "{page}");
    let charts = place.files().iter().filter(|file| file.ends_with(".svg")).count();
    assert_eq!(
        charts,
        7,
        "the published and counted ones and that of preprocessing: {:?}",
        place.files()
    );
    let again = std::fs::read_to_string(folder.join("records.jsonl")).expect("records");
    assert_eq!(again, records, "the folder stands alone");
    let markdown = std::fs::read_to_string(folder.join("index.md")).expect("the page");
    assert!(markdown.starts_with("`zoo report`\n"), "{markdown}");
    let list = std::fs::read_to_string(place.path().join("reports/README.md")).expect("a list");
    let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(list.contains(&format!("]({name}/index.md)")), "{list}");
}

/// Writes records of `HRNet_W18_C` at 50 and `HRNet_W48_C` at 150 ms.
fn measured(place: &Place) {
    let line = |network: &str, ms: u64| {
        let samples = vec![(ms * 1_000_000).to_string(); 30].join(",");
        format!(
            r#"{{"schema":1,"case":"{network}/f32/bs1/crop224/cpu/t2","started":"2026-01-02T03:04:05Z","samples_ns":[{samples}],"weights":"seeded:0","zoo":"0.1.0","build":"","backend":"cpu","commit":null,"machine":{{"cpu":"Some CPU","threads":2,"memory_bytes":0,"os":"","cpu_features":[]}}}}"#
        ) + "\n"
    };
    let text = line("HRNet_W18_C", 50) + &line("HRNet_W48_C", 150);
    place.write("measured.jsonl", &text);
}

#[test]
fn pick_names_what_fits_and_says_what_comes_nearest_where_nothing_does() {
    let place = Place::new();
    measured(&place);
    let pick = |wish: &[&str]| place.zoo(&[&["pick", "--records", "measured.jsonl"], wish].concat());
    let all = pick(&[]).good();
    for name in ["HRNet_W18_C_ssld", "HRNet_W48_C_ssld"] {
        assert!(all.contains(name), "{all}");
    }
    let fitting = pick(&["--max-p90", "60ms", "--min-top1", "0.78", "--json"]).json();
    assert_eq!(fitting.as_array().expect("a list").len(), 1, "{fitting}");
    assert_eq!(fitting[0]["variant"], "HRNet_W18_C_ssld");
    assert_eq!(fitting[0]["p90_ms"], 50.0);
    let error = pick(&["--max-p90", "60ms", "--min-top1", "0.83"]).failed(13);
    assert!(
        error.contains("HRNet_W48_C_ssld with top-1 0.836 in 150.0 ms"),
        "{error}"
    );
    assert!(error.contains("HRNet_W18_C_ssld"), "{error}");
    pick(&["--batch", "4"]).failed(12);
    pick(&["--max-p90", "60"]).failed(2);
    Place::new().zoo(&["pick"]).failed(12);
}

#[test]
fn a_readme_gets_a_chart_and_a_table_between_its_lines_or_an_error_with_advice() {
    let place = Place::new();
    measured(&place);
    place.write(
        "README.md",
        "# Mine\n<!-- zoo:report:begin -->\n<!-- zoo:report:end -->\n",
    );
    let report = ["report", "measured.jsonl", "--readme", "README.md", "-q"];
    let page = place.zoo(&report).good();
    assert!(page.contains("reports/2026-01-02-some-t2/index.html"), "{page}");
    let text = std::fs::read_to_string(place.path().join("README.md")).expect("a file");
    assert!(
        text.contains("(reports/readme.svg)") && text.contains("| HRNet\\_W18\\_C |"),
        "{text}"
    );
    assert!(
        text.contains("`zoo report measured.jsonl --readme README.md`"),
        "{text}"
    );
    assert!(place.path().join("reports/readme.svg").is_file());
    place.zoo(&report).good();
    let again = std::fs::read_to_string(place.path().join("README.md")).expect("a file");
    assert_eq!(again, text, "the same records make the same bytes");
    assert!(
        place
            .path()
            .join("reports/2026-01-02-some-t2.2/index.html")
            .is_file()
    );

    place.write("README.md", "# Mine\n");
    let error = place.zoo(&report).failed(2);
    assert!(
        error.contains("README.md: there is no line `<!-- zoo:report:begin -->`"),
        "{error}"
    );
}

#[test]
fn two_benches_of_one_program_are_compared() {
    let place = Place::new();
    for file in ["a.jsonl", "b.jsonl"] {
        let bench = [
            "bench",
            "--stage",
            "preprocess",
            "--time",
            "0",
            "--out",
            file,
            "-q",
        ];
        place.zoo(&bench).good();
    }
    let text = std::fs::read_to_string(place.path().join("a.jsonl")).expect("records");
    // The same records on both sides are no change; without the first of them a cell is lost, and twice as slow is slower.
    let same = place.zoo(&["compare", "a.jsonl", "a.jsonl", "--json"]).json();
    let verdicts = same["verdicts"].as_array().expect("verdicts");
    assert!(verdicts.len() > 20 && verdicts.iter().all(|verdict| verdict["ratio"]["ratio"] == 1.0));
    assert!(
        place
            .zoo(&["compare", "a.jsonl", "b.jsonl"])
            .stdout()
            .contains("(Holm)")
    );
    place.write("lost.jsonl", text.split_once('\n').expect("lines").1);
    let error = place.zoo(&["compare", "a.jsonl", "lost.jsonl"]).failed(12);
    assert!(error.contains("no data of 1 cell that had some"), "{error}");
    place.zoo(&["compare", "lost.jsonl", "a.jsonl"]).good();
    let slow: String = text.lines().map(|line| slowed(line) + "\n").collect();
    place.write("slow.jsonl", &slow);
    let error = place.zoo(&["compare", "a.jsonl", "slow.jsonl"]).failed(10);
    assert!(error.contains("regressed") && error.contains("--run"), "{error}");
    place.zoo(&["compare", "a.jsonl", "none.jsonl"]).failed(12);
    place.zoo(&["compare", "a.jsonl"]).failed(2);
    place
        .zoo(&["compare", "a.jsonl", "b.jsonl", "--alpha", "2"])
        .failed(2);
}

/// A record with times that are three times as long.
fn slowed(line: &str) -> String {
    let mut record: Value = serde_json::from_str(line).expect("JSON");
    for ns in record["samples_ns"].as_array_mut().expect("samples") {
        *ns = (3 * ns.as_u64().expect("ns")).into();
    }
    record.to_string()
}

#[test]
fn a_report_of_nothing_says_so() {
    let error = Place::new().zoo(&["report"]).failed(12);
    assert!(error.contains("zoo bench"), "{error}");
}

#[test]
fn help_documents_every_exit_code_and_completions_are_printed() {
    let place = Place::new();
    let help = place.zoo(&["--help"]).good();
    for (exit, meaning) in zoo::Exit::ALL {
        assert!(help.contains(&format!("{:>2}  {meaning}", exit.code())), "{help}");
    }
    place
        .zoo(&["bench", "--size", "200", "-m", "HRNet_W18_C"])
        .failed(12);
    place.zoo(&["no-such-command"]).failed(2);
    assert!(place.zoo(&["completions", "bash"]).good().contains("_zoo"));
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
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(shape)
        .writer(file)
        .begin_nd()
        .expect("begun");
    let values = (0..shape.iter().product()).map(|i| (i % 7) as f32 / 7.0 - 0.5);
    writer.extend(values).expect("written");
    writer.finish().expect("finished");
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
    place.zoo(&export).good();
    let bytes = std::fs::read(place.path().join("small.onnx")).expect("the model");
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
