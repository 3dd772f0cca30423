//! Weights kept ready: canonical names, f32, safetensors, beside the file they come from.

use std::path::{Path, PathBuf};

use files::Whole;
use hrnet::Graph;

use crate::write::{LAYOUT_VERSION, SOURCE, VERSION, write_into};
use crate::{CheckpointError, Dtype, Layout, Naming, Weights, load, read};

/// How much of a digest is in a name; the whole of it is noted in the file.
const SHOWN_DIGEST: usize = 16;

/// Where the prepared weights of a source file with this digest are: beside it, under a name of the digest and the
/// layout's version. What is before a colon in the digest tells its kind, and is left out.
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

/// The weights in a source file, mapped from its prepared file, which is written when there is none that fits.
///
/// `digest` tells the source's content, which is not looked at when the prepared file is there; without one nothing
/// is prepared, as with [`load`]. A prepared file that is damaged, of another source or not of this network is
/// written anew. Where the folder cannot be written to, the weights come from the source every time.
///
/// # Errors
/// If there is no prepared file and the source has no weights of this network; see [`load`].
pub fn load_prepared(source: &Path, digest: Option<&str>, graph: &Graph) -> Result<Weights, CheckpointError> {
    let Some(digest) = digest else {
        return load(source, graph);
    };
    let path = prepared_path(source, digest);
    if let Some(weights) = open(&path, digest, graph) {
        return Ok(weights);
    }
    let weights = load(source, graph)?;
    let layout = Layout::new(Naming::Timm).with_source(digest);
    // Its folder is the cache's: a link that somebody planted there is replaced, not followed.
    let prepared = write_into(Whole::create(&path), &path, graph, &weights, &layout)
        .ok()
        .and_then(|()| open(&path, digest, graph));
    Ok(prepared.unwrap_or(weights))
}

/// The weights in a prepared file, or `None` if it is not what it should be.
fn open(path: &Path, digest: &str, graph: &Graph) -> Option<Weights> {
    let file = read(path).ok()?;
    let note = |name: &str| file.notes.get(name).map(String::as_str);
    let is_ours = note(SOURCE) == Some(digest) && note(VERSION) == Some(&LAYOUT_VERSION.to_string());
    let is_f32 = file.tensors.values().all(|tensor| tensor.dtype == Dtype::F32);
    if !is_ours || !is_f32 || file.naming().ok()? != Naming::Timm {
        return None;
    }
    file.bind(graph).ok()
}
