//! The number formats: those that are read, to the value, and those that are refused.

use std::path::{Path, PathBuf};

use checkpoint::{Dtype, read};
use safetensors::Dtype as Stored;
use safetensors::tensor::TensorView;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

#[test]
fn numpys_formats_are_read() {
    let tensors = read(&fixture("dtypes.pdparams")).expect("the file").tensors;
    let values: Vec<f32> = (-4_i8..8).map(|half| f32::from(half) / 2.0).collect();
    for (name, dtype) in [("f64", Dtype::F64), ("f32", Dtype::F32), ("f16", Dtype::F16)] {
        let tensor = &tensors[name];
        assert_eq!(
            (tensor.dtype, tensor.shape.as_slice()),
            (dtype, [3, 4].as_slice())
        );
        assert_eq!(tensor.values(), values, "{name}");
    }
    let integers = &tensors["i64"];
    assert_eq!(
        (integers.dtype, integers.shape.as_slice()),
        (Dtype::I64, [3, 4].as_slice())
    );
    assert!(integers.values().is_empty());
}

#[test]
fn arrays_that_no_weights_need_are_refused() {
    for (name, reason) in [
        (
            "big_endian",
            "tensor `a`: dtype >f4; <f4, <f8, <f2 and <i8 are read",
        ),
        ("complex", "tensor `a`: dtype <c8"),
        ("fortran", "tensor `a`: Fortran order"),
        ("objects", "tensor `a`: dtype |O8"),
    ] {
        let error = read(&fixture(&format!("refused_{name}.pdparams")))
            .expect_err(name)
            .to_string();
        assert!(error.contains(reason), "{error}");
    }
}

/// A safetensors file with the one tensor `a` of shape `[1, 3]`.
fn write(dtype: Stored, bytes: &[u8]) -> tempfile::NamedTempFile {
    let view = TensorView::new(dtype, vec![1, 3], bytes).expect("a tensor");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(
        file.path(),
        safetensors::serialize([("a", view)], None).expect("a header"),
    )
    .expect("written");
    file
}

#[test]
fn the_formats_of_safetensors_are_read() {
    // 1, -2.5 and the smallest step above zero of each format.
    for (stored, dtype, bytes, smallest) in [
        (
            Stored::F16,
            Dtype::F16,
            [0x00, 0x3C, 0x00, 0xC1, 0x01, 0x00].as_slice(),
            2.0_f32.powi(-24),
        ),
        (
            Stored::BF16,
            Dtype::Bf16,
            [0x80, 0x3F, 0x20, 0xC0, 0x01, 0x00].as_slice(),
            2.0_f32.powi(-133),
        ),
        (
            Stored::F32,
            Dtype::F32,
            [0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC0, 1, 0, 0, 0].as_slice(),
            f32::from_bits(1),
        ),
    ] {
        let tensor = &read(write(stored, bytes).path()).expect("the file").tensors["a"];
        assert_eq!(
            (tensor.dtype, tensor.shape.as_slice()),
            (dtype, [1, 3].as_slice())
        );
        assert_eq!(tensor.values().as_ref(), [1.0, -2.5, smallest], "{dtype}");
    }
}

#[test]
fn other_formats_of_safetensors_are_refused() {
    let error = read(write(Stored::I32, &[0; 12]).path())
        .expect_err("integers")
        .to_string();
    assert!(
        error.contains("tensor `a`: dtype I32; f64, f32, f16, bf16 and i64 are read"),
        "{error}"
    );
}
