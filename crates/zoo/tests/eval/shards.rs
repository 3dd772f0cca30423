//! Shards, kills, limits and early ends: which images are answered, and that each is once.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::IMAGES;
use crate::common::{kill, start, until};
use crate::world::{MODEL, World, counts, tiny};

#[test]
fn the_known_accuracy_comes_out_of_any_number_of_shards_and_past_a_kill() {
    let world = World::new(IMAGES);
    world.label();
    let (second, none) = World::others(IMAGES);
    let whole = world.eval(&["--out", "whole", "--json"]).json();
    let tally = &whole["tally"];
    assert_eq!(tally["counted"], IMAGES);
    assert_eq!(tally["top1"], IMAGES - second - none);
    assert_eq!(tally["top5"], IMAGES - none);
    assert_eq!(whole["top1"]["share"], 0.8);
    assert!(
        whole["images_sha256"]
            .as_str()
            .is_some_and(|digest| digest.len() == 64)
    );

    for of in [3, 7] {
        let folder = format!("shards{of}");
        for index in 0..of {
            let shard = format!("{index}/{of}");
            let more = ["--out", &folder, "--shard", &shard, "-q"];
            if index == 1 {
                world.kill_in_the_middle(&more, &folder);
            }
            world.eval(&more).good();
        }
        assert_eq!(counts(&world.merge(&folder)), counts(&whole), "{of} shards");
    }

    let files = world.files("shards3");
    let error = world
        .place
        .zoo(&["eval", "merge", &files[0], &files[2]])
        .failed(9);
    assert!(
        error.contains("images are missing") && error.contains("of shard 1/3 (no file)"),
        "{error}"
    );
    let error = world
        .place
        .zoo(&["eval", "merge", &files[0], &files[1], &files[2], &files[1]])
        .failed(9);
    assert!(error.contains("and again in"), "{error}");
    let foreign = world.files("shards7");
    let error = world
        .place
        .zoo(&["eval", "merge", &files[0], &foreign[0]])
        .failed(9);
    assert!(error.contains("shards: expected one of 3"), "{error}");

    // The same images, another network: the answers are others, and no two of them are put together.
    let other = ["--weights", "seeded:6"];
    let list = ["eval", "tiny", "--data", "list.txt", "--out", "whole", "-q"];
    world.place.zoo(&[&list[..], &other, &MODEL[2..]].concat()).good();
    let both = world.files("whole");
    let compared = world
        .place
        .zoo(&["eval", "compare", &both[0], &both[1], "--json"])
        .json();
    assert_eq!(compared["images"], IMAGES);
    assert!(compared["p"].as_f64().expect("a chance") < 1e-6, "{compared}");
    let error = world.place.zoo(&["eval", "merge", &both[0], &both[1]]).failed(9);
    assert!(error.contains("weights: expected seeded:"), "{error}");
}

impl World {
    /// Starts an evaluation and kills it once it has some answers, but not all.
    fn kill_in_the_middle(&self, more: &[&str], folder: &str) {
        let eval = [&["eval", "tiny", "--data", "list.txt"], &MODEL[..], more].concat();
        let mut child = start(&mut self.place.command(&eval));
        let lines = || {
            let sizes = self
                .files(folder)
                .into_iter()
                .filter(|file| file.contains(".1of"));
            sizes
                .map(|file| {
                    std::fs::read_to_string(self.place.path().join(file))
                        .unwrap_or_default()
                        .lines()
                        .count()
                })
                .sum::<usize>()
        };
        until(&mut child, "it answered", || lines() >= 20);
        kill(child);
        assert!(lines() < IMAGES / 7, "some answers are missing");
    }
}

#[test]
fn an_array_of_local_processes_gives_what_one_process_gives() {
    let world = World::new(60);
    world.label();
    let whole = world.eval(&["--out", "whole", "--json"]).json();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/cluster/slurm.sh");
    let zoo = std::path::Path::new(env!("CARGO_BIN_EXE_zoo"))
        .parent()
        .expect("its folder");
    let path = format!("{}:{}", zoo.display(), std::env::var("PATH").unwrap_or_default());
    let task = |index: &str| {
        Command::new("bash")
            .args([script, "tiny", "list.txt", "array"])
            .args(&MODEL[..4])
            .current_dir(world.place.path())
            .env("PATH", &path)
            .env("ZOO_CACHE", world.place.path().join("cache"))
            .env("SLURM_ARRAY_TASK_ID", index)
            .env("SLURM_ARRAY_TASK_COUNT", "3")
            .env("SLURM_CPUS_PER_TASK", MODEL[5])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("bash starts")
    };
    for mut task in ["0", "1", "2"].map(task) {
        assert!(task.wait().expect("it ended").success());
    }
    assert_eq!(counts(&world.merge("array")), counts(&whole));
}

