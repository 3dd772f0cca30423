//! Recognition of files that are no weight files, such as the web page of a download or a packed file, for a useful error.

use crate::error::shown;

/// The signature of a format: its bytes, their offset, the format's name and the advice.
struct Sign {
    at: usize,
    bytes: &'static [u8],
    what: &'static str,
}

const fn sign(at: usize, bytes: &'static [u8], what: &'static str) -> Sign {
    Sign { at, bytes, what }
}

/// The formats that are told by fixed bytes.
const SIGNS: [Sign; 19] = [
    sign(
        0,
        b"version https://git-lfs",
        "a Git LFS pointer, which stands for the file in a repository: `git lfs pull` fetches the file itself, and so \
         does the hub's download link",
    ),
    sign(0, b"\x1f\x8b", "compressed by gzip: `gunzip` unpacks it"),
    sign(0, b"BZh", "compressed by bzip2: `bunzip2` unpacks it"),
    sign(0, b"\xfd7zXZ\0", "compressed by xz: `unxz` unpacks it"),
    sign(0, b"\x28\xb5\x2f\xfd", "compressed by zstd: `unzstd` unpacks it"),
    sign(0, b"7z\xbc\xaf\x27\x1c", "a 7z archive: `7z x` unpacks it"),
    sign(0, b"Rar!", "a RAR archive: unpack it first"),
    sign(0, b"PK\x05\x06", "an empty ZIP archive"),
    sign(
        257,
        b"ustar",
        "a tar archive, such as Paddle's inference models, which are not read: where it holds a weight file, `tar xf` \
         unpacks it",
    ),
    sign(
        0,
        b"\x89HDF\r\n\x1a\n",
        "HDF5, as Keras's .h5, which is not read: there are no published weights of these networks in it",
    ),
    sign(
        4,
        b"TFL3",
        "a TensorFlow Lite model, which is not read: take the weights it was made from",
    ),
    sign(
        0,
        b"GGUF",
        "GGUF, which is not read: take the weights it was made from",
    ),
    sign(
        0,
        b"\x93NUMPY",
        "one NumPy array (.npy), which has no names: a dictionary of arrays, pickled, is read",
    ),
    sign(0, b"\x89PNG", "a PNG image"),
    sign(0, b"\xff\xd8\xff", "a JPEG image"),
    sign(0, b"%PDF", "a PDF document"),
    sign(0, b"\x7fELF", "an ELF program or library"),
    sign(0, b"\x80\0", "a pickle of protocol 0"),
    sign(
        0,
        b"PK\x07\x08",
        "a ZIP archive in several volumes: join it first",
    ),
];

/// The number of bytes by which text is recognised.
const LOOKED_AT: usize = 4096;

/// Returns the likely format of the bytes, and the advice.
pub(crate) fn what(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "an empty file: fetch it again".into();
    }
    let head = &bytes[..bytes.len().min(LOOKED_AT)];
    if head.iter().all(|byte| *byte == 0) {
        return format!(
            "nothing but zeros at its beginning (of {} bytes), as a download that was never filled: fetch it again",
            bytes.len()
        );
    }
    let known = SIGNS.iter().find(|sign| {
        bytes
            .get(sign.at..)
            .is_some_and(|rest| rest.starts_with(sign.bytes))
    });
    if let Some(sign) = known {
        return sign.what.into();
    }
    if let [0x80, protocol, ..] = bytes {
        return format!("a pickle of protocol {protocol}: 2 to 5 are read");
    }
    if is_old_pickle(bytes) {
        return "a pickle of protocol 0 or 1: in Python, write it again with `protocol=2` or later".into();
    }
    if is_pdiparams(bytes) {
        return "Paddle's inference parameters (.pdiparams), which are not read, for their names are those of operators: \
                take the .pdparams they were made from"
            .into();
    }
    if is_onnx(bytes) {
        return "a protocol buffer, as ONNX and Paddle's inference programs (.pdmodel) are, which are not read: take the \
                weights it was made from"
            .into();
    }
    text(head).unwrap_or_else(|| {
        let head: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("an unknown format, beginning with the bytes {}", head.join(" "))
    })
}

/// Protocols 0 and 1 have no header; what they begin with is a dictionary or a class, and they end with a dot.
fn is_old_pickle(bytes: &[u8]) -> bool {
    let begins = [
        b"(dp".as_slice(),
        b"(lp",
        b"}q",
        b"]q",
        b"ccollections\n",
        b"ccopy_reg\n",
        b"cnumpy",
    ];
    bytes.ends_with(b".") && begins.iter().any(|begin| bytes.starts_with(begin))
}

/// A version of 0, no level of detail, a version of 0 again, and a description that begins with its number format.
fn is_pdiparams(bytes: &[u8]) -> bool {
    bytes.len() > 21 && bytes[..16].iter().all(|byte| *byte == 0) && bytes[20] == 0x08
}

/// The version of ONNX's format and what comes behind it, or the first block of a program.
fn is_onnx(bytes: &[u8]) -> bool {
    let is_program = || {
        let mut windows = bytes[..bytes.len().min(64)].windows(5);
        // The first block is number 0 and has no parent, which is number -1.
        bytes.first() == Some(&0x0A) && windows.any(|window| window == b"\x08\0\x10\xff\xff")
    };
    matches!(bytes, [0x08, 1..=20, 0x12 | 0x1A | 0x22 | 0x3A, ..]) || is_program()
}

/// Returns the kind of text, if the bytes are text.
fn text(head: &[u8]) -> Option<String> {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character may be cut at the end of what is looked at.
        Err(error) if head.len() == LOOKED_AT && error.valid_up_to() + 4 > head.len() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let text = valid.trim_start_matches('\u{feff}').trim_start();
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    let lower = text.get(..512).unwrap_or(text).to_ascii_lowercase();
    let page = ["<!doctype html", "<html", "<head", "<body", "<script", "<meta"];
    let what = if page.iter().any(|tag| lower.starts_with(tag)) || lower.contains("<html") {
        "a web page and no weights, as a link that wants a login or a click gives: open it in a browser, or take the \
         link that downloads (on a hub, `resolve` or `raw` in place of `blob`)"
            .to_owned()
    } else if lower.starts_with('<') {
        "an XML document, as a store answers instead of a file that is not there or not public".to_owned()
    } else if lower.starts_with('{') && text.contains("\"weight_map\"") {
        "the index of weights in several safetensors files: name the file in its `weight_map` that holds the network's \
         tensors"
            .to_owned()
    } else if lower.starts_with(['{', '[']) {
        format!(
            "JSON and no weights, as a server answers instead of a file: it begins with `{}`",
            line(text)
        )
    } else {
        format!("text and no weights: it begins with `{}`", line(text))
    };
    Some(what)
}

/// The first line, as much of it as an error shows.
fn line(text: &str) -> String {
    shown(text.lines().next().unwrap_or_default().as_bytes())
}
