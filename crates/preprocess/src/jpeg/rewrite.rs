use super::stream::{Colours, Part, Stream, marker};
use crate::PreprocessError;

/// Bytes of zeros behind the compressed data of an only scan. The decoder reads up to seven bytes ahead, and tells that it
/// went beyond the end only where the bytes end; at a marker it would go on with zeros and say nothing.
pub(super) const AHEAD: usize = 8;

/// Writes a file anew: what decoding needs, in libjpeg's understanding of the colours, and nothing else.
pub(super) fn rewrite(stream: &Stream) -> Result<Vec<u8>, PreprocessError> {
    let mut out = begin(stream, stream.bytes.len() + 64)?;
    segment(
        &mut out,
        stream.frame.process,
        &stream.bytes[stream.frame.data.clone()],
    );
    let one_scan = stream.one_scan();
    for part in &stream.parts {
        match part {
            Part::Table { marker, data } => segment(&mut out, *marker, &stream.bytes[data.clone()]),
            Part::Scan { header, data, .. } => {
                segment(&mut out, marker::SOS, &stream.bytes[header.clone()]);
                out.extend(&stream.bytes[data.clone()]);
                if one_scan {
                    out.extend([0; AHEAD]);
                    return Ok(out);
                }
            }
        }
    }
    out.extend([0xFF, marker::EOI]);
    Ok(out)
}

/// The beginning of a file, with room for what follows: what the colours are.
pub(super) fn begin(stream: &Stream, room: usize) -> Result<Vec<u8>, PreprocessError> {
    let mut out = Vec::new();
    out.try_reserve_exact(room)
        .map_err(|_| PreprocessError::Memory { bytes: room as u64 })?;
    out.extend([0xFF, marker::SOI]);
    let transform = match stream.colours {
        Colours::Gray | Colours::YCbCr => None,
        Colours::Rgb | Colours::Cmyk => Some(0),
        Colours::Ycck => Some(2),
    };
    if let Some(transform) = transform {
        let adobe = [b'A', b'd', b'o', b'b', b'e', 0, 100, 0, 0, 0, 0, transform];
        segment(&mut out, marker::ADOBE, &adobe);
    }
    Ok(out)
}

/// Writes a segment.
pub(super) fn segment(out: &mut Vec<u8>, marker: u8, data: &[u8]) {
    out.extend([0xFF, marker]);
    out.extend((data.len() as u16 + 2).to_be_bytes());
    out.extend(data);
}
