//! Pickles that are crafted: always an error, never a panic, a call or absurd memory.

use std::path::Path;

use checkpoint::{CheckpointError, TensorFile, parse, read};
use hrnet::{Graph, HrnetSpec, Shape};

fn read_bytes(bytes: &[u8]) -> Result<TensorFile, CheckpointError> {
    parse(Path::new("hostile"), bytes.to_vec().into())
}

/// The bytes that `pickle` protocol 3 writes for a dictionary with these, already pickled, values.
fn dictionary(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\x80\x03}(".to_vec();
    for (name, value) in entries {
        bytes.push(b'X');
        bytes.extend(u32::try_from(name.len()).expect("a short name").to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(value);
    }
    [&bytes, b"u.".as_slice()].concat()
}

/// The bytes that it writes for a float32 array.
fn array(shape: &[u64], data: &[u8]) -> Vec<u8> {
    let extents: Vec<u8> = shape
        .iter()
        .flat_map(|extent| [&[0x8A, 8], extent.to_le_bytes().as_slice()].concat())
        .collect();
    [
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01(".as_slice(),
        &extents,
        b"tcnumpy\ndtype\nX\x02\x00\x00\x00f4\x85R(K\x03X\x01\x00\x00\x00<tb\x89B",
        &u32::try_from(data.len()).expect("short data").to_le_bytes(),
        data,
        b"tb",
    ]
    .concat()
}

fn refused(bytes: &[u8]) -> String {
    read_bytes(bytes).expect_err("refused").to_string()
}

fn w18() -> Graph {
    HrnetSpec::imagenet([18, 36, 72, 144])
        .graph(Shape::square(1, 32))
        .expect("a graph")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name),
    )
    .expect("a fixture")
}

#[test]
fn code_is_not_run_and_told_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let command = format!("touch {}", trace.display());
    // What `pickle.dumps` writes for an object whose __reduce__ gives (os.system, (command,)).
    let length = u32::try_from(command.len()).expect("short").to_le_bytes();
    let call = [
        b"cposix\nsystem\nX".as_slice(),
        &length,
        command.as_bytes(),
        b"\x85R",
    ]
    .concat();
    let system = [b"\x80\x02", call.as_slice(), b"."].concat();
    assert!(
        refused(&system).contains("the pickle holds what `posix.system` makes"),
        "{}",
        refused(&system)
    );
    let beside = read_bytes(&dictionary(&[("args", call), ("a", array(&[1], &[0; 4]))])).expect("weights");
    assert_eq!(beside.unknown, ["posix.system"]);
    assert_eq!(beside.unread["args"], "made by `posix.system`, which is not read");
    assert!(!trace.exists());
    let stacked = b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.";
    assert!(
        refused(stacked).contains("`builtins.eval`"),
        "{}",
        refused(stacked)
    );
}

#[test]
fn every_opcode_that_weights_do_not_need_is_refused() {
    let known = b"\x80\x95.N\x88\x89IJKM\x8a\x8bGX\x8c\x8dBC\x8e\x96TU(01)t\x85\x86\x87]ae}su\x8f\x90\x91c\x93Rio\x81\x92bQqr\x94hj\x97\x98";
    for opcode in (0..=u8::MAX).filter(|opcode| !known.contains(opcode)) {
        // Among them EXT1, whose meaning is in no file, and DUP, which makes much of little.
        let error = refused(&[0x80, 2, b'}', opcode, b'.']);
        assert!(
            error.contains(&format!("pickle at byte 3: opcode 0x{opcode:02x}")),
            "{error}"
        );
    }
}

#[test]
fn arrays_of_the_wrong_size_are_refused() {
    assert!(read_bytes(&dictionary(&[("a", array(&[1, 2], &[0; 8]))])).is_ok());
    for (shape, length) in [
        (vec![2], 4),
        (vec![2], 12),
        (vec![], 0),
        (vec![1 << 62, 4], 0),
        (vec![0, 1], 4),
    ] {
        let error = refused(&dictionary(&[("a", array(&shape, &vec![0; length]))]));
        let expected = format!("tensor `a`: shape {shape:?} of f32 does not fit {length} bytes");
        assert!(error.contains(&expected), "{error}");
    }
    let error = refused(&dictionary(&[("a", array(&[1; 9], &[0; 4]))]));
    assert!(
        error.contains("tensor `a`: 9 extents; at most 8 are read"),
        "{error}"
    );
    let error = refused(&dictionary(&[("a", array(&[u64::MAX], &[]))]));
    assert!(error.contains("tensor `a`: an extent of -1"), "{error}");
}

