use libjpeg_turbo_rs::common::quant_table::QuantTable;
use libjpeg_turbo_rs::decode::toggles::{
    apply_block_smoothing_coeffs, smoothing_prerequisites_ok_for_component, smoothing_useful_for_component,
};

use super::coefficients::{Coefficients, Plane, read};
use super::encode::encode;
use super::stream::Stream;
use super::{Refusal, pixels};
use crate::{PreprocessError, Reader, RgbImage};

/// Decodes a file that is not whole as libjpeg does: what a scan does not tell is zero, which is gray, and what progressive
/// scans leave open is guessed from neighbours. The coefficients are then written as a whole file.
///
/// A file that ends before its last row is refused, as by OpenCV and Pillow.
pub(super) fn decode(stream: &Stream, reader: Reader, image: &mut RgbImage) -> Result<(), PreprocessError> {
    let mut coefficients = read(stream)?;
    let (_, down) = stream.frame.sampling();
    if coefficients.rows < stream.frame.height.div_ceil(8 * down) {
        return Err(Refusal::CutOff.into());
    }
    if stream.frame.progressive() {
        smooth(stream, &mut coefficients);
    }
    let bytes = encode(stream, &coefficients)?;
    drop(coefficients);
    pixels(&bytes, stream, reader, image)
}

/// Guesses coefficients that no scan has told exactly; libjpeg does so for all components or for none.
fn smooth(stream: &Stream, coefficients: &mut Coefficients) {
    let Coefficients {
        planes, last_good, ..
    } = coefficients;
    let tables = planes
        .iter()
        .map(|plane| plane.quantization.map(|table| QuantTable::from_zigzag(&table)));
    let Some(tables) = tables.collect::<Option<Vec<_>>>() else {
        return;
    };
    let known = |(plane, table): (&Plane, _)| smoothing_prerequisites_ok_for_component(&plane.unknown, table);
    let useful = |plane: &Plane| smoothing_useful_for_component(&plane.unknown);
    if !planes.iter().zip(&tables).all(known) || !planes.iter().any(useful) {
        return;
    }
    for ((plane, table), component) in planes.iter_mut().zip(&tables).zip(&stream.frame.components) {
        let guess = |blocks: &mut [_], unknown: &[i32; 10]| {
            let (stride, width, height) = (plane.stride, plane.width, plane.height);
            apply_block_smoothing_coeffs(blocks, stride, width, height, component.down, unknown, table);
        };
        // Where the last scan's data end, what was known before it counts.
        let good = (*last_good + 1) * component.down * plane.stride;
        if good < plane.blocks.len() {
            let mut before = plane.blocks.clone();
            guess(&mut before, &plane.unknown_before);
            guess(&mut plane.blocks, &plane.unknown);
            plane.blocks[good..].copy_from_slice(&before[good..]);
        } else {
            guess(&mut plane.blocks, &plane.unknown);
        }
    }
}
