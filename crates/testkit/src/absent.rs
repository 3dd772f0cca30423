//! Tools that are not on every machine: a test that lacks one says so and passes, unless a variable requires it to run.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Write};

/// The variable that names the file to which [`not_run`] adds a line.
const FILE: &str = "ZOO_NOT_RUN";

/// The variable that says that a tool must be there: `ZOO_REQUIRE_ORT=1`.
fn variable(tool: &str) -> String {
    format!("ZOO_REQUIRE_{tool}")
}

/// The names in `ZOO_REQUIRE_{TOOL}`, which commas separate: `ZOO_REQUIRE_ISA=avx512,avx2`.
pub fn required(tool: &str) -> Vec<String> {
    let names = std::env::var(variable(tool)).unwrap_or_default();
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// Returns true if `ZOO_REQUIRE_{TOOL}` requires the tool: it is set, and neither empty nor 0.
pub fn is_required(tool: &str) -> bool {
    says_so(std::env::var_os(variable(tool)).as_deref())
}

fn says_so(value: Option<&OsStr>) -> bool {
    value.is_some_and(|value| !value.is_empty() && value != "0")
}

/// Reports that `what` does not run here and why, and fails if it must run.
///
/// # Panics
/// If the tool is [required](is_required), or as [`tell`].
pub fn not_run(tool: &str, what: &str, why: &str) {
    tell(tool, what, why);
    let variable = variable(tool);
    assert!(
        !is_required(tool),
        "{variable} is set, and {what} cannot run: {why}"
    );
}

/// Reports that `what` does not run here and why: on standard error, past the capture of test output, and as a line of
/// the file that `ZOO_NOT_RUN` names, if it names one.
///
/// # Panics
/// If the line cannot be written.
pub fn tell(tool: &str, what: &str, why: &str) {
    let line = line(tool, what, why);
    // Nobody may be there to read it.
    let _ = io::stderr().write_all(line.as_bytes());
    if let Some(file) = std::env::var_os(FILE).filter(|file| !file.is_empty()) {
        add(&file, &line).unwrap_or_else(|error| panic!("{FILE}: {}: {error}", file.display()));
    }
}

fn line(tool: &str, what: &str, why: &str) -> String {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("not run: {} ({tool}): {}\n", one_line(what), one_line(why))
}

/// Adds the line in one piece, so that those of several processes do not mix.
fn add(file: &OsStr, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    file.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_required_by_any_word_but_nothing_and_0() {
        let says = |value: &str| says_so(Some(OsStr::new(value)));
        assert!(says("1") && says("yes"));
        assert!(!says("") && !says("0") && !says_so(None));
        assert_eq!(required("NO_SUCH_TOOL"), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_is_not_run_is_one_line_after_those_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("not run");
        for what in ["races\nof engines", "counts"] {
            add(file.as_os_str(), &line("ORT", what, "no library")).expect("written");
        }
        let text = std::fs::read_to_string(&file).expect("a file");
        assert_eq!(
            text,
            "not run: races of engines (ORT): no library\nnot run: counts (ORT): no library\n"
        );
    }
}
