//! The documentation is whole: every page is in the summary, every link and anchor leads somewhere, every command, option, exit
//! code and variant that it names exists, and none is missing.

mod commands;
mod markdown;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use commands::{commands, unknown};
use markdown::Page;
use registry::{EMBEDDED, Variant, Zoo};

/// Commands that the README must show as they are.
const FIXED: [&str; 4] = [
    "cargo run --release -p zoo -- nightly --quick",
    "cargo test --workspace",
    "cargo run -p zoo -- fetch all",
    "cargo bench",
];

/// The most lines that the README may have.
const README_LINES: usize = 120;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Markdown file below a folder.
fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            markdown(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// Every page that a reader may come to: those of the root, of `docs`, and the READMEs of folders.
fn pages() -> Vec<Page> {
    let mut paths: Vec<PathBuf> = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "reports/README.md",
    ]
    .map(|name| root().join(name))
    .into();
    for folder in ["docs", "crates", "tests"] {
        markdown(&root().join(folder), &mut paths);
    }
    assert!(paths.len() > 40, "{} pages", paths.len());
    paths.iter().map(|path| Page::read(path)).collect()
}

/// A page's path from the root.
fn name(page: &Page) -> String {
    let path = page.path.strip_prefix(root()).unwrap_or(&page.path);
    path.display().to_string()
}

/// A path without `..` and `.`, which need not exist.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{} leads out", path.display()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// The dead links of a page, given all pages.
fn dead_links(page: &Page, pages: &[Page]) -> Vec<String> {
    let mut dead = Vec::new();
    let folder = page.path.parent().expect("a file lies in a folder");
    for link in page.links() {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = link
            .split_once('#')
            .map_or((link, None), |(file, anchor)| (file, Some(anchor)));
        let target = if file.is_empty() {
            page.path.clone()
        } else {
            plain(&folder.join(file))
        };
        let other = pages.iter().find(|other| other.path == target);
        let found = match (anchor, other) {
            (None, _) => target.starts_with(root()) && target.exists(),
            (Some(anchor), Some(other)) => other.has(anchor),
            (Some(_), None) => false,
        };
        if !found {
            dead.push(format!("{}: the link {link} leads nowhere", name(page)));
        }
    }
    dead
}

/// The text of a page of the reference.
fn reference(page: &str) -> String {
    fs::read_to_string(root().join("docs/reference").join(page)).expect("a page")
}

/// A variant's row of the table of networks.
fn row(zoo: &Zoo, variant: &Variant) -> String {
    let graph = variant.spec.graph(variant.input()).expect("a network");
    let profile = graph.profile();
    let widths: Vec<String> = variant.spec.widths.iter().map(usize::to_string).collect();
    let attention = if variant.spec.se_reduction.is_some() {
        " with SE"
    } else {
        ""
    };
    let claimed = zoo
        .claimed_top1(variant)
        .map_or(String::new(), |top1| top1.to_string());
    let sources = variant.artifacts.iter().map(|source| {
        let aliases = source.aliases.iter().map(|alias| format!(" (`{alias}`)"));
        std::iter::once(format!("`{}`", source.id))
            .chain(aliases)
            .collect::<String>()
    });
    format!(
        "| `{}` | {}{attention} | {:.2} | {:.2} | {claimed} | {} |",
        variant.name,
        widths.join("-"),
        profile.trainable().0 as f64 / 1e6,
        profile.macs().0 as f64 / 1e9,
        sources.collect::<Vec<_>>().join(", "),
    )
}

