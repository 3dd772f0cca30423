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
            "complex",
            "tensor `a`: dtype <c8; f8, f4, f2, i8, i4, i2, i1, u1, b1 are read",
        ),
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
    let error = read(write(Stored::U16, &[0; 6]).path())
        .expect_err("integers")
        .to_string();
    assert!(
        error.contains("tensor `a`: dtype U16; f64, f32, f16, bf16, signed integers, u8 and bool are read"),
        "{error}"
    );
}

#[test]
fn integers_of_safetensors_are_told_and_have_no_values() {
    for (stored, dtype) in [
        (Stored::I32, Dtype::I32),
        (Stored::I16, Dtype::I16),
        (Stored::I8, Dtype::I8),
        (Stored::U8, Dtype::U8),
        (Stored::BOOL, Dtype::Bool),
    ] {
        let tensor = &read(write(stored, &vec![1; 3 * dtype.bytes()]).path())
            .expect("the file")
            .tensors["a"];
        assert_eq!((tensor.dtype, tensor.values().len()), (dtype, 0));
    }
}

/// Row-major, -2 to 3.5 in steps of a half.
fn steps() -> Vec<f32> {
    (-4_i8..8).map(|half| f32::from(half) / 2.0).collect()
}

#[test]
fn arrays_in_fortrans_order_and_of_other_byte_orders_have_the_right_values() {
    for name in ["fortran", "big_endian"] {
        let tensor = &read(&fixture(&format!("{name}.pdparams"))).expect(name).tensors["a"];
        assert_eq!(
            (tensor.shape.as_slice(), tensor.values().as_ref()),
            ([3, 4].as_slice(), steps().as_slice())
        );
    }
    let case = read(&fixture("case_fortran.pdparams")).expect("the file").tensors;
    let weight = &case["fc.weight"];
    assert_eq!(
        (weight.shape.as_slice(), weight.values().as_ref()),
        ([3, 2].as_slice(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0].as_slice())
    );
}

/// A pickled dictionary with the one array `a` of this state, in protocol 5.
fn of_state(shape: &[u8], code: &str, order: &str, fortran: bool, data: &[u8]) -> Vec<u8> {
    let text = |text: &str| {
        [
            &[b'X', u8::try_from(text.len()).expect("short"), 0, 0, 0],
            text.as_bytes(),
        ]
        .concat()
    };
    let extents: Vec<u8> = shape.iter().flat_map(|extent| [b'K', *extent]).collect();
    let dtype = [
        b"cnumpy\ndtype\n".as_slice(),
        &text(code),
        b"\x85R(K\x03",
        &text(order),
        b"NNNtb",
    ]
    .concat();
    let fortran = if fortran { b"\x88" } else { b"\x89" };
    let bytes = [&[b'C', u8::try_from(data.len()).expect("short")], data].concat();
    [
        b"\x80\x05}X\x01\0\0\0acnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R(K\x01(".as_slice(),
        &extents,
        b"t",
        &dtype,
        fortran,
        &bytes,
        b"tbs.",
    ]
    .concat()
}

/// The same by a buffer of its data.
fn of_buffer(shape: &[u8], order: &str, axes: Option<&[u8]>, data: &[u8]) -> Vec<u8> {
    let text = |text: &str| {
        [
            &[b'X', u8::try_from(text.len()).expect("short"), 0, 0, 0],
            text.as_bytes(),
        ]
        .concat()
    };
    let numbers = |numbers: &[u8]| {
        let items: Vec<u8> = numbers.iter().flat_map(|number| [b'K', *number]).collect();
        [b"(".as_slice(), &items, b"t"].concat()
    };
    [
        b"\x80\x05}X\x01\0\0\0acnumpy._core.numeric\n_frombuffer\n(\x96".as_slice(),
        &(data.len() as u64).to_le_bytes(),
        data,
        b"cnumpy\ndtype\n",
        &text("f4"),
        b"\x85R(K\x03",
        &text("<"),
        b"NNNtb",
        &numbers(shape),
        &text(order),
        &axes.map(numbers).unwrap_or_default(),
        b"tRs.",
    ]
    .concat()
}

