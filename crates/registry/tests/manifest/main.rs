//! The shipped manifest, and what is refused in others.

#[path = "../common/mod.rs"]
mod common;

mod faults;
mod names;
mod own;
mod pose;
mod shipped;

use std::path::Path;

use registry::{EMBEDDED, Zoo};

fn parse(text: &str) -> Result<Zoo, String> {
    Zoo::parse(text, Path::new("zoo.toml")).map_err(|error| error.to_string())
}

fn shipped() -> Zoo {
    parse(EMBEDDED).expect("the shipped manifest is valid")
}

/// The error for the shipped manifest with one piece of text replaced.
fn refused(from: &str, to: &str) -> String {
    assert!(EMBEDDED.contains(from), "{from} is not in the manifest");
    parse(&EMBEDDED.replacen(from, to, 1)).expect_err("refused")
}