#[test]
fn a_limit_is_of_the_first_images_whatever_answers_are_there() {
    let world = World::new(12);
    world.label();
    let few = world.eval(&["--limit", "5", "--out", "few", "--json"]).json();
    assert_eq!(few["tally"]["counted"], 5);
    world.eval(&["--out", "all"]).good();
    let run = world.eval(&["--limit", "5", "--out", "all", "--json"]);
    assert!(
        run.stderr().contains("0 images to answer, 5 already there"),
        "{}",
        run.stderr()
    );
    assert_eq!(counts(&run.json()), counts(&few));
    assert_eq!(
        saved(&world, "all")["tally"]["counted"],
        12,
        "it is of all answers"
    );
    assert_eq!(saved(&world, "few")["tally"]["counted"], 5);
    let run = world.eval(&["--limit", "7", "--out", "few", "--json"]);
    assert!(
        run.stderr().contains("2 images to answer, 5 already there"),
        "{}",
        run.stderr()
    );
    assert_eq!(run.json()["tally"]["counted"], 7);
    assert_eq!(saved(&world, "few")["tally"]["counted"], 7);
}

/// The summary beside the only file of answers in a folder.
fn saved(world: &World, folder: &str) -> Value {
    let files = world.files(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    let file = world.place.path().join(&files[0]).with_extension("json");
    let text = std::fs::read_to_string(file).expect("a summary");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_settled_answer_stops_early_and_two_precisions_are_compared() {
    let world = World::new(400);
    world.label();
    let claim = "[source.s]\ntitle = \"S\"\n[column.claimed]\nsource = \"s\"\nmetric = \"top1\"\nunit = \"fraction\"\nweights = \"none\"\n";
    let manifest = tiny().replacen("[[variant]]", &format!("{claim}[[variant]]"), 1)
        + "[variant.claims]\nclaimed = \"0.2\"\n";
    world.place.write("zoo.toml", &manifest);
    let run = world.eval(&["--until-decided", "5pp", "--json", "--out", "early"]);
    // The claim is not about these images, so nothing is concluded about it.
    let said = run.stderr();
    let reasons = "400 images, not the 50 000 of the validation set";
    assert!(
        said.contains(reasons) && said.contains("stopped: top-1 on all 400 images is between "),
        "{said}"
    );
    assert!(!said.contains("farther") && !said.contains("is within"), "{said}");
    let early = run.json();
    let counted = early["tally"]["counted"].as_u64().expect("a count");
    assert!((8..400).contains(&counted), "{early}");
    let claim = &early["claims"][0];
    assert_eq!(claim["agreement"], "not_comparable", "{early}");
    let reasons: Vec<&str> = claim["reasons"]
        .as_array()
        .expect("reasons")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(reasons[0], "other weights");
    assert_eq!(
        reasons[1],
        format!("{counted} images, not the 50 000 of the validation set")
    );
    let text = world.eval(&["--limit", "8", "--out", "few"]).good();
    let told = "top-1 20 % from claimed: not comparable: other weights; 8 images, not the 50 000 of the validation set";
    assert!(text.contains(told) && !text.contains("differs"), "{text}");

    let both = world.place.zoo(&[
        "eval",
        "tiny",
        "--data",
        "list.txt",
        "--weights",
        "seeded:5",
        "--backend",
        "candle",
        "--precision",
        "f32,bf16",
        "--limit",
        "48",
        "-q",
    ]);
    let told = both.good();
    assert!(
        told.contains("compared on 48 images; both have the same top-1 class on ")
            && told.contains("right with tiny f32 alone: "),
        "{told}"
    );
    assert!(told.contains("McNemar's exact test: p = "), "{told}");
}
