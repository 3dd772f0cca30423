//! The one door to cached weights: code that computes with them, or reports on them, takes them from here and gets bytes of the
//! pinned digest.
//!
//! The usual run maps a prepared copy that this user made, which looks as it did when it was last read in full; each tensor is
//! compared with its checksum as it is loaded. In every other case the published file is read and hashed in full.

use std::fs;
use std::path::{Path, PathBuf};

use checkpoint::{TensorFile, open_prepared, prepared_path, write_prepared};
use hrnet::Graph;
use registry::{Artifact, Cache, Check, Checked, Digest, FetchError, Lock, Variant, Zoo};

use crate::Error;

/// A cache under the lock that is in force for it: opens weights whose bytes are those that were pinned.
#[derive(Debug)]
pub struct Door<'a> {
    cache: &'a Cache,
    lock: Lock,
    /// The manifest that files are opened for; `None` for the built-in one.
    manifest: Option<(&'a Path, &'a Zoo)>,
}

/// Weights out of the cache, and how their digest is known.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The weights, fitted to the graph.
    pub weights: checkpoint::Weights,
    /// SHA-256 of the published file.
    pub sha256: Digest,
    /// The way in which the digest is known. By its stamp only a prepared copy is: each of its tensors is also compared with its checksum.
    pub check: Check,
    /// Notes on it for the user.
    pub notices: Vec<Notice>,
}

/// A prepared copy that could not be used, or not be made: the weights are the right ones all the same.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// The copy was wrong for this reason, and is made again.
    Remade(Error),
    /// The cache could not note that the manifest uses the file: `zoo cache prune` for another manifest may remove it.
    NotNoted(Error),
    /// No copy could be made: the published file, at this path, is read in full each time.
    NotMade {
        /// The published file.
        path: PathBuf,
        /// Why the copy could not be made.
        error: Error,
    },
}

/// The state of a prepared copy.
#[derive(Debug)]
pub enum CopyState {
    /// There is no copy.
    Missing,
    /// The copy holds the weights of its source. The digest is its own.
    Right(Digest),
    /// The copy is not to be used, for this reason.
    Wrong(Error),
}

impl<'a> Door<'a> {
    /// Returns the door to a cache; `lock` is the one in force, see [`Lock::in_force`].
    pub fn new(cache: &'a Cache, lock: Lock) -> Self {
        Self {
            cache,
            lock,
            manifest: None,
        }
    }

    /// Notes in the cache that this manifest uses each file that is opened, so that `zoo cache prune` keeps it.
    #[must_use]
    pub fn for_manifest(self, path: &'a Path, zoo: &'a Zoo) -> Self {
        Self {
            manifest: Some((path, zoo)),
            ..self
        }
    }

