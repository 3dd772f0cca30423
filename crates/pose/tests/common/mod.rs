//! Golden data that `tests/golden/pose/make.py` made.

#![allow(dead_code, clippy::allow_attributes, reason = "each test uses some of it")]

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

pub fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(name)
}

pub fn bytes(name: &str) -> Vec<u8> {
    let path = golden(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn json(name: &str) -> Value {
    serde_json::from_slice(&bytes(&format!("pose/{name}"))).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

pub fn numbers(value: &Value) -> Vec<f64> {
    list(value)
        .iter()
        .map(|value| value.as_f64().expect("a number"))
        .collect()
}

pub fn fixed<const N: usize>(value: &Value) -> [f64; N] {
    numbers(value).try_into().expect("as many numbers")
}
