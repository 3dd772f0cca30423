//! Records may come from anywhere: whatever their strings hold, no form of a page obeys it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use harness::{Record, append};
use hrnet::Precision;
use proptest::prelude::*;
use registry::Zoo;
use report::{EVALUATIONS, Excerpt, Input, Shelf, earlier, evaluations, readme, render, verdicts};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::common::{self, PEERS, layers, night, zoo};

/// Texts that mean more than themselves in one form or another.
const FRAGMENTS: [&str; 24] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onload='x",
    "]]>",
    "--><!--",
    "&lt;&#x1b;",
    "\u{1b}]0;P\u{7}\u{1b}[31m",
    "\0",
    "\u{9b}31m\u{7f}",
    "\u{202e}\u{2066}",
    "\u{fffe}\u{feff}",
    "=HYPERLINK(\"http://x\")",
    "@SUM(A1)",
    "+1|-1",
    "\r\n# Heading\n\n- item\n> quote\n```\n",
    "\n| a | b |\n| --- | --- |\n",
    "\n<!-- zoo:report:end -->\n<!-- zoo:nights:end -->\n",
    "](javascript:alert(1)) ![",
    "`` ` ```",
    "$x$ ~~y~~ **z** _w_ \\",
    "../../etc/passwd",
    "{{ page.title }}{% raw %}",
    ",;\t\"\"",
    " ",
];

fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => prop::sample::select(FRAGMENTS.to_vec()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => Just("x".to_owned()),
    ];
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat())
}

/// The same value with this text in place of every string that is not one of a few words.
fn poisoned<T: Serialize + DeserializeOwned>(value: &T, text: &str) -> T {
    const KEPT: [&str; 8] = [
        "case",
        "started",
        "precision",
        "agreement",
        "figure",
        "answer",
        "shard",
        "id",
    ];
    fn replace(value: &mut Value, text: &str) {
        match value {
            Value::String(old) if Precision::named(old).is_some() => {}
            Value::String(old) => text.clone_into(old),
            Value::Array(all) => all.iter_mut().for_each(|value| replace(value, text)),
            Value::Object(all) => {
                for (key, value) in all.iter_mut() {
                    if !KEPT.contains(&key.as_str()) && !key.starts_with("peaks_") {
                        replace(value, text);
                    }
                }
            }
            _ => {}
        }
    }
    let mut json = serde_json::to_value(value).expect("JSON");
    replace(&mut json, text);
    serde_json::from_value(json).expect("the same form")
}

/// A page and a README made of records, layers, evaluations and verdicts whose every string is this one.
struct Made {
    place: tempfile::TempDir,
    folder: PathBuf,
    records: Vec<Record>,
}

impl Made {
    fn of(text: &str) -> Self {
        let mut records: Vec<Record> = night("2026-11-24", 7);
        records.truncate(24);
        let mut records = poisoned(&records, text);
        // A name of a case is free but for the slash.
        let name = text.replace('/', "|");
        let case = format!("{name}/f32/bs1/crop224/{name}/t2");
        records[1].case = case.parse().expect("a case");
        records[2].samples_ns.clear();
        records[2].error = Some(text.to_owned());
        let place = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::open(place.path()).expect("opened");
        let aside = shelf.aside().expect("begun");
        let folder = aside.path();
        common::evaluate(folder, "2026-11-24");
        for file in fs::read_dir(folder.join(EVALUATIONS)).expect("a folder") {
            let file = file.expect("a file").path();
            let read: Value =
                serde_json::from_str(&fs::read_to_string(&file).expect("a file")).expect("JSON");
            let poisoned = poisoned(&read, text);
            fs::write(&file, poisoned.to_string()).expect("written");
        }
        let verdict = json!({"case": records[0].case.to_string(), "answer": "incomparable", "why": text});
        let marks = json!({"command": text, "aa": null, "comparison": {"verdicts": [verdict]}});
        fs::write(folder.join("verdicts.json"), marks.to_string()).expect("written");
        let pose = "pose_hrnet_w32_256x192/f32/bs1/256x192/cpu/t2";
        records[3].case = pose.parse().expect("a case");
        let (zoo, layers) = (with_words(text), poisoned(&layers("2026-11-24"), text));
        let machine = &records[0].provenance.machine;
        let input = Input {
            zoo: &zoo,
            findings: &[],
            records: &records,
            layers: Some(&layers),
            evaluations: &evaluations(folder).expect("read"),
            peers: PEERS,
            history: &earlier(place.path(), machine, "2026-11-24").expect("read"),
            verdicts: &verdicts(folder).expect("read"),
            command: text,
        };
        render(&input, folder).expect("written");
        let file = place.path().join("mine.md");
        fs::write(
            &file,
            "# Mine\n<!-- zoo:report:begin -->\n<!-- zoo:report:end -->\nrest\n",
        )
        .expect("written");
        let excerpt = Excerpt {
            readme: &file,
            chart: &place.path().join("readme.svg"),
            link: Path::new(text),
            page: Path::new(text),
        };
        readme(&input, excerpt).expect("written");
        let folder = shelf.place(aside, "2026-11-24", machine).expect("placed");
        shelf.update("2027-01-01T00:00:00Z").expect("written");
        Self {
            place,
            folder,
            records,
        }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).expect("a file")
    }

    fn above(&self, name: &str) -> String {
        fs::read_to_string(self.place.path().join(name)).expect("a file")
    }

    fn charts(&self) -> Vec<String> {
        let files = fs::read_dir(&self.folder).expect("a folder");
        let names = files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
        let charts = names
            .filter(|name| name.ends_with(".svg"))
            .map(|name| self.read(&name));
        let charts: Vec<String> = charts.chain([self.above("readme.svg")]).collect();
        assert!(charts.len() > 10 && self.folder.join("pose.local.f32.bs1.svg").is_file());
        charts
    }
}