    /// Returns the variant's weight source of this id; without an id the first one that is in the cache, else the first, if there is any.
    ///
    /// # Errors
    /// If the variant has sources, and none of this id.
    pub fn pick<'v>(&self, variant: &'v Variant, id: Option<&str>) -> Result<Option<&'v Artifact>, Error> {
        let artifacts = &variant.artifacts;
        let is_cached = |artifact: &&Artifact| self.cache.find(artifact, &self.lock).is_some();
        let Some(id) = id.filter(|_| !artifacts.is_empty()) else {
            return Ok(artifacts.iter().find(is_cached).or(artifacts.first()));
        };
        let found = variant.artifact(id).ok_or_else(|| Error::Source {
            variant: variant.name.clone(),
            id: id.to_owned(),
            known: artifacts.iter().map(|artifact| artifact.id.clone()).collect(),
        })?;
        Ok(Some(found))
    }

    /// Opens the weights of a source, fitted to a graph; `None` if they are not in the cache.
    ///
    /// # Errors
    /// If the bytes are not those that were pinned, the tensors are not those of the graph, or a file cannot be read.
    pub fn open(&self, artifact: &Artifact, graph: &Graph) -> Result<Option<Opened>, Error> {
        let mut opened = self.open_weights(artifact, graph)?;
        if let (Some(opened), Some((manifest, zoo))) = (&mut opened, self.manifest) {
            let used = Some((artifact, opened.sha256));
            let noted = self.cache.remember(manifest, zoo, &self.lock, used);
            let failed = noted.map_err(Error::io(self.cache.root())).err();
            opened.notices.extend(failed.map(Notice::NotNoted));
        }
        Ok(opened)
    }

    fn open_weights(&self, artifact: &Artifact, graph: &Graph) -> Result<Option<Opened>, Error> {
        let Some(source) = self.cache.open(artifact, &self.lock, false)? else {
            return Ok(None);
        };
        let sha256 = source.pin.sha256;
        let copy = Prepared::named(self.cache, sha256);
        let mut notices = Vec::new();
        match copy.open(graph) {
            Ok(Some((weights, check))) => {
                return Ok(Some(Opened {
                    weights,
                    sha256,
                    check,
                    notices,
                }));
            }
            Ok(None) => {}
            Err(error) => notices.push(Notice::Remade(error)),
        }
        // What is computed from is read in full, whatever it looks like.
        let Some(source) = self.in_full(artifact, source)? else {
            return Ok(None);
        };
        let weights = checkpoint::load_open(&source.path, &source.file, graph)?;
        let weights = match copy.make(graph, &weights, &source) {
            Ok(prepared) => prepared,
            Err(error) => {
                let path = source.path.clone();
                notices.push(Notice::NotMade { path, error });
                steady(&source)?;
                weights
            }
        };
        Ok(Some(Opened {
            weights,
            sha256,
            check: Check::Read,
            notices,
        }))
    }

    /// Reads the tensors of a source's published file, all of whose bytes are read and hashed; `None` if it is not in the cache.
    ///
    /// # Errors
    /// If the bytes are not those that were pinned, or hold no tensors.
    pub fn open_file(&self, artifact: &Artifact) -> Result<Option<TensorFile>, Error> {
        let Some(source) = self.cache.open(artifact, &self.lock, true)? else {
            return Ok(None);
        };
        Ok(Some(checkpoint::read_open(&source.path, &source.file, None)?))
    }

    /// Compares the prepared copy of a source's weights with the note of its making; with `deep`, or if there is no note, value by
    /// value with the source.
    ///
    /// # Errors
    /// If the variant's graph or the copy's note cannot be made or read; a wrong copy is a [`CopyState`].
    pub fn check_copy(&self, variant: &Variant, artifact: &Artifact, deep: bool) -> Result<CopyState, Error> {
        let Some(digest) = self.digest(artifact) else {
            return Ok(CopyState::Missing);
        };
        let copy = Prepared::named(self.cache, digest);
        if fs::symlink_metadata(self.cache.copy_path(&copy.name)).is_err() {
            return Ok(CopyState::Missing);
        }
        let noted = match self.cache.open_copy(&copy.name, deep) {
            Err(error) => return Ok(CopyState::Wrong(error.into())),
            Ok(found) => found.map(|found| found.pin.sha256),
        };
        if let Some(sha256) = noted.filter(|_| !deep) {
            return Ok(CopyState::Right(sha256));
        }
        // Without its source a copy is not used, and there is nothing to compare it with but the note.
        let Ok(Some(source)) = self.cache.open(artifact, &self.lock, true) else {
            return Ok(noted.map_or(CopyState::Missing, CopyState::Right));
        };
        let graph = graph_of(variant)?;
        Ok(match copy.compare(&graph, &source) {
            Ok(sha256) => CopyState::Right(sha256),
            Err(error) => CopyState::Wrong(error),
        })
    }

    /// Returns the path of the prepared copy of a source's weights, whether it is there or not; `None` if the source's digest is not known.
    pub fn copy_path(&self, artifact: &Artifact) -> Option<PathBuf> {
        let digest = self.digest(artifact)?;
        Some(self.cache.copy_path(&Prepared::named(self.cache, digest).name))
    }

    /// Removes the prepared copy of a source's weights, makes it again and checks it.
    ///
    /// # Errors
    /// If the copy cannot be removed, or the source not be opened.
    pub fn remake_copy(&self, variant: &Variant, artifact: &Artifact) -> Result<CopyState, Error> {
        if let Some(digest) = self.digest(artifact) {
            self.cache
                .remove_copy(&Prepared::named(self.cache, digest).name)?;
        }
        self.open(artifact, &graph_of(variant)?)?;
        self.check_copy(variant, artifact, false)
    }

    /// The digest that a source's file has or must have: of a file of this machine that nobody vouches for, the one it has now.
    fn digest(&self, artifact: &Artifact) -> Option<Digest> {
        let known = self.cache.content(artifact, &self.lock);
        known.or_else(|| {
            artifact.local.as_ref()?;
            Some(self.cache.open(artifact, &self.lock, false).ok()??.pin.sha256)
        })
    }

    /// The same file, all of whose bytes have been read and hashed by this process.
    fn in_full(&self, artifact: &Artifact, file: Checked) -> Result<Option<Checked>, Error> {
        match file.check {
            Check::Read => Ok(Some(file)),
            Check::Stamp => match self.cache.open(artifact, &self.lock, true)? {
                Some(again) if again.pin != file.pin => Err(Error::Changed { path: again.path }),
                again => Ok(again),
            },
        }
    }
}

