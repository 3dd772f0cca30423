//! Whole pages of nights that are made up.

mod common;
mod hostile;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use common::{Dice, night, nights, record, write};
use harness::Record;

/// Every file of a folder and its subfolders with its bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut files: Vec<(String, Vec<u8>)> = entries
        .flat_map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() {
                return files(&path);
            }
            vec![(name, fs::read(path).expect("a file"))]
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_same_records_make_the_same_bytes_and_the_command_comes_first() {
    let places = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let folders = places
        .each_ref()
        .map(|place| write(place.path(), &night("2026-11-24", 7), None));
    let [first, second] = folders.each_ref().map(|folder| files(folder));
    assert_eq!(first.len(), second.len());
    for (a, b) in first.iter().zip(&second) {
        assert!(a == b, "{} differs", a.0);
    }
    let text = |name: &str| fs::read_to_string(folders[0].join(name)).expect("a file");
    assert!(text("index.md").starts_with("`zoo nightly --quick`\n"));
    let html = text("index.html");
    let body = html.split("<body>").nth(1).expect("a body");
    let first_text = body.split("<code>").next().expect("a start");
    assert!(!first_text.contains("<h1>") && body.contains("<code>zoo nightly --quick</code>"));
    assert!(
        folders[0].ends_with("2026-11-24-amd-epyc-t2"),
        "{}",
        folders[0].display()
    );
}

/// The values of each attribute of this name.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    let parts = html.split(start.as_str()).skip(1);
    parts.filter_map(|part| part.split('"').next()).collect()
}

#[test]
fn every_link_of_a_page_and_of_the_lists_resolves() {
    let reports = tempfile::tempdir().expect("a folder");
    let last = nights(reports.path());
    let mut checked = 0;
    for folder in [last.as_path(), reports.path(), &reports.path().join("latest")] {
        let html = fs::read_to_string(folder.join("index.html")).expect("a page");
        let ids: BTreeSet<&str> = attributes(&html, "id").into_iter().collect();
        for link in attributes(&html, "href")
            .into_iter()
            .filter(|link| !link.starts_with("data:"))
        {
            match link.strip_prefix('#') {
                Some(id) => assert!(ids.contains(id), "{link}"),
                None => assert!(folder.join(link).is_file(), "{link} of {}", folder.display()),
            }
            checked += 1;
        }
        // A name space is a name, not a place.
        let places = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for elsewhere in ["http:", "https:", "=\"//", "@import", "url("] {
            assert!(
                !places.contains(elsewhere),
                "{elsewhere}: nothing comes from elsewhere"
            );
        }
        assert!(
            attributes(&html, "src").is_empty(),
            "nothing comes from elsewhere"
        );
    }
    assert!(checked > 30, "{checked}");
    let markdown = fs::read_to_string(last.join("index.md")).expect("a page");
    let links = markdown
        .split("](")
        .skip(1)
        .filter_map(|part| part.split(')').next());
    for link in links {
        assert!(last.join(link).is_file(), "{link}");
    }
    let html = fs::read_to_string(last.join("index.html")).expect("a page");
    for text in [
        "1 slower",
        "1 faster",
        "1 not comparable",
        " is not comparable: hand-over between cores: 55 ns before, 217 ns now.",
        "<code>zoo pick --max-p90 60ms --min-top1 78%</code>",
        "hrnet_w18_small",
        "<dt>cell</dt>",
        " choices</summary>",
        "NVIDIA T4 f16 batch 1 [page]",
        "4 earlier nights",
        "Failed measurements",
        "<summary>All ",
    ] {
        assert!(html.contains(text), "{text}");
    }
}

#[test]
fn the_text_of_the_reports_folder_of_this_repository_stays_as_it_is() {
    let text = include_str!("../../../reports/README.md");
    let reports = tempfile::tempdir().expect("a folder");
    fs::write(reports.path().join("README.md"), text).expect("written");
    write(reports.path(), &night("2026-11-24", 7), None);
    let after = fs::read_to_string(reports.path().join("README.md")).expect("a file");
    assert_eq!(after, text);
}

#[test]
fn the_example_of_this_repository_is_small_and_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/example");
    let bytes: usize = files(&folder).iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes < 400_000, "{bytes}");
    let page = fs::read_to_string(folder.join("README.md")).expect("a page");
    assert!(
        page.starts_with("`zoo ")
            && page
                .lines()
                .next()
                .is_some_and(|line| line.contains("docs/example"))
    );
    let links = page.split("](").skip(1).filter_map(|part| part.split(')').next());
    let links: BTreeSet<&str> = links.collect();
    let charts = files(&folder).into_iter().map(|(name, _)| name);
    let charts: BTreeSet<String> = charts.filter(|name| name.ends_with(".svg")).collect();
    assert_eq!(
        links,
        charts.iter().map(String::as_str).collect(),
        "no chart is missing or left over"
    );
}

