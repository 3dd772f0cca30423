//! The one door to cached weights: whatever computes with them, or tells what they are, takes them from here, and gets bytes
//! that are those of the pinned digest.
//!
//! The usual run maps a prepared copy that this user made, which looks as it did when it was last read in full; its tensors
//! are held against their sums as they are loaded. In every other case the published file is read and hashed in full.

use std::fs;
use std::path::PathBuf;

use checkpoint::{TensorFile, open_prepared, prepared_path, write_prepared};
use harness::WeightsCheck;
use hrnet::{Graph, Shape};
use registry::{Artifact, Check, Checked, Digest, FetchError, Lock, Variant};

use crate::context::Context;
use crate::{Exit, Failure};

/// Weights out of the cache, and how their digest is known.
pub(crate) struct Opened {
    pub(crate) weights: checkpoint::Weights,
    /// Of the published file.
    pub(crate) sha256: Digest,
    pub(crate) check: WeightsCheck,
}

/// What a prepared copy was found to be.
pub(crate) enum CopyState {
    Missing,
    /// The weights of its source, with this digest of its own.
    Right(Digest),
    Wrong(Failure),
}

/// The weights of a source, fitted to a graph; nothing if they are not in the cache.
pub(crate) fn open(cx: &Context, artifact: &Artifact, graph: &Graph) -> Result<Option<Opened>, Failure> {
    let Some(source) = cx.cache().open(artifact, &cx.lock()?, false)? else {
        return Ok(None);
    };
    let sha256 = source.pin.sha256;
    let copy = Prepared::named(cx, sha256);
    match copy.open(cx, graph) {
        Ok(Some((weights, check))) => {
            return Ok(Some(Opened {
                weights,
                sha256,
                check,
            }));
        }
        Ok(None) => {}
        Err(failure) => cx.out.warn(&format!("{}; it is made anew", failure.message)),
    }
    // What is computed from is read in full, whatever it looks like.
    let Some(source) = in_full(cx, artifact, source)? else {
        return Ok(None);
    };
    let weights = checkpoint::load_open(&source.path, &source.file, graph)?;
    let weights = match copy.make(cx, graph, &weights, &source) {
        Ok(prepared) => prepared,
        Err(failure) => {
            cx.out.detail(&format!(
                "{}; the weights come from {} itself",
                failure.message,
                source.path.display()
            ));
            steady(&source)?;
            weights
        }
    };
    let check = WeightsCheck::Read;
    Ok(Some(Opened {
        weights,
        sha256,
        check,
    }))
}

/// The tensors of a source's published file, all of whose bytes are read and hashed; nothing if it is not in the cache.
pub(crate) fn open_file(cx: &Context, artifact: &Artifact) -> Result<Option<TensorFile>, Failure> {
    let Some(source) = cx.cache().open(artifact, &cx.lock()?, true)? else {
        return Ok(None);
    };
    Ok(Some(checkpoint::read_open(&source.path, &source.file, None)?))
}

/// Holds the prepared copy of a source's weights against the note of its making, or, if there is none or `deep` is asked for,
/// value by value against the source.
pub(crate) fn check_copy(
    cx: &Context,
    variant: &Variant,
    artifact: &Artifact,
    deep: bool,
) -> Result<CopyState, Failure> {
    let lock = cx.lock()?;
    let Some(digest) = digest(cx, artifact, &lock) else {
        return Ok(CopyState::Missing);
    };
    let copy = Prepared::named(cx, digest);
    if fs::symlink_metadata(cx.cache().copy_path(&copy.name)).is_err() {
        return Ok(CopyState::Missing);
    }
    let noted = match cx.cache().open_copy(&copy.name, deep) {
        Err(error) => return Ok(CopyState::Wrong(error.into())),
        Ok(found) => found.map(|found| found.pin.sha256),
    };
    if let Some(sha256) = noted.filter(|_| !deep) {
        return Ok(CopyState::Right(sha256));
    }
    // Without its source a copy is not used, and there is nothing to hold it against but the note.
    let Ok(Some(source)) = cx.cache().open(artifact, &lock, true) else {
        return Ok(noted.map_or(CopyState::Missing, CopyState::Right));
    };
    let graph = variant.spec.graph(Shape::square(1, variant.preprocess.crop))?;
    Ok(match copy.compare(cx, &graph, &source) {
        Ok(sha256) => CopyState::Right(sha256),
        Err(failure) => CopyState::Wrong(failure),
    })
}

/// Where the prepared copy of a source's weights lies, or would.
pub(crate) fn copy_path(cx: &Context, artifact: &Artifact) -> Option<PathBuf> {
    let digest = digest(cx, artifact, &cx.lock().ok()?)?;
    Some(cx.cache().copy_path(&Prepared::named(cx, digest).name))
}