/// The network of a variant on one image, whose parameters its weights are.
fn graph_of(variant: &Variant) -> Result<Graph, Error> {
    Ok(variant.spec.graph(variant.input())?)
}

/// Refuses a file that somebody wrote to while its values were read.
fn steady(source: &Checked) -> Result<(), Error> {
    let path = || source.path.clone();
    match source.still_holds().map_err(Error::io(path()))? {
        true => Ok(()),
        false => Err(Error::Changed { path: path() }),
    }
}

/// A published file's weights in the form that is mapped, beside it.
struct Prepared<'a> {
    cache: &'a Cache,
    name: String,
    /// Of the published file.
    source: String,
}

impl<'a> Prepared<'a> {
    fn named(cache: &'a Cache, source: Digest) -> Self {
        let digest = source.to_string();
        let path = prepared_path(&cache.path(source), &digest);
        let name = path.file_name().unwrap_or_default();
        Self {
            cache,
            name: name.to_string_lossy().into_owned(),
            source: digest,
        }
    }

    /// The weights in the copy; `None` if there is none that this user made.
    fn open(&self, graph: &Graph) -> Result<Option<(checkpoint::Weights, Check)>, Error> {
        let Some(copy) = self.cache.open_copy(&self.name, false)? else {
            return Ok(None);
        };
        // What we made from the source fits its network. If the graph is another's, the source says so.
        let weights = open_prepared(&copy.path, &copy.file, &self.source, graph);
        Ok(weights.ok().map(|weights| (weights, copy.check)))
    }

    /// Writes the copy, in place of what was there, and opens it.
    fn make(
        &self,
        graph: &Graph,
        weights: &checkpoint::Weights,
        source: &Checked,
    ) -> Result<checkpoint::Weights, Error> {
        let path = self.cache.copy_path(&self.name);
        let mut copy = self.cache.new_copy(&self.name).map_err(Error::io(&path))?;
        write_prepared(&mut copy, &path, &self.source, graph, weights)?;
        steady(source)?;
        let copy = copy.publish().map_err(Error::io(&path))?;
        Ok(open_prepared(&path, &copy.file, &self.source, graph)?)
    }

    /// Compares the copy with its source, value by value, and vouches for it if they are the same.
    fn compare(&self, graph: &Graph, source: &Checked) -> Result<Digest, Error> {
        let copy = self.cache.open_strange_copy(&self.name)?;
        let copy = copy.ok_or_else(|| Error::Gone {
            path: self.cache.copy_path(&self.name),
        })?;
        let path = &copy.path;
        let wrong = |actual: String| {
            Error::from(FetchError::Mismatch {
                subject: path.display().to_string(),
                said_by: registry::COPY_NOTE,
                expected: format!("the weights of {}", source.path.display()),
                actual,
            })
        };
        let prepared =
            open_prepared(path, &copy.file, &self.source, graph).map_err(|error| wrong(error.to_string()))?;
        let weights = checkpoint::load_open(&source.path, &source.file, graph)?;
        match checkpoint::first_difference(graph, &weights, &prepared) {
            Ok(None) => {}
            Ok(Some(tensor)) => return Err(wrong(format!("others in tensor `{tensor}`"))),
            Err(error) => return Err(wrong(error.to_string())),
        }
        steady(source)?;
        self.cache.vouch_for_copy(&self.name, copy.pin.sha256)?;
        Ok(copy.pin.sha256)
    }
}