#[test]
fn a_page_in_two_forms_names_precisions_as_options_do_and_shows_no_raw_backticks() {
    let reports = tempfile::tempdir().expect("a folder");
    let folder = nights(reports.path());
    let html = fs::read_to_string(folder.join("index.html")).expect("a page");
    let markdown = fs::read_to_string(folder.join("index.md")).expect("a page");
    for (name, text) in [("index.html", &html), ("index.md", &markdown)] {
        let lower = text.to_lowercase();
        for other in ["fp32", "fp16", "page-top1", "page-t4"] {
            assert!(!lower.contains(other), "{other} in {name}");
        }
    }
    let files = files(&folder);
    assert!(files.iter().all(|(name, _)| !name.contains("fp32")), "{files:?}");
    let body = html
        .split("<main>")
        .nth(1)
        .and_then(|rest| rest.split("<script>").next());
    assert!(!body.expect("a body").contains('`'));
}

#[test]
fn accuracies_are_shown_beside_claims_and_the_night_before() {
    let reports = tempfile::tempdir().expect("a folder");
    let last = nights(reports.path());
    let read = |name: &str| fs::read_to_string(last.join(name)).expect("a file");
    let markdown = read("index.md");
    let section = markdown
        .split("\n## Accuracy, measured here\n")
        .nth(1)
        .and_then(|rest| rest.split("\n## ").next())
        .expect("the section");
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).collect();
    assert_eq!(rows.len(), 5 + 5 + 3, "{section}");
    let names = [
        "HRNet\\_W18\\_C |",
        "HRNet\\_W30\\_C |",
        "SE\\_HRNet\\_W64\\_C\\_ssld |",
    ];
    for (row, name) in rows[2..].iter().zip(names) {
        assert!(
            row.starts_with(&format!("| {name}")),
            "in the manifest's order: {row}"
        );
    }
    assert!(
        rows[2].contains(
            "top-1 76.9 %<br>top-5 93.4 % | not comparable: 1000 images, not the 50 000 of the validation set |"
        ),
        "{}",
        rows[2]
    );
    assert!(
        rows[2].contains("| changed:<br>top-1 -3, top-5 -1 images |"),
        "{}",
        rows[2]
    );
    assert!(rows[2].contains("76.88<br>\\[74.16, 79.39\\]"), "{}", rows[2]);
    assert!(rows[3].contains("999 of 50000<br>1 unreadable"), "{}", rows[3]);
    assert!(rows[3].contains("| differs | same |"), "{}", rows[3]);
    assert!(
        section.contains("- **failed** HRNet\\_W48\\_C: the file is &lt;damaged>"),
        "{section}"
    );
    assert!(
        section.contains("- **note** HRNet\\_W40\\_C, HRNet\\_W44\\_C: no weights"),
        "{section}"
    );
    for text in ["Accuracy changed", "1 of 1000 images could not be read"] {
        assert!(markdown.contains(text), "{text}");
    }
    let table = read("accuracy.csv");
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.contains(",768,0.7687687687687688,"), "{table}");

    let people = section
        .lines()
        .find(|line| line.starts_with("| pose"))
        .expect("a row");
    for text in [
        "| 0.744<br>\\[0.734, 0.754\\] | 0.905 | n/a | 0.798<br>",
        "| AP 0.744 | agrees | changed:<br>AP -0.0005 |",
        "boxes of COCO\\_val2017\\_detections\\_AP\\_H\\_56\\_person.json, flip test, OKS-NMS 0.9 | 5000 of 5000 | 6000 |",
    ] {
        assert!(people.contains(text), "{people}");
    }
    let table = read("keypoints.csv");
    assert!(
        table.contains(",0.7441,0.7341,0.7541,0.905,,0.7,,0.798,"),
        "{table}"
    );
}

/// 20,000 cells: networks, precisions, batches, sizes, engines and threads.
fn many() -> Vec<Record> {
    let mut dice = Dice::new(3);
    let mut records = Vec::new();
    for network in [
        "HRNet_W18_C",
        "HRNet_W30_C",
        "HRNet_W32_C",
        "HRNet_W48_C",
        "HRNet_W64_C",
    ] {
        for (engine, precision) in [
            ("cpu", "f32"),
            ("candle", "f32"),
            ("candle", "f16"),
            ("candle", "bf16"),
        ] {
            for batch in 1..=50 {
                for crop in [224, 256, 288, 320, 352] {
                    for threads in [1, 2, 4, 8] {
                        let case = format!("{network}/{precision}/bs{batch}/crop{crop}/{engine}/t{threads}");
                        let ms = f64::from(batch * crop) / f64::from(threads);
                        records.push(record(&case, "2026-11-24", ms, 30, &mut dice));
                    }
                }
            }
        }
    }
    records
}

#[test]
fn twenty_thousand_records_are_all_on_the_page() {
    let records = many();
    assert_eq!(records.len(), 20_000);
    let reports = tempfile::tempdir().expect("a folder");
    let begin = Instant::now();
    let folder = write(reports.path(), &records, None);
    let took = begin.elapsed();
    // Told, not judged: other work of the machine would fail the test. `-- --nocapture` shows it.
    let told = writeln!(std::io::stderr(), "20,000 records rendered in {took:?}");
    told.expect("stderr is open");
    let cells = fs::read_to_string(folder.join("cells.csv")).expect("a table");
    assert_eq!(cells.lines().count(), 20_001);
    let html = fs::read_to_string(folder.join("index.html")).expect("a page");
    let shown = html.matches("&#x2f;s</td>").count();
    assert_eq!(shown, 20_000, "each cell is in one table");
    assert!(html.contains("Backend candle, 8 threads, 352 x 352 pixels"));
}
