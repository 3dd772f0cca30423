//! `.pth` of PyTorch 1.6 and since: a ZIP archive of a pickle and one uncompressed entry a storage.

use std::collections::BTreeMap;
use std::io::Cursor;

use bytes::Bytes;
use zip::{CompressionMethod, ZipArchive};

use super::{Storages, state_dict};
use crate::error::shown;
use crate::file::Tensors;
use crate::pickle::Machine;

/// The tensors of such an archive; their elements stay in the file's map.
pub(crate) fn tensors(file: &Bytes) -> Result<Tensors, String> {
    let entries = entries(file)?;
    let (folder, pickle) = pickle(&entries)?;
    if let Some(order) = entries.get([folder, b"byteorder"].concat().as_slice())
        && order.as_ref() != b"little"
    {
        return Err(format!(
            "numbers in {} endian order; little endian is read",
            shown(order)
        ));
    }
    let data = [folder, b"data/"].concat();
    let storages: Storages = entries
        .iter()
        .filter_map(|(name, bytes)| Some((name.strip_prefix(data.as_slice())?.to_vec(), bytes.clone())))
        .collect();
    let run = Machine::run(pickle, 0).map_err(|error| format!("data.pkl: {error}"))?;
    state_dict(file.len(), &run, &storages)
}

/// The folder that holds everything, with its slash, and the pickle in it.
fn pickle(entries: &BTreeMap<Vec<u8>, Bytes>) -> Result<(&[u8], &Bytes), String> {
    let mut pickles = entries.iter().filter_map(|(name, bytes)| {
        let folder = name.strip_suffix(b"data.pkl")?;
        (folder.iter().filter(|byte| **byte == b'/').count() == 1 && folder.ends_with(b"/"))
            .then_some((folder, bytes))
    });
    match (pickles.next(), pickles.next()) {
        (Some(pickle), None) => Ok(pickle),
        (None, _) => Err("a ZIP archive without a data.pkl, so none of PyTorch's".into()),
        (Some(_), Some(_)) => Err("a ZIP archive with more than one data.pkl".into()),
    }
}

/// The archive's files by name, none of which may be compressed, overlap another or be told of differently in the
/// directory and before its data.
fn entries(file: &Bytes) -> Result<BTreeMap<Vec<u8>, Bytes>, String> {
    let damaged = |error: zip::result::ZipError| {
        format!(
            "the ZIP archive is damaged: {}",
            shown(error.to_string().as_bytes())
        )
    };
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(damaged)?;
    archive.validate_header_consistency().map_err(damaged)?;
    let mut entries = BTreeMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(damaged)?;
        let name = entry.name_raw();
        let at = |reason: &str| format!("ZIP entry `{}`: {reason}", shown(name));
        if entry.encrypted() || entry.compression() != CompressionMethod::Stored {
            return Err(at("compressed or encrypted, which PyTorch does not write"));
        }
        let range = entry.data_start().and_then(|start| {
            let start = usize::try_from(start).ok()?;
            let end = start.checked_add(usize::try_from(entry.size()).ok()?)?;
            (entry.size() == entry.compressed_size() && end <= file.len()).then_some(start..end)
        });
        let range = range.ok_or_else(|| at("its sizes disagree, or reach beyond the file"))?;
        entries.insert(name.to_vec(), file.slice(range));
    }
    Ok(entries)
}