fn tensor(bytes: &[u8]) -> Result<checkpoint::Tensor, String> {
    let file = checkpoint::parse(Path::new("array"), bytes.to_vec().into());
    Ok(file.map_err(|error| error.to_string())?.tensors["a"].clone())
}

#[test]
fn arrays_of_every_shape_and_order_have_the_right_values() {
    let little: Vec<u8> = (0..24_u8).flat_map(|at| f32::from(at).to_le_bytes()).collect();
    let big: Vec<u8> = (0..24_u8).flat_map(|at| f32::from(at).to_be_bytes()).collect();
    let number = |at: usize| f32::from(u8::try_from(at).expect("small"));
    let rows: Vec<f32> = (0..24).map(number).collect();
    // The first index of [2, 3, 4] changes fastest.
    let columns: Vec<f32> = (0..24)
        .map(|at| number(at / 12 + at / 4 % 3 * 2 + at % 4 * 6))
        .collect();
    for (bytes, shape, values) in [
        (
            of_state(&[2, 3, 4], "f4", "<", false, &little),
            vec![2, 3, 4],
            rows.clone(),
        ),
        (
            of_state(&[2, 3, 4], "f4", ">", false, &big),
            vec![2, 3, 4],
            rows.clone(),
        ),
        (
            of_state(&[2, 3, 4], "f4", "<", true, &little),
            vec![2, 3, 4],
            columns.clone(),
        ),
        (
            of_state(&[2, 3, 4], "f4", ">", true, &big),
            vec![2, 3, 4],
            columns.clone(),
        ),
        (of_state(&[24], "f4", "<", true, &little), vec![24], rows.clone()),
        (of_state(&[], "f4", "<", false, &little[4..8]), vec![], vec![1.0]),
        (of_state(&[], "f4", ">", true, &big[4..8]), vec![], vec![1.0]),
        (of_state(&[0, 3], "f4", "<", true, &[]), vec![0, 3], vec![]),
        (of_state(&[3, 0], "f4", ">", false, &[]), vec![3, 0], vec![]),
        (
            of_state(&[1, 24], "f4", "<", true, &little),
            vec![1, 24],
            rows.clone(),
        ),
        (
            of_buffer(&[2, 3, 4], "C", None, &little),
            vec![2, 3, 4],
            rows.clone(),
        ),
        (
            of_buffer(&[2, 3, 4], "F", None, &little),
            vec![2, 3, 4],
            columns.clone(),
        ),
        (
            of_buffer(&[4, 3, 2], "K", Some(&[2, 1, 0]), &little),
            vec![2, 3, 4],
            columns,
        ),
        (
            of_buffer(&[2, 3, 4], "K", Some(&[0, 1, 2]), &little),
            vec![2, 3, 4],
            rows,
        ),
    ] {
        let tensor = tensor(&bytes).expect("an array");
        assert_eq!(
            (&tensor.shape, tensor.values().as_ref()),
            (&shape, values.as_slice())
        );
    }
}

#[test]
fn arrays_whose_parts_disagree_are_refused() {
    for (bytes, reason) in [
        (of_state(&[3], "f4", ">", true, &[0; 8]), "does not fit 8 bytes"),
        (
            of_state(&[3, 2], "f4", "<", true, &[0; 8]),
            "does not fit 8 bytes",
        ),
        (of_state(&[2], "f4", "?", false, &[0; 8]), "dtype ?f4"),
        (
            of_state(&[2], "u2", "<", false, &[0; 4]),
            "Paddle keeps bfloat16 so",
        ),
        (of_buffer(&[2], "Q", None, &[0; 8]), "the order `Q`"),
        (of_buffer(&[2], "K", None, &[0; 8]), "the order `K`"),
        (
            of_buffer(&[2], "K", Some(&[1]), &[0; 8]),
            "the axes [1] for 1 extents",
        ),
        (
            of_buffer(&[2, 1], "K", Some(&[0, 0]), &[0; 8]),
            "the axes [0, 0] for 2 extents",
        ),
        (of_buffer(&[2], "C", None, &[0; 4]), "does not fit 4 bytes"),
    ] {
        let error = tensor(&bytes).expect_err(reason);
        assert!(error.contains(reason), "{error}");
    }
}
