//! Weights kept ready: canonical names, f32, safetensors, beside the file they come from.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use hrnet::{Graph, WeightError, WeightSource};

use crate::file::read_open;
use crate::write::{CHECKSUMS, LAYOUT_VERSION, SOURCE, VERSION, write_summed};
use crate::{CheckpointError, Dtype, Layout, Naming, TensorFile, Weights};

/// The digits of a digest that are in a name; all of them are noted in the file.
const SHOWN_DIGEST: usize = 16;

/// Returns the path of the prepared weights of a source file with this digest: beside it, under a name of the digest and the
/// layout's version. A kind before a colon in the digest is left out.
pub fn prepared_path(source: &Path, digest: &str) -> PathBuf {
    let hexadecimal = digest.rsplit(':').next().unwrap_or(digest);
    let digest: String = hexadecimal
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(SHOWN_DIGEST)
        .collect();
    let mut name = source.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{digest}.v{LAYOUT_VERSION}.safetensors"));
    source.with_file_name(name)
}

/// Writes weights as [`open_prepared`] maps them; errors name them by `path`, and `digest` is that of the file they come from.
/// The same weights make the same bytes.
///
/// # Errors
/// If the weights lack a parameter of the graph, or cannot be written.
pub fn write_prepared(
    out: &mut (impl Write + Seek),
    path: &Path,
    digest: &str,
    graph: &Graph,
    weights: &dyn WeightSource,
) -> Result<(), CheckpointError> {
    let layout = Layout::new(Naming::Timm).with_source(digest);
    write_summed(out, path, graph, weights, &layout)
}

/// Opens the weights in a prepared file, which is mapped. Each tensor is compared with its CRC-32 when it is loaded, so that bytes
/// that the disk has lost since are an error.
///
/// Who wrote the file is not asked: whoever can replace it can replace its sums, too.
///
/// # Errors
/// If the file is damaged, of another source, or not of this network.
pub fn open_prepared(
    path: &Path,
    file: &File,
    digest: &str,
    graph: &Graph,
) -> Result<Weights, CheckpointError> {
    let file = read_open(path, file, None)?;
    let sums = sums(&file, digest).map_err(|reason| CheckpointError::Content {
        path: path.to_owned(),
        reason,
    })?;
    let names: Vec<String> = file.tensors.keys().cloned().collect();
    let weights = file.bind(graph)?;
    Ok(weights.summed(std::iter::zip(&names, sums)))
}

/// Returns the sums of the tensors of a prepared file, in the order of their names; the error says why the file is no prepared one.
fn sums(file: &TensorFile, digest: &str) -> Result<Vec<u32>, String> {
    let note = |name: &str| {
        let note = file.notes.get(name).map(String::as_str);
        note.ok_or_else(|| format!("not prepared weights: no note `{name}`"))
    };
    let (source, version) = (note(SOURCE)?, note(VERSION)?);
    if source != digest {
        return Err(format!(
            "prepared from a file of digest {source}, expected {digest}"
        ));
    }
    if version != LAYOUT_VERSION.to_string() {
        return Err(format!(
            "prepared weights of version {version}, expected {LAYOUT_VERSION}"
        ));
    }
    if let Some((name, tensor)) = file.tensors.iter().find(|(_, tensor)| tensor.dtype != Dtype::F32) {
        return Err(format!("tensor `{name}` is {}, expected f32", tensor.dtype));
    }
    if !matches!(file.naming(), Ok(Naming::Timm)) {
        return Err("prepared weights have timm's names, these have others".into());
    }
    let text = note(CHECKSUMS)?;
    let digits = text.as_bytes().as_chunks::<8>();
    let sum = |digits: &[u8; 8]| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    let sums: Option<Vec<u32>> = digits.0.iter().map(sum).collect();
    let sums = sums.filter(|sums| sums.len() == file.tensors.len() && digits.1.is_empty());
    sums.ok_or_else(|| format!("the note `{CHECKSUMS}` has not eight digits for each tensor"))
}

/// Returns the first parameter of a graph whose elements differ between two sources, in any bit.
///
/// # Errors
/// If one of them cannot give a parameter.
pub fn first_difference(
    graph: &Graph,
    weights: &dyn WeightSource,
    others: &dyn WeightSource,
) -> Result<Option<String>, WeightError> {
    for param in graph.params() {
        let (these, those) = (weights.load(&param)?, others.load(&param)?);
        // Not by value: a zero has a sign, and what is no number equals nothing.
        let (these, those) = (
            these.iter().map(|value| value.to_bits()),
            those.iter().map(|value| value.to_bits()),
        );
        if these.ne(those) {
            return Ok(Some(param.name()));
        }
    }
    Ok(None)
}