#[test]
fn small_files_do_not_make_much_memory_or_work() {
    let tuples = [b"\x80\x02".as_slice(), &[b')'; 1 << 20], b"."].concat();
    assert!(
        refused(&tuples).contains("pickle at byte 1048577: more than 1048576 opcodes"),
        "{}",
        refused(&tuples)
    );
    // One array under a hundred names, fetched from the memo.
    let mut entries = vec![(
        "0".to_owned(),
        [array(&[4096], &[0; 4 * 4096]), b"q\x00".to_vec()].concat(),
    )];
    entries.extend((1..100).map(|name| (name.to_string(), b"h\x00".to_vec())));
    let entries: Vec<(&str, Vec<u8>)> = entries
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    assert!(read_bytes(&dictionary(&entries[..2])).is_ok());
    let error = refused(&dictionary(&entries));
    assert!(error.contains("more elements than the file has bytes"), "{error}");
    // A matrix without rows has no elements, but columns that a transposition would walk for years.
    let columns = (1 << 62) - 1;
    let hollow = dictionary(&[
        ("conv_layer1_1.conv.weight", array(&[1], &[0; 4])),
        ("fc.weight", array(&[0, columns], &[])),
    ]);
    let error = read_bytes(&hollow)
        .expect("a file")
        .bind(&w18())
        .expect_err("no weights")
        .to_string();
    assert!(
        error.contains(&format!("fc.weight is [0, {columns}], expected [2048, 1000]")),
        "{error}"
    );
}

#[test]
fn shared_parts_do_not_make_much_work() {
    // A shape of a thousand extents that a thousand arrays share.
    let shape = [b"(".as_slice(), &[b'N'; 1000], b"tq\x01"].concat();
    let array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01h\x01\
                  cnumpy\ndtype\nX\x02\x00\x00\x00f4\x85R\x89C\x00tb";
    let names: Vec<String> = (0..1000).map(|name| name.to_string()).collect();
    let entries: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), array.to_vec())).collect();
    let bytes = [b"\x80\x03", shape.as_slice(), &dictionary(&entries)[2..]].concat();
    let error = refused(&bytes);
    assert!(
        error.contains(": 1000 extents; at most 8 are read, and 256 others cannot be read either"),
        "{error}"
    );
}

#[test]
fn cycles_are_no_trouble() {
    // A dictionary that is its own `state_dict`, and a list that holds itself, in PyTorch's older format.
    let key = b"X\x0a\x00\x00\x00state_dict";
    let own = [b"\x80\x02}q\x00".as_slice(), key, b"h\x00s."].concat();
    assert!(refused_legacy(&own, b"\x80\x02].").contains("its keys: `state_dict`"));
    let list = b"\x80\x02}X\x01\x00\x00\x00a]q\x00h\x00as.";
    assert!(refused_legacy(list, b"\x80\x02].").contains("holds no tensors"));
}

/// The reason why a legacy `.pth` of this object and these storage keys is refused for.
fn refused_legacy(object: &[u8], rest: &[u8]) -> String {
    let head = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";
    let system = b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.";
    refused(&[head.as_slice(), system, object, rest].concat())
}

#[test]
fn storages_are_not_believed() {
    let object = b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\n\
                   FloatStorage\nX\x01\x00\x00\x00kX\x03\x00\x00\x00cpuK\x02tQK\x00K\x02\x85K\x01\x85\x89NtRs.";
    let keys = b"\x80\x02]X\x01\x00\x00\x00ka.";
    let with = |count: u64, data: &[u8]| {
        refused_legacy(object, &[keys.as_slice(), &count.to_le_bytes(), data].concat())
    };
    for (count, length, reason) in [
        (
            2,
            7,
            "storage `k` at byte 164: the file ends where 8 more bytes are declared, 7 are left",
        ),
        (1 << 61, 8, "the file ends where"),
        (u64::MAX, 8, "elements"),
        (
            1,
            4,
            "tensor `a`: its storage `k` has 4 bytes where 2 elements of f32 are declared",
        ),
        (
            3,
            12,
            "tensor `a`: its storage `k` has 12 bytes where 2 elements of f32 are declared",
        ),
    ] {
        let error = with(count, &vec![0; length]);
        assert!(error.contains(reason), "{error}");
    }
    assert!(refused_legacy(object, b"\x80\x02].").contains("tensor `a`: its storage `k` is not in the file"));
    assert!(refused_legacy(object, b"\x80\x02N.").contains("the storages are not listed"));
    let unknown = b"\x80\x02]X\x01\x00\x00\x00xa.";
    assert!(
        refused_legacy(object, unknown)
            .contains("storage `x` at byte 164: no tensor of a known number format refers to it")
    );
}

