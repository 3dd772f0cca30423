//! `.pth` of PyTorch 1.6 and since: a ZIP archive of a pickle and one uncompressed entry a storage.

use std::io::Cursor;

use bytes::Bytes;
use zip::{CompressionMethod, ZipArchive};

use crate::content::{Content, Fault, Member};
use crate::error::shown;
use crate::pickle::Machine;
use crate::pickled::{Source, Storages, Taken};

/// Reads the content of such an archive; elements of tensors stay in the file's map. Parts that are read in full here, such as
/// the pickle, are compared with their checksums.
pub(crate) fn content(file: &Bytes, wanted: Option<&str>) -> Result<Content, Fault> {
    let mut members = members(file)?;
    let pickle = pickle(&members)?;
    let folder = pickle.name[..pickle.name.len() - PICKLE.len()].to_vec();
    pickle.check()?;
    if let Some(order) = members
        .iter()
        .find(|member| member.name == [&folder, b"byteorder".as_slice()].concat())
    {
        order.check()?;
        if order.bytes.as_ref() != b"little" {
            return Err(format!(
                "numbers in {} endian order; little endian is read",
                shown(&order.bytes)
            )
            .into());
        }
    }
    let data = [folder.as_slice(), b"data/"].concat();
    let storages: Storages = members
        .iter()
        .filter_map(|member| {
            Some((
                member.name.strip_prefix(data.as_slice())?.to_vec(),
                member.bytes.clone(),
            ))
        })
        .collect();
    let bytes = pickle.bytes.clone();
    let run = Machine::run(&bytes, 0).map_err(|error| format!("data.pkl: {error}"))?;
    let source = Source {
        bytes: &bytes,
        run: &run,
        storages: &storages,
        file_bytes: file.len(),
    };
    let Taken {
        mut content,
        storages,
    } = source.content(wanted)?;
    for member in &mut members {
        let key = member.name.strip_prefix(data.as_slice());
        member.is_taken = key.is_some_and(|key| storages.contains(key));
    }
    content.members = members;
    Ok(content)
}

/// The pickle's name, within the folder that holds everything.
const PICKLE: &[u8] = b"data.pkl";

/// The pickle in the folder that holds everything.
fn pickle(members: &[Member]) -> Result<&Member, Fault> {
    let mut pickles = members.iter().filter(|member| {
        let folder = member.name.strip_suffix(PICKLE);
        folder.is_some_and(|folder| {
            folder.ends_with(b"/") && folder.iter().filter(|byte| **byte == b'/').count() == 1
        })
    });
    match (pickles.next(), pickles.next()) {
        (Some(pickle), None) => {
            if members
                .iter()
                .any(|member| member.name.ends_with(b"/constants.pkl"))
            {
                return Err("a TorchScript archive, a network with its code; in Python, \
                            `torch.save(torch.jit.load(FILE).state_dict(), …)` makes weights of it"
                    .into());
            }
            Ok(pickle)
        }
        (None, _) => Err(no_pickle(members).into()),
        (Some(_), Some(_)) => Err("a ZIP archive with more than one data.pkl".into()),
    }
}

/// Returns the likely kind of an archive that has no pickle where PyTorch puts it.
fn no_pickle(members: &[Member]) -> String {
    let ends = |end: &[u8]| members.iter().find(|member| member.name.ends_with(end));
    let what = if ends(b"model.weights.h5").is_some() {
        "it is a Keras model, which is not read".to_owned()
    } else if ends(b".npy").is_some() {
        "it is NumPy's .npz, which is not read".to_owned()
    } else if let Some(packed) = [
        b".pth".as_slice(),
        b".pt",
        b".pdparams",
        b".safetensors",
        b".tar",
        b".bin",
    ]
    .into_iter()
    .find_map(ends)
    {
        format!("unpack it, it holds `{}`", shown(&packed.name))
    } else {
        let names: Vec<String> = members
            .iter()
            .take(5)
            .map(|member| format!("`{}`", shown(&member.name)))
            .collect();
        format!(
            "it holds {}",
            if names.is_empty() {
                "nothing".into()
            } else {
                names.join(", ")
            }
        )
    };
    format!("a ZIP archive without a data.pkl, so none of PyTorch's: {what}")
}

/// The archive's files, none of which may overlap another or be told of differently in the directory and before its
/// data; those of PyTorch are not compressed.
fn members(file: &Bytes) -> Result<Vec<Member>, Fault> {
    let damaged = |error: zip::result::ZipError| {
        let reason = shown(error.to_string().as_bytes());
        if has_directory(file) {
            format!("the ZIP archive is damaged: {reason}; fetch it again")
        } else {
            format!(
                "the ZIP archive is cut short: its directory, which is its end, is not in its {} bytes ({reason}); \
                 fetch it again",
                file.len()
            )
        }
    };
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(damaged)?;
    archive.validate_header_consistency().map_err(damaged)?;
    let mut members: Vec<Member> = Vec::new();
    let mut packed = None;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(damaged)?;
        let name = entry.name_raw();
        let at = |reason: &str| format!("ZIP entry `{}`: {reason}", shown(name));
        let stored = !entry.encrypted() && entry.compression() == CompressionMethod::Stored;
        let range = entry.data_start().and_then(|start| {
            let start = usize::try_from(start).ok()?;
            let end = start.checked_add(usize::try_from(entry.compressed_size()).ok()?)?;
            ((entry.size() == entry.compressed_size() || !stored) && end <= file.len()).then_some(start..end)
        });
        let range = range.ok_or_else(|| at("its sizes disagree, or reach beyond the file"))?;
        if !stored {
            packed.get_or_insert_with(|| {
                at("compressed or encrypted, which PyTorch does not write; unpack the archive and pack it with `zip -0`")
            });
        }
        members.push(Member {
            name: name.to_vec(),
            bytes: file.slice(range),
            crc: entry.crc32(),
            is_taken: false,
        });
    }
    members.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(packed) = packed {
        // What it is matters more than how it is packed, where it is none of PyTorch's.
        pickle(&members)?;
        return Err(packed.into());
    }
    without_checksums(&mut members);
    Ok(members)
}

/// Returns true if the file has `PK\5\6`, the end of a ZIP archive's directory.
fn has_directory(file: &[u8]) -> bool {
    file.windows(4)
        .rev()
        .take(1 << 17)
        .any(|window| window == b"PK\x05\x06")
}

/// PyTorch can be told to note no checksums, and writes zeros: such an archive has none to hold its bytes against.
fn without_checksums(members: &mut Vec<Member>) {
    if members.iter().all(|member| member.crc == 0) {
        for member in members {
            member.crc = crc32fast::hash(&member.bytes);
        }
    }
}
