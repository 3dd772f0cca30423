//! Records as a user meets them: measured, rendered, picked from, compared.

#[path = "../common/mod.rs"]
mod common;

mod pick;
mod pose;

use common::Place;
use serde_json::Value;

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
        9,
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
        text.contains("(reports/readme.svg)") && text.contains("| HRNet\\_W18\\_C\\_ssld |"),
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
fn the_layers_of_a_network_are_timed_and_drawn_where_they_lie_beside_the_records() {
    let place = Place::new();
    measured(&place);
    let profile = [
        "profile",
        "HRNet_W18_C",
        "--runs",
        "2",
        "--out",
        "layers.json",
        "--json",
    ];
    let told = place.zoo(&profile).json();
    let text = std::fs::read_to_string(place.path().join("layers.json")).expect("written");
    let layers: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(layers["case"], "HRNet_W18_C/f32/bs1/crop224/cpu/t1");
    let steps = layers["steps"].as_array().expect("steps");
    assert!(steps.len() > 200, "{}", steps.len());
    let macs = |list: &Value| -> u64 {
        let list = list.as_array().expect("a list");
        list.iter().filter_map(|one| one["macs"].as_u64()).sum()
    };
    assert_eq!(macs(&layers["steps"]), 4_283_537_072, "the network's own count");
    assert_eq!(macs(&told["rows"]), macs(&layers["steps"]));

    let page = place.zoo(&["report", "measured.jsonl", "-q"]).good();
    let page = place.path().join(page.trim());
    let html = std::fs::read_to_string(&page).expect("the page");
    for text in [
        "Where the time goes",
        "stage 4, exchange",
        "layers.svg",
        "layers.json",
    ] {
        assert!(html.contains(text), "{text}");
    }
    let copied = std::fs::read_to_string(page.with_file_name("layers.json")).expect("copied");
    assert_eq!(copied, text, "the folder stands alone");

    let picked = place.zoo(&["pick"]);
    assert!(
        picked.stderr().contains("2026-01-02-some-t2/records.jsonl"),
        "{}",
        picked.stderr()
    );
    assert!(picked.good().contains("HRNet_W18_C_ssld"));

    place.write("layers.json", "{}");
    let error = place.zoo(&["report", "measured.jsonl"]).failed(1);
    assert!(
        error.contains("layers.json: not the times of a network's layers"),
        "{error}"
    );
    assert!(error.contains("zoo profile NAME --out"), "{error}");
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
    // The same records on both sides are no change; without the first of them a cell is lost, and a hundred times as slow is slower.
    let told = place.zoo(&["compare", "a.jsonl", "a.jsonl"]).good();
    assert!(
        told.trim_end().ends_with(" same") && !told.contains("cannot tell"),
        "{told}"
    );
    let same = place.zoo(&["compare", "a.jsonl", "a.jsonl", "--json"]).json();
    let verdicts = same["verdicts"].as_array().expect("verdicts");
    assert!(verdicts.len() > 20 && verdicts.iter().all(|verdict| verdict["ratio"]["ratio"] == 1.0));
    let told = place.zoo(&["compare", "a.jsonl", "b.jsonl"]).stdout();
    assert!(
        told.contains("(Holm)") && told.contains(" cannot tell ") && told.contains("\nnext, for "),
        "{told}"
    );
    assert!(
        !told.contains("before, ms") && !told.contains("uncorrected"),
        "{told}"
    );
    let details = place
        .zoo(&["compare", "a.jsonl", "b.jsonl", "--verbose"])
        .stdout();
    assert!(
        details.contains("before, ms")
            && details.contains("\nbefore, now: median times as measured; uncorrected: "),
        "{details}"
    );
    place.write("lost.jsonl", text.split_once('\n').expect("lines").1);
    let lost = place.zoo(&["compare", "a.jsonl", "lost.jsonl"]);
    let told = lost.stdout();
    assert!(
        told.contains("1 cell was measured on one side only; `zoo compare --all` lists"),
        "{told}"
    );
    let error = lost.failed(12);
    assert!(
        error.contains("1 cell has no data now but had some before") && error.contains("--all"),
        "{error}"
    );
    let all = place.zoo(&["compare", "a.jsonl", "lost.jsonl", "--all"]);
    assert!(
        !all.stderr().contains("--all"),
        "it is not advised where it was given: {}",
        all.stderr()
    );
    let all = all.stdout();
    assert!(all.contains("not measured now"), "{all}");
    place.zoo(&["compare", "lost.jsonl", "a.jsonl"]).good();
    let slow: String = text.lines().map(|line| slowed(line) + "\n").collect();
    place.write("slow.jsonl", &slow);
    let error = place.zoo(&["compare", "a.jsonl", "slow.jsonl"]).failed(10);
    assert!(
        error.contains("became slower") && error.contains("--run"),
        "{error}"
    );
    place.zoo(&["compare", "a.jsonl", "none.jsonl"]).failed(12);
    place.zoo(&["compare", "a.jsonl"]).failed(2);
    place
        .zoo(&["compare", "a.jsonl", "b.jsonl", "--alpha", "2"])
        .failed(2);
}