#[test]
fn names_in_errors_are_short_and_harmless() {
    let long = "\u{1b}[2J".repeat(100_000);
    let module = format!("\x02c{long}\n{long}\n.");
    for bytes in [
        [b"\x80", module.as_bytes()].concat(),
        dictionary(&[(&long, b")".to_vec())]),
        [b"\x80\x02I", long.as_bytes(), b"\n."].concat(),
    ] {
        let error = refused(&bytes);
        assert!(
            error.len() < 1000 && error.contains("\\u{1b}[2J") && !error.contains('\u{1b}'),
            "{error}"
        );
    }
}

#[test]
fn calls_with_other_arguments_make_nothing() {
    for (call, name) in [
        (
            b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf-7\x86R.".as_slice(),
            "_codecs.encode",
        ),
        (
            b"cnumpy.core.multiarray\n_reconstruct\nN\x85R.",
            "numpy._core.multiarray._reconstruct",
        ),
        (b"cbuiltins\ntuple\nK\x01\x85R.", "builtins.tuple"),
        (
            b"ccollections\nOrderedDict\nK\x01\x85R.",
            "collections.OrderedDict",
        ),
    ] {
        let error = refused(&[b"\x80\x02", call].concat());
        assert!(error.contains(&format!("holds what `{name}` makes")), "{error}");
    }
    assert!(refused(b"\x80\x02K\x01)R.").contains("a call of what is no name"));
    assert!(refused(b"\x80\x02cbuiltins\ntuple\nK\x01R.").contains("a call without a tuple of arguments"));
}

#[test]
fn lengths_are_not_believed() {
    for bytes in [
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.".as_slice(),
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"\x80\x02X\xff\xff\xff\xffab.",
        b"\x80\x04\x95\x01",
    ] {
        assert!(
            refused(bytes).contains("the file ends where"),
            "{}",
            refused(bytes)
        );
    }
    // A shape of 2^62 elements with eight bytes of data.
    let mut huge = fixture("python2.pdparams");
    let at = huge
        .windows(4)
        .position(|window| window == b"(K\x02t")
        .expect("a shape");
    huge.splice(at..at + 4, *b"(\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40t");
    let unread = read_bytes(&huge).expect("another tensor").unread;
    assert!(unread["a"].contains("does not fit 8 bytes"), "{unread:?}");
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let nested = [
        b"\x80\x02}X\x01\x00\x00\x00a)".as_slice(),
        &[0x85; 1_000_000],
        b"s.",
    ]
    .concat();
    assert!(refused(&nested).contains("the pickled dictionary holds no tensors"));
    let marks = [b"\x80\x02".as_slice(), &[b'('; 1_000_000], b"."].concat();
    assert!(refused(&marks).contains("the stack is empty"));
}

#[test]
fn damaged_beginnings_are_told() {
    assert!(refused(b"PK\x03\x04rest").contains("the ZIP archive is cut short"));
    assert!(refused(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x18.").contains("magic number is damaged"));
    assert!(
        read(Path::new("no/such/file"))
            .expect_err("no file")
            .to_string()
            .starts_with("no/such/file: ")
    );
}

#[test]
fn dictionaries_are_looked_for_in_bounded_work() {
    // A hundred thousand lists, each with the next and a thousand references to one dictionary of a tensor.
    let mut value = [dictionary(&[("a", array(&[1], &[0; 4]))])[2..].to_vec(), vec![]].concat();
    value.pop();
    let mut bytes = [b"\x80\x03".as_slice(), &value, b"q\x01"].concat();
    for _ in 0..1000 {
        // ](previous, the dictionary a hundred times)
        bytes.extend(b"q\x02](h\x02");
        bytes.extend(b"h\x01".repeat(100));
        bytes.push(b'e');
    }
    bytes.push(b'.');
    let file = read_bytes(&bytes).expect("a dictionary within reach");
    assert_eq!(file.tensors.len(), 1);
    assert!(file.set.expect("a way").split('/').count() <= 6);
}

#[test]
fn names_that_are_many_networks_make_bounded_work() {
    let names: Vec<String> = (0..3000).map(|at| format!("n{at}.conv1.weight")).collect();
    let entries: Vec<(&str, Vec<u8>)> = names
        .iter()
        .map(|name| (name.as_str(), array(&[1], &[0; 4])))
        .collect();
    let file = read_bytes(&dictionary(&entries)).expect("networks");
    assert!(file.other_sets.len() <= 12 && file.tensors.len() == 1);
}

#[test]
fn types_within_types_do_not_overflow_the_stack() {
    // `_rebuild_from_type_v2` of itself, fifty thousand deep: each level's arguments hold the one before.
    let mut bytes = b"\x80\x02)".to_vec();
    for _ in 0..50_000 {
        bytes.extend(b"q\x00ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nctorch\nTensor\nh\x00NtR");
    }
    bytes.push(b'.');
    assert!(refused(&bytes).contains("_rebuild_from_type_v2"));
}
