use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use kernels::FileMap;

use crate::content::{Content, Fault, Member};
use crate::{CheckpointError, Format, Tensor, pdparams, safetensors, torch};

/// The content of a weight file: one set of named tensors, the file's own dictionary or one of those within it.
#[derive(Clone, Debug)]
pub struct TensorFile {
    /// The path that it was read from.
    pub path: PathBuf,
    /// The format it was read from.
    pub format: Format,
    /// The tensors by their names in the file.
    pub tensors: BTreeMap<String, Tensor>,
    /// The metadata of a safetensors file beside them.
    pub notes: BTreeMap<String, String>,
    /// The set of tensors that was taken, as [`read_set`] names it; `None` if the file holds only one, by itself.
    pub set: Option<String>,
    /// Other sets that might be meant, such as an average of the weights.
    pub other_sets: Vec<String>,
    /// Names in the set whose values cannot be read, and why; they matter only where a network needs them.
    pub unread: BTreeMap<String, String>,
    /// Unknown classes and functions that the file refers to, each as `module.name`. None was executed.
    pub unknown: Vec<String>,
    members: Vec<Member>,
}

/// Reads the tensors of a file. It is mapped: values are read from disk when they are asked for. Of several sets of tensors the
/// likeliest is taken.
///
/// # Errors
/// If the file cannot be read, has no known format, is damaged or holds no tensors.
pub fn read(path: &Path) -> Result<TensorFile, CheckpointError> {
    read_set(path, None)
}

/// Reads the tensors of a file as [`read`] does; `set` names one of several sets, such as `state_dict_ema`. Keys within
/// others are behind a slash or a dot, and `.` is the file's own dictionary.
///
/// # Errors
/// As [`read`], and if there is no such set.
pub fn read_set(path: &Path, set: Option<&str>) -> Result<TensorFile, CheckpointError> {
    of_map(path, FileMap::open(path), set)
}

/// Reads the tensors of an open file, as [`read_set`] does; errors name it by `path`.
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

/// Reads the tensors in the bytes of a file; errors name it by `path`.
///
/// # Errors
/// If the bytes have no known format, are damaged or hold no tensors.
pub fn parse(path: &Path, bytes: Bytes) -> Result<TensorFile, CheckpointError> {
    parse_set(path, bytes, None)
}

/// Reads the tensors of a set in the bytes of a file, see [`read_set`]; errors name it by `path`.
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
    /// Returns the number of parts of the file that have a checksum: those of a ZIP archive.
    pub fn checksums(&self) -> usize {
        self.members.len()
    }

    /// Compares every part of the file that has a checksum with it, which reads the whole file.
    ///
    /// # Errors
    /// If one has other bytes than were written.
    pub fn check_all(&self) -> Result<(), CheckpointError> {
        self.check(|_| true)
    }

    /// Compares the parts of the file that hold the set's tensors with their checksums.
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
