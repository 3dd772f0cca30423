use std::collections::BTreeMap;
use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;

use files::Whole;
use hrnet::{Graph, Param, ParamKind, WeightSource};
use serde_json::{Value, json};

use crate::tensor::transposed;
use crate::{CheckpointError, Dtype, Naming};

/// The layout of a network's weights in a file.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    naming: Naming,
    head_biases: bool,
    source: Option<&'a str>,
}

/// The note of the digest of the file that weights come from.
pub(crate) const SOURCE: &str = "hrnet-zoo.source";
/// The note of the layout's version.
pub(crate) const VERSION: &str = "hrnet-zoo.version";
/// The note of the CRC-32 of each tensor's bytes, eight hexadecimal digits each, in the order of the tensors' names.
pub(crate) const CHECKSUMS: &str = "hrnet-zoo.crc32";
/// The version of the written form; a change of meaning raises it.
pub(crate) const LAYOUT_VERSION: u32 = 1;

impl<'a> Layout<'a> {
    /// Returns the layout with a scheme's names; linear weights are `[in, out]` if the scheme has them so.
    pub const fn new(naming: Naming) -> Self {
        Self {
            naming,
            head_biases: false,
            source: None,
        }
    }

    /// Adds biases of zero on the head's convolutions, which timm's networks need, except those named `_ssld`.
    #[must_use]
    pub const fn with_head_biases(self) -> Self {
        Self {
            head_biases: true,
            ..self
        }
    }

    /// Adds a note of the digest of the file that the weights come from.
    #[must_use]
    pub const fn with_source(self, digest: &'a str) -> Self {
        Self {
            source: Some(digest),
            ..self
        }
    }

    fn notes(&self, sums: Option<&Sums<'_>>) -> Value {
        let mut notes = BTreeMap::from([(VERSION, LAYOUT_VERSION.to_string())]);
        // Readers of PyTorch's files look for this note.
        if !self.naming.transposes_linear() {
            notes.insert("format", "pt".into());
        }
        if let Some(digest) = self.source {
            notes.insert(SOURCE, digest.to_owned());
        }
        if let Some(sums) = sums {
            notes.insert(CHECKSUMS, sums.values().map(|sum| format!("{sum:08x}")).collect());
        }
        json!(notes)
    }
}

/// A tensor of the file to be.
struct Entry {
    name: String,
    shape: Vec<usize>,
    content: Content,
}

enum Content {
    Param(Param),
    /// As many zeros as the shape has.
    Zeros,
}

/// Writes a network's weights as f32 safetensors; the file appears whole or not at all, in place of what was there.
///
/// The same weights make the same bytes. Values are written one tensor at a time.
///
/// # Errors
/// If the source lacks a parameter of the graph, or the file cannot be written.
pub fn write_safetensors(
    path: &Path,
    graph: &Graph,
    weights: &dyn WeightSource,
    layout: &Layout<'_>,
) -> Result<(), CheckpointError> {
    let io = |source| CheckpointError::Io {
        path: path.to_owned(),
        source,
    };
    let entries = all_entries(graph, layout);
    let mut out = BufWriter::new(Whole::output(path).map_err(io)?);
    out.write_all(&header(&entries, layout, None)).map_err(io)?;
    write_tensors(&mut out, path, &entries, weights, layout)?;
    let file = out.into_inner().map_err(|error| io(error.into_error()))?;
    file.publish().map_err(io)
}

/// Writes a network's weights as f32 safetensors whose header notes the CRC-32 of each tensor; errors name the file by `path`.
/// The same weights make the same bytes.
///
/// # Errors
/// As those of [`write_safetensors`].
pub(crate) fn write_summed(
    out: &mut (impl Write + Seek),
    path: &Path,
    graph: &Graph,
    weights: &dyn WeightSource,
    layout: &Layout<'_>,
) -> Result<(), CheckpointError> {
    let io = |source| CheckpointError::Io {
        path: path.to_owned(),
        source,
    };
    let entries = all_entries(graph, layout);
    let mut out = BufWriter::new(out);
    // The sums are known once the values have been written, and take as much room as what stands for them.
    let sums = BTreeMap::from_iter(entries.iter().map(|entry| (entry.name.as_str(), 0)));
    out.write_all(&header(&entries, layout, Some(&sums)))
        .map_err(io)?;
    let sums = write_tensors(&mut out, path, &entries, weights, layout)?;
    out.rewind().map_err(io)?;
    out.write_all(&header(&entries, layout, Some(&sums)))
        .map_err(io)?;
    out.flush().map_err(io)
}

