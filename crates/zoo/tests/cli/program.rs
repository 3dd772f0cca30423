//! Help, and what the program says where something is missing.

use std::collections::BTreeSet;

use crate::PHOTO;
use crate::common::Place;

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
    assert_eq!(doctor["variants"], 36);
    assert!(doctor["threads"].as_u64().expect("threads") > 0);
    let units = doctor["units"].as_array().expect("units");
    let precisions = doctor["precisions"].as_object().expect("precisions");
    assert!(precisions.contains_key("f32"), "{doctor}");
    for (precision, arithmetic) in precisions {
        assert!(units.contains(&arithmetic["unit"]), "{precision}: {arithmetic}");
        assert!(
            arithmetic["gmacs_per_s"].as_f64().expect("a rate") > 0.0,
            "{precision}: {arithmetic}"
        );
    }
}

#[test]
fn a_unit_is_named_in_any_case_and_a_wrong_one_gets_the_names_that_there_are() {
    let place = Place::new();
    let help = place.zoo(&["--help"]).good();
    assert!(help.contains("\nEnvironment:\n  ZOO_ISA "), "{help}");
    let told = place.zoo_with(&[("ZOO_ISA", "Portable")], &["doctor"]).good();
    let of = |precision: &str| {
        let lines: Vec<&str> = told.lines().filter(|line| line.starts_with(precision)).collect();
        assert_eq!(lines.len(), 1, "{precision}: {told}");
        lines[0]
    };
    for precision in ["f32 ", "f16 ", "bf16 ", "i16 ", "int8 "] {
        assert!(of(precision).contains("portable: plain code, "), "{told}");
    }
    let error = place.zoo_with(&[("ZOO_ISA", "mmx")], &["doctor"]).failed(2);
    assert!(
        error.contains("`mmx`") && error.contains("portable") && error.contains("ZOO_ISA"),
        "{error}"
    );
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
        "error: download.openmmlab.com: ",
        "error: github.com: ",
        "error: huggingface.co: ",
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
        told.contains(": 10 files\n") && told.contains(": 21 files\n") && told.lines().count() == 6,
        "{told}"
    );
    assert_eq!(place.files(), [""; 0]);
    let told = place.zoo(&["fetch", "all", "--offline"]).failed(7);
    assert!(
        told.contains("and offline: 36 files\n") && told.lines().count() == 3,
        "{told}"
    );
}

#[test]
fn two_tunes_at_once_do_not_time_each_other() {
    let place = Place::new();
    let doctor = place.zoo(&["doctor", "--json"]).json();
    let unit = doctor["precisions"]["f32"]["unit"].as_str().expect("a unit");
    let folder = place.path().join("cache/tune");
    std::fs::create_dir_all(&folder).expect("made");
    let _held = files::hold(&folder.join(format!("{unit}.lock"))).expect("held");
    let error = place.zoo(&["tune", "-m", "hrnet_w18_small"]).failed(1);
    assert!(error.contains("another `zoo tune` is timing"), "{error}");
}
