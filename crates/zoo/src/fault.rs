//! Faults of this program's own: one line that says what and where, which a record can hold.

use std::io::Write;
use std::panic;

/// The variable with which developers ask for the way to a panic.
const BACKTRACE: &str = "RUST_BACKTRACE";

/// Has panics told as one line, without paths of the machine that the program was built on. Who asks for a backtrace gets Rust's
/// own message.
#[expect(
    clippy::disallowed_methods,
    reason = "Rust's own variable, which it reads itself"
)]
pub(crate) fn tell_in_a_line() {
    if std::env::var_os(BACKTRACE).is_some_and(|value| value != "0") {
        return;
    }
    panic::set_hook(Box::new(|panic| {
        let what = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map_or(String::new(), |location| {
            format!(" ({}:{})", short(location.file()), location.line())
        });
        // Nobody is left to be told that standard error is closed.
        let _ = writeln!(
            std::io::stderr(),
            "error: a fault of this program: {}{place}",
            what.lines().collect::<Vec<_>>().join("; ")
        );
    }));
}

/// A source file's path below its package's or its library's.
fn short(file: &str) -> &str {
    let file = file.rsplit_once("/registry/src/").map_or(file, |(_, below)| {
        below.split_once('/').map_or(below, |(_, file)| file)
    });
    let file = match file.strip_prefix("/rustc/") {
        Some(below) => below.split_once('/').map_or(below, |(_, file)| file),
        None => file,
    };
    match file.starts_with('/') {
        true => file
            .rsplit_once("/crates/")
            .map_or_else(|| file.rsplit('/').next().unwrap_or(file), |(_, below)| below),
        false => file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_without_the_paths_of_a_machine() {
        for (file, expected) in [
            (
                "crates/kernels/src/engine/slots.rs",
                "crates/kernels/src/engine/slots.rs",
            ),
            (
                "/home/u/.cargo/registry/src/index.example.org-1949/png-0.18/src/decoder.rs",
                "png-0.18/src/decoder.rs",
            ),
            (
                "/rustc/0a1b2c/library/alloc/src/raw_vec.rs",
                "library/alloc/src/raw_vec.rs",
            ),
            ("/home/u/zoo/crates/zoo/src/cli.rs", "zoo/src/cli.rs"),
            ("/home/u/made.rs", "made.rs"),
        ] {
            assert_eq!(short(file), expected);
        }
    }
}
