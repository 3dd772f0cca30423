//! Hugging Face's safetensors: a header and raw data, which stays in the file's map.

use std::collections::BTreeMap;

use bytes::Bytes;
use safetensors::{Dtype as Stored, SafeTensorError, SafeTensors};

use crate::content::{Content, Fault, Tensors};
use crate::error::shown;
use crate::sets::{self, Group};
use crate::{Dtype, Tensor};

/// Reads the content of a safetensors file: of several networks side by side the one that is asked for, or the likeliest.
pub(crate) fn content(file: &Bytes, wanted: Option<&str>) -> Result<Content, Fault> {
    let (length, header) = SafeTensors::read_metadata(file).map_err(|error| unreadable(file, &error))?;
    // The header's own length is in the first eight bytes; that the data fits the file has been checked.
    let data = file.slice(8 + length..);
    let (mut tensors, mut unread) = (Tensors::new(), BTreeMap::new());
    for (name, info) in header.tensors() {
        let (start, end) = info.data_offsets;
        let tensor = dtype(info.dtype)
            .and_then(|dtype| Tensor::from_bytes(dtype, info.shape.clone(), data.slice(start..end)));
        match tensor {
            Ok(tensor) => drop(tensors.insert(name, tensor)),
            Err(reason) => drop(unread.insert(name, reason)),
        }
    }
    if let (true, Some((name, reason))) = (tensors.is_empty(), unread.first_key_value()) {
        return Err(format!("tensor `{}`: {reason}", shown(name.as_bytes())).into());
    }
    let notes = header.metadata().iter().flatten();
    let mut content = Content {
        notes: notes.map(|(name, note)| (name.clone(), note.clone())).collect(),
        ..Content::default()
    };
    let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
    let own = Group {
        path: Vec::new(),
        source: 0,
        names: &names,
    };
    let choice = sets::choose(&[own], wanted).map_err(|unfound| Fault::Set {
        wanted: wanted.unwrap_or_default().to_owned(),
        known: unfound.known,
    })?;
    if let Some(choice) = choice {
        tensors.retain(|name, _| choice.part.has(name));
        unread.retain(|name, _| choice.part.has(name));
        content.set = choice.key;
        content.other_sets = choice.others;
    }
    Ok(Content {
        tensors,
        unread,
        ..content
    })
}

/// Returns the reason for which a file that begins as safetensors cannot be read: most often it was not downloaded to its end.
fn unreadable(file: &[u8], error: &SafeTensorError) -> String {
    let advice = match error {
        SafeTensorError::InvalidHeaderLength | SafeTensorError::MetadataIncompleteBuffer => {
            format!(
                "; it has {} bytes and seems cut short: fetch it again",
                file.len()
            )
        }
        _ => String::new(),
    };
    format!(
        "not a safetensors file: {}{advice}",
        shown(error.to_string().as_bytes())
    )
}

fn dtype(stored: Stored) -> Result<Dtype, String> {
    Ok(match stored {
        Stored::F64 => Dtype::F64,
        Stored::F32 => Dtype::F32,
        Stored::F16 => Dtype::F16,
        Stored::BF16 => Dtype::Bf16,
        Stored::I64 => Dtype::I64,
        Stored::I32 => Dtype::I32,
        Stored::I16 => Dtype::I16,
        Stored::I8 => Dtype::I8,
        Stored::U8 => Dtype::U8,
        Stored::BOOL => Dtype::Bool,
        other => {
            return Err(format!(
                "dtype {other:?}; f64, f32, f16, bf16, signed integers, u8 and bool are read"
            ));
        }
    })
}