/// The manifest with this text in place of what it says about the data of keypoints and who published figures of it.
fn with_words(text: &str) -> Zoo {
    let mut zoo = zoo();
    for column in zoo.columns.iter_mut().filter(|column| column.protocol.is_some()) {
        (column.data, column.protocol) = (Some(text.to_owned()), Some(text.to_owned()));
        let source = zoo.sources.get_mut(&column.source).expect("checked");
        text.clone_into(&mut source.title);
    }
    zoo
}

/// No character that a terminal or a reader of XML would obey or refuse.
fn assert_visible(text: &str) {
    let bad = |c: &char| {
        (c.is_control() && *c != '\n' && *c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
    };
    let found: Vec<char> = text.chars().filter(bad).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// The tags of XML or HTML with their attributes' names; what else a `<` begins is told, too.
fn tags(text: &str) -> BTreeSet<String> {
    let mut tags = BTreeSet::new();
    for part in text.split('<').skip(1) {
        let end = part.find(['>', ' ', '\n', '\t']).unwrap_or(part.len());
        tags.insert(part[..end].to_owned());
        // Attributes have quotes; what lies between those is text.
        let tag = &part[..part.find('>').unwrap_or(part.len())];
        for attribute in tag.split('"').step_by(2).flat_map(str::split_whitespace) {
            if let Some(name) = attribute.strip_suffix('=') {
                tags.insert(format!("@{name}"));
            }
        }
    }
    tags
}

/// Every tag is closed in order and every `&` begins an entity.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    for part in svg.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        let name = tag.split([' ', '\n', '/']).next().unwrap_or_default();
        match tag.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed), "{tag}"),
            None if tag.ends_with('/') => {}
            None => open.push(name),
        }
        for entity in tag.split('&').skip(1).chain(text.split('&').skip(1)) {
            let name = entity.split(';').next().unwrap_or_default();
            let known = ["amp", "lt", "gt", "quot", "apos"].contains(&name) || name.starts_with('#');
            assert!(known, "&{name}");
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// The beginning of each line of Markdown that is in no table. How many rows and columns a table has goes by the records'
/// names, too; but all of its rows have as many.
fn blocks(markdown: &str) -> Vec<String> {
    let mut columns = None;
    let mut kinds = Vec::new();
    for line in markdown.lines() {
        if line.starts_with('|') {
            let found = line.replace("\\|", "").matches('|').count();
            assert_eq!(*columns.get_or_insert(found), found, "{line:?}");
        } else {
            columns = None;
            kinds.push(line.chars().take_while(|c| "#-> !`".contains(*c)).collect());
        }
    }
    kinds
}

fn check(text: &str) {
    let (made, plain) = (Made::of(text), Made::of("plain"));
    for (html, usual) in [
        (made.read("index.html"), plain.read("index.html")),
        (made.above("index.html"), plain.above("index.html")),
    ] {
        assert_visible(&html);
        let strange: Vec<String> = tags(&html).difference(&tags(&usual)).cloned().collect();
        assert!(strange.is_empty(), "{strange:?}");
        assert!(!html.contains("href=\"javascript:"), "{html}");
    }
    for svg in made.charts() {
        assert_visible(&svg);
        assert_well_formed(&svg);
    }
    for (markdown, usual) in [
        (made.read("index.md"), plain.read("index.md")),
        (made.above("README.md"), plain.above("README.md")),
        (made.above("mine.md"), plain.above("mine.md")),
    ] {
        assert_visible(&markdown);
        let (found, usual) = (blocks(&markdown), blocks(&usual));
        for (found, usual) in found.iter().zip(&usual) {
            // A command that begins or ends with backticks has a longer fence.
            let fence = usual.starts_with('`') && found.starts_with('`');
            assert!(found == usual || fence, "{found:?} for {usual:?} in {markdown}");
        }
        assert_eq!(found.len(), usual.len(), "{markdown}");
        // A bracket with a backslash is text, and so is everything in a command's fence.
        for line in markdown.lines().filter(|line| !line.starts_with('`')) {
            assert!(!line.replace("\\]", "").contains("](javascript:"), "{line:?}");
        }
    }
    for name in ["cells.csv", "accuracy.csv", "keypoints.csv"] {
        let table = made.read(name);
        assert_visible(&table);
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        for field in reader.records().flat_map(|row| {
            let row = row.expect("a row");
            row.iter().map(str::to_owned).collect::<Vec<_>>()
        }) {
            let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
            assert!(!formula || field.parse::<f64>().is_ok(), "{field:?}");
        }
    }
    let about: Value = serde_json::from_str(&made.read("machine.json")).expect("JSON");
    assert_eq!(about["machine"]["cpu"], text);
    let read = harness::read(&made.folder.join("records.jsonl")).expect("records");
    assert_eq!(read, made.records);
    // What is appended to such records is read as it was.
    append(&made.folder.join("records.jsonl"), &made.records[0]).expect("written");
    let name = made.folder.file_name().expect("a name").to_string_lossy();
    assert!(!name.contains(['.', '<', '\0', '/']), "{name}");
}

#[test]
fn each_hostile_fragment_stays_text_in_every_form() {
    for fragment in FRAGMENTS {
        check(fragment);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn hostile_strings_stay_text_in_every_form(text in hostile()) {
        check(&text);
    }
}