/// Removes the prepared copy of a source's weights and makes it anew; gives its digest.
pub(crate) fn remake_copy(
    cx: &Context,
    variant: &Variant,
    artifact: &Artifact,
) -> Result<CopyState, Failure> {
    let graph = variant.spec.graph(Shape::square(1, variant.preprocess.crop))?;
    if let Some(digest) = digest(cx, artifact, &cx.lock()?) {
        cx.cache().remove_copy(&Prepared::named(cx, digest).name)?;
    }
    open(cx, artifact, &graph)?;
    check_copy(cx, variant, artifact, false)
}

/// What a source's file is, or must be: of a file of this machine that nobody vouches for, what it is now.
fn digest(cx: &Context, artifact: &Artifact, lock: &Lock) -> Option<Digest> {
    let known = cx.cache().content(artifact, lock);
    known.or_else(|| {
        artifact.local.as_ref()?;
        Some(cx.cache().open(artifact, lock, false).ok()??.pin.sha256)
    })
}

/// The same file, all of whose bytes have been read and hashed by this process.
fn in_full(cx: &Context, artifact: &Artifact, file: Checked) -> Result<Option<Checked>, Failure> {
    match file.check {
        Check::Read => Ok(Some(file)),
        Check::Stamp => match cx.cache().open(artifact, &cx.lock()?, true)? {
            Some(again) if again.pin != file.pin => Err(changed(&again)),
            again => Ok(again),
        },
    }
}

fn changed(source: &Checked) -> Failure {
    let what = format!("{} was changed while it was read", source.path.display());
    Failure::new(Exit::Checksum, what).help("`zoo verify --repair` brings back what was downloaded")
}

/// Refuses a file that somebody wrote to while its values were read.
fn steady(source: &Checked) -> Result<(), Failure> {
    match source.still_holds() {
        Ok(true) => Ok(()),
        Ok(false) => Err(changed(source)),
        Err(error) => Err(Failure::file(&source.path, &error)),
    }
}

/// A published file's weights in the form that is mapped, beside it.
struct Prepared {
    name: String,
    /// Of the published file.
    source: String,
}

impl Prepared {
    fn named(cx: &Context, source: Digest) -> Self {
        let digest = source.to_string();
        let path = prepared_path(&cx.cache().path(source), &digest);
        let name = path.file_name().unwrap_or_default();
        Self {
            name: name.to_string_lossy().into_owned(),
            source: digest,
        }
    }

    /// The weights in the copy; nothing if there is none that this user made.
    fn open(
        &self,
        cx: &Context,
        graph: &Graph,
    ) -> Result<Option<(checkpoint::Weights, WeightsCheck)>, Failure> {
        let Some(copy) = cx.cache().open_copy(&self.name, false)? else {
            return Ok(None);
        };
        let check = match copy.check {
            Check::Read => WeightsCheck::Read,
            Check::Stamp => WeightsCheck::StampAndSums,
        };
        // What we made from the source fits its network. If the graph is another's, the source says so.
        let weights = open_prepared(&copy.path, &copy.file, &self.source, graph);
        Ok(weights.ok().map(|weights| (weights, check)))
    }

    /// Writes the copy, in place of what was there, and opens it.
    fn make(
        &self,
        cx: &Context,
        graph: &Graph,
        weights: &checkpoint::Weights,
        source: &Checked,
    ) -> Result<checkpoint::Weights, Failure> {
        let path = cx.cache().copy_path(&self.name);
        let disk = |error: std::io::Error| Failure::file(&path, &error);
        let mut copy = cx.cache().new_copy(&self.name).map_err(disk)?;
        write_prepared(&mut copy, &path, &self.source, graph, weights)?;
        steady(source)?;
        let copy = copy.publish().map_err(disk)?;
        Ok(open_prepared(&path, &copy.file, &self.source, graph)?)
    }

    /// Holds the copy against its source, value by value, and vouches for it if they are the same.
    fn compare(&self, cx: &Context, graph: &Graph, source: &Checked) -> Result<Digest, Failure> {
        let copy = cx.cache().open_strange_copy(&self.name)?;
        let copy = copy.ok_or_else(|| Failure::new(Exit::Missing, format!("{} is gone", self.name)))?;
        let path = &copy.path;
        let wrong = |expected: String, actual: String| {
            Failure::from(FetchError::Mismatch {
                subject: path.display().to_string(),
                said_by: registry::COPY_NOTE,
                expected,
                actual,
            })
        };
        let expected = || format!("the weights of {}", source.path.display());
        let prepared = open_prepared(path, &copy.file, &self.source, graph)
            .map_err(|error| wrong(expected(), error.to_string()))?;
        let weights = checkpoint::load_open(&source.path, &source.file, graph)?;
        match checkpoint::first_difference(graph, &weights, &prepared) {
            Ok(None) => {}
            Ok(Some(tensor)) => return Err(wrong(expected(), format!("others in tensor `{tensor}`"))),
            Err(error) => return Err(wrong(expected(), error.to_string())),
        }
        steady(source)?;
        cx.cache().vouch_for_copy(&self.name, copy.pin.sha256)?;
        Ok(copy.pin.sha256)
    }
}
