//! Pickles and PyTorch's archives put together by hand, for what no program would write or would write at length.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A text.
pub fn text(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("a short text");
    [b"X".as_slice(), &length.to_le_bytes(), text.as_bytes()].concat()
}

/// A whole number.
pub fn int(value: i32) -> Vec<u8> {
    [b"J".as_slice(), &value.to_le_bytes()].concat()
}

/// A tuple of these.
pub fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    [b"(".as_slice(), &items.concat(), b"t"].concat()
}

/// A list of these.
pub fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [b"](".as_slice(), &items.concat(), b"e"].concat()
}

/// A dictionary of these.
pub fn dict(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> = entries
        .iter()
        .flat_map(|(key, value)| [text(key), value.clone()].concat())
        .collect();
    [b"}(".as_slice(), &items, b"u"].concat()
}

/// A class or function.
pub fn global(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

/// A call of one.
pub fn call(module: &str, name: &str, arguments: &[Vec<u8>]) -> Vec<u8> {
    [global(module, name), tuple(arguments), b"R".to_vec()].concat()
}

/// A whole pickle of this protocol.
pub fn pickle(protocol: u8, value: &[u8]) -> Vec<u8> {
    [&[0x80, protocol], value, b"."].concat()
}

/// A storage of this class outside of the pickle.
pub fn storage(class: &str, key: &str, elements: i32) -> Vec<u8> {
    let parts = [
        text("storage"),
        global("torch", class),
        text(key),
        text("cpu"),
        int(elements),
    ];
    [tuple(&parts), b"Q".to_vec()].concat()
}

/// The arguments of a row-major tensor that has all of its storage.
pub fn view(class: &str, key: &str, shape: &[i32]) -> Vec<Vec<u8>> {
    let strides: Vec<Vec<u8>> = (1..=shape.len())
        .map(|at| int(shape[at..].iter().product()))
        .collect();
    let extents: Vec<Vec<u8>> = shape.iter().map(|extent| int(*extent)).collect();
    let hooks = call("collections", "OrderedDict", &[]);
    vec![
        storage(class, key, shape.iter().product()),
        int(0),
        tuple(&extents),
        tuple(&strides),
        b"\x89".to_vec(),
        hooks,
    ]
}

/// A row-major float tensor that has all of its storage.
pub fn tensor(key: &str, shape: &[i32]) -> Vec<u8> {
    call(
        "torch._utils",
        "_rebuild_tensor_v2",
        &view("FloatStorage", key, shape),
    )
}

/// PyTorch's archive of a pickle and storages.
pub fn archive(pickle: &[u8], storages: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut put = |name: &str, bytes: &[u8]| {
        zip.start_file(name, options).expect("an entry");
        zip.write_all(bytes).expect("written");
    };
    put("archive/data.pkl", pickle);
    put("archive/byteorder", b"little");
    for (key, bytes) in storages {
        put(&format!("archive/data/{key}"), bytes);
    }
    zip.finish().expect("an archive").into_inner()
}

/// The bytes of these numbers.
pub fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// An archive of this value, whose tensors are of the storages `0` to `9` with sixteen numbers each: ten times the
/// storage's number, and one more each.
pub fn numbered(value: &[u8]) -> Vec<u8> {
    let storages: Vec<(String, Vec<u8>)> = (0..10_u8)
        .map(|key| {
            let numbers: Vec<f32> = (0..16_u8).map(|index| f32::from(10 * key + index)).collect();
            (key.to_string(), floats(&numbers))
        })
        .collect();
    let storages: Vec<(&str, &[u8])> = storages
        .iter()
        .map(|(key, bytes)| (key.as_str(), bytes.as_slice()))
        .collect();
    archive(&pickle(2, value), &storages)
}
