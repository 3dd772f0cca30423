//! The table of faults names tests that exist.

use std::fs;
use std::path::Path;

/// All test code that the table may name.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("readable"));
        }
    }
}

#[test]
fn every_fault_has_a_treatment_and_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    for folder in ["src", "tests", "../zoo/tests"] {
        sources(&root.join(folder), &mut code);
    }
    let readme = fs::read_to_string(root.join("README.md")).expect("readable");
    let (_, faults) = readme.split_once("\n## Faults\n").expect("the table of faults");
    let rows: Vec<Vec<&str>> = faults
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 40, "{}", rows.len());
    for row in &rows[2..] {
        assert!(
            row.len() == 3 && row.iter().all(|cell| !cell.is_empty()),
            "{row:?}"
        );
        let named = row[2]
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| !name.starts_with("--"));
        for test in named.map(|name| name.rsplit(' ').next().unwrap_or(name)) {
            assert!(code.contains(&format!("fn {test}(")), "there is no test `{test}`");
        }
        assert!(
            row[2].contains('`') || row[2].starts_with("by construction"),
            "{row:?}"
        );
    }
}