/// A pose variant's row of the second table.
fn pose_row(zoo: &Zoo, variant: &Variant) -> String {
    let (profile, pose) = (variant.graph().profile(), variant.pose().expect("a pose variant"));
    let claimed = zoo.claimed_ap(variant).map_or(String::new(), |ap| ap.in_points());
    let sources = variant.artifacts.iter().map(|source| format!("`{}`", source.id));
    format!(
        "| `{}` | {} | {} | {} | {:.2} | {:.2} | {claimed} | {} |",
        variant.name,
        variant.preprocess.size(),
        pose.keypoints.count(),
        pose.decoder.name(),
        profile.trainable().0 as f64 / 1e6,
        profile.macs().0 as f64 / 1e9,
        sources.collect::<Vec<_>>().join(", "),
    )
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_page_is_in_the_summary() {
    let docs = root().join("docs");
    let mut paths = Vec::new();
    markdown(&docs, &mut paths);
    let summary = Page::read(&docs.join("SUMMARY.md"));
    let listed: Vec<PathBuf> = summary.links().map(|link| docs.join(link)).collect();
    let once: BTreeSet<&PathBuf> = listed.iter().collect();
    assert_eq!(once.len(), listed.len(), "a page is in the summary twice");
    paths.retain(|path| *path != summary.path);
    assert_eq!(once, paths.iter().collect(), "the summary and the pages differ");
}

#[test]
fn every_link_and_anchor_leads_somewhere() {
    let pages = pages();
    let links = pages.iter().map(|page| page.links().count()).sum::<usize>();
    assert!(links > 200, "{links} links");
    none(
        &pages
            .iter()
            .flat_map(|page| dead_links(page, &pages))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn every_command_and_option_exists() {
    let commands = commands();
    let mut wrong = Vec::new();
    // The changelog also names what there was.
    for page in pages().iter().filter(|page| !page.path.ends_with("CHANGELOG.md")) {
        let found = page.code.iter().flat_map(|code| unknown(code, &commands));
        wrong.extend(found.map(|what| format!("{}: {what}", name(page))));
    }
    none(&wrong);
}

#[test]
fn the_reference_lists_every_command_and_exit_code() {
    let list = reference("commands.md");
    for name in commands()
        .keys()
        .filter(|name| !name.contains(' ') && *name != "help")
    {
        assert!(
            list.contains(&format!("| `zoo {name}` |")),
            "commands.md lacks `zoo {name}`"
        );
    }
    let listed = reference("exit-codes.md");
    let listed: Vec<&str> = listed
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(2)
        .collect();
    let codes = zoo::Exit::ALL.map(|(exit, meaning)| format!("| {} | {meaning} |", exit.code()));
    assert_eq!(listed, codes, "exit-codes.md");
}

#[test]
fn the_reference_lists_every_variant() {
    let zoo = Zoo::parse(EMBEDDED, Path::new("zoo.toml")).expect("the manifest");
    let of_people = zoo.variants.iter().filter(|variant| !variant.is_classifier());
    let of_people = of_people.map(|variant| pose_row(&zoo, variant));
    let rows: Vec<String> = zoo
        .classifiers()
        .map(|variant| row(&zoo, variant))
        .chain(of_people)
        .collect();
    let page = reference("networks.md");
    let listed: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(
        listed,
        rows,
        "networks.md; its rows should be\n{}\n",
        rows.join("\n")
    );
}

#[test]
fn the_readme_is_short_and_shows_the_fixed_commands() {
    let text = fs::read_to_string(root().join("README.md")).expect("the README");
    let lines = text.lines().count();
    assert!(
        lines <= README_LINES,
        "README.md has {lines} lines, {README_LINES} are allowed"
    );
    let code = Page::parse(&text).code;
    for command in FIXED {
        assert!(
            code.iter().any(|line| line.starts_with(command)),
            "README.md lacks `{command}`"
        );
    }
}

#[test]
fn what_is_wrong_is_found() {
    let text = "# A `b`: c_d-e!\n\n[x](#a-b-c_d-e) and [`y`](#nowhere), ![z](no.svg) `[no](link)`\n\n```sh\n\
                zoo list --json --jsn\nzoo lst | zoo peers rase -b 1\nzoo COMMAND; zoo cache ls --help\n\
                cargo build -p zoo\ncargo run -p zoo --features ort -- bench \\\n  --bach 2 # zoo nothing\n```\n";
    let page = Page {
        path: root().join("x.md"),
        ..Page::parse(text)
    };
    let pages = [page];
    let dead = dead_links(&pages[0], &pages);
    assert_eq!(
        dead,
        [
            "x.md: the link #nowhere leads nowhere",
            "x.md: the link no.svg leads nowhere"
        ]
    );
    let commands = commands();
    let wrong: Vec<String> = pages[0]
        .code
        .iter()
        .flat_map(|code| unknown(code, &commands))
        .collect();
    let ends = [
        "`zoo list` has no option --jsn",
        "there is no `zoo lst`",
        "there is no `zoo peers rase`",
        "`zoo bench` has no option --bach",
    ];
    assert_eq!(wrong.len(), ends.len(), "{wrong:?}");
    for (found, end) in wrong.iter().zip(ends) {
        assert!(found.ends_with(end), "{found}");
    }
    assert!(
        pages[0].has("a-b-c_d-e") && !pages[0].has("a-b"),
        "GitHub's anchors"
    );
}