#[test]
fn what_was_measured_in_turns_and_cannot_be_told_gets_a_number_of_blocks() {
    let place = Place::new();
    // Eight processes a side in the order before, now, now, before: one minute each, whose times lie far apart.
    for (file, minutes) in [
        ("a.jsonl", [0, 3, 4, 7, 8, 11, 12, 15]),
        ("b.jsonl", [1, 2, 5, 6, 9, 10, 13, 14]),
    ] {
        let record = |minute: u64| {
            let samples = vec![(1_000_000 + 10_000 * minute).to_string(); 9].join(",");
            format!(
                r#"{{"schema":1,"case":"HRNet_W18_C/f32/bs1/crop224/cpu/t1","started":"2026-01-02T03:{minute:02}:00Z","samples_ns":[{samples}],"weights":"seeded:0","zoo":"0.1.0","build":"","backend":"cpu","commit":null,"machine":{{"cpu":"Some CPU","threads":2,"memory_bytes":0,"os":"","cpu_features":[]}}}}"#
            ) + "\n"
        };
        place.write(file, &minutes.map(record).concat());
    }
    let told = place
        .zoo(&["compare", "a.jsonl", "b.jsonl", "--threshold", "1"])
        .good();
    assert!(told.contains(" cannot tell "), "{told}");
    assert!(
        told.contains("\nnext, for 1 cell: measure longer: `--blocks "),
        "{told}"
    );
    assert!(told.contains("would narrow the interval to about ± "), "{told}");
}

/// A record with times that are a hundred times as long.
fn slowed(line: &str) -> String {
    let mut record: Value = serde_json::from_str(line).expect("JSON");
    for ns in record["samples_ns"].as_array_mut().expect("samples") {
        *ns = (100 * ns.as_u64().expect("ns")).into();
    }
    record.to_string()
}

#[test]
fn the_verdicts_are_defined_in_the_help() {
    let help = Place::new().zoo(&["compare", "--help"]).good();
    for word in [
        "slower",
        "faster",
        "same",
        "cannot tell",
        "not comparable",
        "no data",
    ] {
        assert_eq!(
            help.matches(&format!("\n  {word} ")).count(),
            1,
            "{word} in {help}"
        );
    }
}

