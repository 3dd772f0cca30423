//! Files that are damaged or crafted: always an error, never a panic, a call or absurd memory.

use std::path::Path;

use checkpoint::{CheckpointError, TensorFile, read};

fn read_bytes(bytes: &[u8]) -> Result<TensorFile, CheckpointError> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("written");
    read(file.path())
}

fn refused(bytes: &[u8]) -> String {
    read_bytes(bytes).expect_err("refused").to_string()
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
fn code_is_refused_by_name() {
    // What `pickle.dumps` writes for an object whose __reduce__ gives (os.system, ("true",)).
    let system = b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.";
    assert!(
        refused(system).contains("pickle at byte 2: the file refers to `posix.system`"),
        "{}",
        refused(system)
    );
    let stacked = b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.";
    assert!(
        refused(stacked).contains("`builtins.eval`"),
        "{}",
        refused(stacked)
    );
    // EXT1, INST and OBJ make objects too; BINPERSID asks the reader for one.
    for opcode in [0x82, b'i', b'o', b'Q', 0x81, 0x92] {
        let error = refused(&[0x80, 2, b'}', opcode, b'.']);
        assert!(
            error.contains(&format!("pickle at byte 3: opcode 0x{opcode:02x}")),
            "{error}"
        );
    }
}

#[test]
fn calls_with_other_arguments_are_refused() {
    for call in [
        b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf-7\x86R.".as_slice(),
        b"cnumpy.core.multiarray\n_reconstruct\nN\x85R.",
        b"cbuiltins\ntuple\nK\x01\x85R.",
        b"K\x01)R.",
        b"ccollections\nOrderedDict\nK\x01\x85R.",
    ] {
        let error = refused(&[b"\x80\x02", call].concat());
        assert!(error.contains("a call of"), "{error}");
    }
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
    assert!(
        refused(&huge).contains("does not fit 8 bytes"),
        "{}",
        refused(&huge)
    );
    let header = [b"\xff\xff\xff\xff\x00\x00\x00\x00{".as_slice(), &[b' '; 100]].concat();
    assert!(
        refused(&header).contains("not a safetensors file"),
        "{}",
        refused(&header)
    );
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let nested = [
        b"\x80\x02}X\x01\x00\x00\x00a)".as_slice(),
        &[0x85; 1_000_000],
        b"s.",
    ]
    .concat();
    assert!(refused(&nested).contains("tensor `a`: a tuple that is no (name, array) pair"));
    let marks = [b"\x80\x02".as_slice(), &[b'('; 1_000_000], b"."].concat();
    assert!(refused(&marks).contains("the stack is empty"));
}

#[test]
fn other_files_are_told_by_their_first_bytes() {
    assert!(refused(b"").contains("an empty file"));
    assert!(refused(b"PK\x03\x04rest").contains("a PyTorch file (.pth)"));
    assert!(refused(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.").contains("a PyTorch file (.pth)"));
    assert!(refused(b"<!DOCTYPE html>").contains("an unknown format, beginning with the bytes 3c 21 44"));
    assert!(refused(b"\x80\x05}.").contains("an unknown format"));
    assert!(
        read(Path::new("no/such/file"))
            .expect_err("no file")
            .to_string()
            .starts_with("no/such/file: ")
    );
}

#[test]
fn every_cut_is_an_error() {
    for name in ["python2.pdparams", "pair.pdparams"] {
        let whole = fixture(name);
        for length in 0..whole.len() {
            assert!(
                read_bytes(&whole[..length]).is_err(),
                "{name} cut to {length} bytes"
            );
        }
    }
}

#[test]
fn damaged_files_never_panic() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for name in [
        "python2.pdparams",
        "pair.pdparams",
        "protocol4.pdparams",
        "timm.safetensors",
    ] {
        let whole = fixture(name);
        for _ in 0..400 {
            let mut damaged = whole.clone();
            for _ in 0..=random(4) {
                let at = random(damaged.len().min(2000));
                damaged[at] = random(256) as u8;
            }
            // Damage in a tensor's numbers goes unnoticed here; digests are what finds it.
            let _ = read_bytes(&damaged);
        }
    }
}
