use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use kernels::FileMap;

use crate::content::{Content, Fault, Member};
use crate::{CheckpointError, Format, Tensor, pdparams, safetensors, torch};

/// What a weight file holds: one set of named tensors, the file's own dictionary or one of those within it.
#[derive(Clone, Debug)]
pub struct TensorFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// The format it was read from.
    pub format: Format,
    /// The tensors by their names in the file.
    pub tensors: BTreeMap<String, Tensor>,
    /// What a safetensors file notes beside them.
    pub notes: BTreeMap<String, String>,
    /// Which set of tensors was taken, as [`read_set`] calls it; `None` where the file holds but one, by itself.
    pub set: Option<String>,
    /// Other sets that might be meant, such as an average of the weights.
    pub other_sets: Vec<String>,
    /// Names in the set whose values cannot be read, and why; they matter only where a network needs them.
    pub unread: BTreeMap<String, String>,
    /// Classes and functions that the file refers to and that are not known, each as `module.name`. Nothing of them was
    /// executed.
    pub unknown: Vec<String>,
    members: Vec<Member>,
}

/// The tensors of a file, which is mapped: values are fetched from disk as they are asked for. Of several sets of
/// tensors the likeliest is taken.
///
/// # Errors
/// If the file cannot be read, has no known format, is damaged or holds no tensors.
pub fn read(path: &Path) -> Result<TensorFile, CheckpointError> {
    read_set(path, None)
}

/// The tensors of a file as [`read`] gives them; `set` names one of several sets, such as `state_dict_ema`. Keys within
/// others are behind a slash or a dot, and `.` is the file's own dictionary.
///
/// # Errors
/// As [`read`], and if there is no such set.
pub fn read_set(path: &Path, set: Option<&str>) -> Result<TensorFile, CheckpointError> {
    of_map(path, FileMap::open(path), set)
}

/// The tensors of an open file, as by [`read_set`]; `path` is what errors call it.
///
/// # Errors
/// As those of [`read_set`].
pub fn read_open(path: &Path, file: &File, set: Option<&str>) -> Result<TensorFile, CheckpointError> {
    of_map(path, FileMap::of(path, file), set)
}

fn of_map(path: &Path, map: io::Result<FileMap>, set: Option<&str>) -> Result<TensorFile, CheckpointError> {
    let map = map.map_err(|source| CheckpointError::Io {
        path: path.to_owned(),
        source,
    })?;
    parse_set(path, Bytes::from_owner(map), set)
}

/// The tensors in the bytes of a file; `path` is what errors call it.
///
/// # Errors
/// If the bytes have no known format, are damaged or hold no tensors.
pub fn parse(path: &Path, bytes: Bytes) -> Result<TensorFile, CheckpointError> {
    parse_set(path, bytes, None)
}

/// The tensors of a set in the bytes of a file, see [`read_set`]; `path` is what errors call it.
///
/// # Errors
/// As [`parse`], and if there is no such set.
pub fn parse_set(path: &Path, bytes: Bytes, set: Option<&str>) -> Result<TensorFile, CheckpointError> {
    let format = Format::detect(&bytes).map_err(|found| CheckpointError::Format {
        path: path.to_owned(),
        found,
    })?;
    let content = match format {
        Format::Pdparams => pdparams::content(&bytes, set),
        Format::Pth => torch::archive::content(&bytes, set),
        Format::PthLegacy => torch::legacy::content(&bytes, set),
        Format::Safetensors => safetensors::content(&bytes, set),
    };
    let Content {
        tensors,
        notes,
        unread,
        unknown,
        set,
        other_sets,
        members,
    } = content.map_err(|fault| error(path, fault))?;
    Ok(TensorFile {
        path: path.to_owned(),
        format,
        tensors,
        notes,
        set,
        other_sets,
        unread,
        unknown,
        members,
    })
}

fn error(path: &Path, fault: Fault) -> CheckpointError {
    let path = path.to_owned();
    match fault {
        Fault::Content(reason) => CheckpointError::Content { path, reason },
        Fault::Checksum(reason) => CheckpointError::Checksum { path, reason },
        Fault::Set { wanted, known } => CheckpointError::Set { path, wanted, known },
    }
}

impl TensorFile {
    /// How many parts of the file have a checksum: those of a ZIP archive.
    pub fn checksums(&self) -> usize {
        self.members.len()
    }

    /// Holds every part of the file that has a checksum against it, which is to read all of the file.
    ///
    /// # Errors
    /// If one has other bytes than were written.
    pub fn check_all(&self) -> Result<(), CheckpointError> {
        self.check(|_| true)
    }

    /// Holds the parts of the file that the set's tensors are in against their checksums.
    pub(crate) fn check_taken(&self) -> Result<(), CheckpointError> {
        self.check(|member| member.is_taken)
    }

    fn check(&self, which: impl Fn(&Member) -> bool) -> Result<(), CheckpointError> {
        let mut members = self.members.iter().filter(|member| which(member));
        members
            .try_for_each(Member::check)
            .map_err(|fault| error(&self.path, fault))
    }
}