#[test]
fn a_page_is_copied_as_markdown_with_its_charts_and_a_readme_links_it() {
    let place = Place::new();
    measured(&place);
    place.write(
        "README.md",
        "# Mine\n<!-- zoo:report:begin -->\n<!-- zoo:report:end -->\n",
    );
    let report = [
        "report",
        "measured.jsonl",
        "--markdown",
        "docs/example",
        "--readme",
        "README.md",
        "-q",
    ];
    place.zoo(&report).good();
    let copy = std::fs::read_to_string(place.path().join("docs/example/README.md")).expect("a page");
    assert!(
        copy.starts_with("`zoo report measured.jsonl --readme README.md --markdown docs/example`"),
        "{copy}"
    );
    let links = copy.split("](").skip(1).filter_map(|part| part.split(')').next());
    let charts: Vec<&str> = links.collect();
    assert!(charts.len() > 8, "{charts:?}");
    for chart in charts {
        assert!(place.path().join("docs/example").join(chart).is_file(), "{chart}");
    }
    let readme = std::fs::read_to_string(place.path().join("README.md")).expect("a file");
    assert!(readme.contains("(docs/example/README.md)"), "{readme}");
}

#[test]
fn a_report_of_nothing_says_so() {
    let error = Place::new().zoo(&["report"]).failed(12);
    assert!(error.contains("zoo bench"), "{error}");
}

#[test]
fn a_last_record_counts_without_its_line_feed_and_a_foreign_file_stays_as_it_is() {
    let place = Place::new();
    measured(&place);
    let text = std::fs::read_to_string(place.path().join("measured.jsonl")).expect("a file");
    place.write("measured.jsonl", text.trim_end());
    let pick = place.zoo(&["pick", "--records", "measured.jsonl"]).good();
    assert!(
        pick.contains("HRNet_W48_C_ssld"),
        "the last record is read: {pick}"
    );

    for mine in ["mine", "{\"mine\": [1, 2", "# Mine\n"] {
        place.write("mine.json", mine);
        let bench = [
            "bench",
            "--stage",
            "preprocess",
            "--time",
            "0",
            "-q",
            "--out",
            "mine.json",
        ];
        let error = place.zoo(&bench).failed(8);
        assert!(error.contains("mine.json:1: not a benchmark record"), "{error}");
        let left = std::fs::read_to_string(place.path().join("mine.json")).expect("a file");
        assert_eq!(left, mine);
    }
}

#[test]
fn a_day_that_is_a_path_leads_nowhere() {
    let place = Place::new();
    measured(&place);
    let text = std::fs::read_to_string(place.path().join("measured.jsonl")).expect("a file");
    for started in ["../../outside", "/tmp/outsideT0", "", "<b>"] {
        place.write("foreign.jsonl", &text.replace("2026-01-02T03:04:05Z", started));
        let error = place.zoo(&["report", "foreign.jsonl"]).failed(8);
        assert!(error.contains("is no time: expected RFC 3339"), "{error}");
        assert!(!place.path().join("reports").exists(), "{:?}", place.files());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_hostile_moves_no_cursor_and_what_is_a_link_stays_one() {
    let place = Place::new();
    measured(&place);
    let error = place
        .zoo(&["report", "x\u{1b}]0;P\u{7}\u{9b}31m.jsonl"])
        .failed(12);
    assert!(!error.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{error:?}");
    let error = place.zoo(&["bench", "--\u{1b}[31m"]).failed(2);
    assert!(!error.contains('\u{1b}'), "{error:?}");

    place.write(
        "target.md",
        "# Mine\n<!-- zoo:report:begin -->\n<!-- zoo:report:end -->\n",
    );
    let link = place.path().join("README.md");
    std::os::unix::fs::symlink("target.md", &link).expect("linked");
    place
        .zoo(&["report", "measured.jsonl", "--readme", "README.md", "-q"])
        .good();
    assert!(link.is_symlink());
    let text = std::fs::read_to_string(place.path().join("target.md")).expect("a file");
    assert!(text.contains("reports/readme.svg"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_output_is_told_of_help_and_version_too() {
    for arguments in [["--version"], ["--help"]] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("a device");
        let status = std::process::Command::new(env!("CARGO_BIN_EXE_zoo"))
            .args(arguments)
            .stdout(full)
            .status()
            .expect("the program starts");
        assert_eq!(status.code(), Some(8), "{arguments:?}");
    }
}