/// The CRC-32 of tensors by their names in the file.
type Sums<'a> = BTreeMap<&'a str, u32>;

/// Writes the values behind the header, and returns the CRC-32 of each tensor.
fn write_tensors<'e>(
    out: &mut impl Write,
    path: &Path,
    entries: &'e [Entry],
    weights: &dyn WeightSource,
    layout: &Layout<'_>,
) -> Result<Sums<'e>, CheckpointError> {
    let mut sums = Sums::new();
    for entry in entries {
        let sum = match &entry.content {
            Content::Zeros => write_values(out, &vec![0.0; entry.shape.iter().product()]),
            Content::Param(param) => {
                let values = weights.load(param).map_err(|source| CheckpointError::Source {
                    path: path.to_owned(),
                    source,
                })?;
                if layout.transposes(param.kind) {
                    write_values(out, &transposed(&values, param.shape[1]))
                } else {
                    write_values(out, &values)
                }
            }
        };
        let sum = sum.map_err(|source| CheckpointError::Io {
            path: path.to_owned(),
            source,
        })?;
        sums.insert(&entry.name, sum);
    }
    Ok(sums)
}

fn all_entries(graph: &Graph, layout: &Layout<'_>) -> Vec<Entry> {
    graph.params().flat_map(|param| entries(param, layout)).collect()
}

impl Layout<'_> {
    fn transposes(&self, kind: ParamKind) -> bool {
        kind == ParamKind::LinearWeight && self.naming.transposes_linear()
    }
}

/// The tensors that a parameter becomes: itself, and behind a head convolution's weight the bias asked for.
fn entries(param: Param, layout: &Layout<'_>) -> impl Iterator<Item = Entry> {
    let mut shape = param.shape.clone();
    if layout.transposes(param.kind) {
        shape.reverse();
    }
    let has_bias = layout.head_biases && param.kind == ParamKind::ConvWeight;
    let bias = has_bias.then(|| layout.naming.head_bias(&param.place)).flatten();
    let bias = bias.map(|name| Entry {
        name,
        shape: shape[..1].to_vec(),
        content: Content::Zeros,
    });
    let entry = Entry {
        name: layout.naming.name_of(&param.place, param.kind),
        shape,
        content: Content::Param(param),
    };
    [Some(entry), bias].into_iter().flatten()
}

/// The header with its length before it, filled up so that the data begins at a multiple of eight bytes.
fn header(entries: &[Entry], layout: &Layout<'_>, sums: Option<&Sums<'_>>) -> Vec<u8> {
    let mut fields = BTreeMap::from([("__metadata__", layout.notes(sums))]);
    let mut start = 0;
    for entry in entries {
        let end = start + entry.shape.iter().product::<usize>() * Dtype::F32.bytes();
        let field = json!({"dtype": "F32", "shape": entry.shape, "data_offsets": [start, end]});
        fields.insert(&entry.name, field);
        start = end;
    }
    let mut header = json!(fields).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut header);
    bytes
}

/// Writes elements, and returns the CRC-32 of their bytes.
fn write_values(out: &mut impl Write, values: &[f32]) -> io::Result<u32> {
    if cfg!(target_endian = "little") {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        out.write_all(bytes)?;
        return Ok(crc32fast::hash(bytes));
    }
    let mut sum = crc32fast::Hasher::new();
    for value in values {
        out.write_all(&value.to_le_bytes())?;
        sum.update(&value.to_le_bytes());
    }
    Ok(sum.finalize())
}
