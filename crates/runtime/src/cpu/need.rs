//! The memory that a network takes, computed before any is allocated.

use hrnet::{Graph, Precision};

use super::fuse::Plan;
use super::grids::Grids;
use super::{bind, unit_of};
use crate::RuntimeError;

/// Bytes that choosing algorithms takes for each pixel of the input: where the pixels of each map lie, and which are computed
/// together.
const CHOOSING: u128 = 40;

/// The bytes of a pixel of the images, which are f32.
const IMAGE: u128 = 3 * 4;

/// Pixels beyond which nothing is planned any more: the images alone are more than any machine has.
const MOST_PIXELS: u128 = 1 << 40;

/// Returns the least bytes that the engine needs to run the graph, with its images; weights, threads and packed operands come on
/// top. Other engines keep maps of the same sizes.
///
/// # Errors
/// If the engine does not support an op of the graph.
pub fn least_memory(graph: &Graph, precision: Precision) -> Result<u64, RuntimeError> {
    let input = graph.input_shape();
    let pixels = [input.n, input.h, input.w]
        .iter()
        .fold(1_u128, |product, extent| product.saturating_mul(*extent as u128));
    let mut bytes = pixels.saturating_mul(IMAGE);
    if pixels <= MOST_PIXELS {
        let failed = |reason: String| super::FAST.failed(reason);
        let plan = Plan::new(graph).map_err(failed)?;
        let (isa, _) = unit_of(precision).map_err(|error| RuntimeError::device(super::FAST.name, error))?;
        let maps = bind::elements(&plan, graph, &Grids::new(graph, isa, precision));
        bytes += maps as u128 * size_of::<f32>() as u128 + pixels * CHOOSING;
    }
    Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use hrnet::{HrnetSpec, Shape};

    use super::*;

    fn of(batch: usize, side: usize) -> u64 {
        let graph = HrnetSpec::imagenet([18, 36, 72, 144])
            .graph(Shape::square(batch, side))
            .expect("a network");
        least_memory(&graph, Precision::F32).expect("a plan")
    }

    #[test]
    fn what_is_needed_grows_with_the_pixels_and_no_product_overflows() {
        let one = of(1, 224);
        assert!((10 << 20..200 << 20).contains(&one), "{one}");
        for (batch, side) in [(8, 224), (2, 448)] {
            let times = of(batch, side) as f64 / one as f64;
            assert!(
                (7.0..9.0).contains(&times),
                "{times} times for 8 times the pixels"
            );
        }
        assert!(of(1, 100_000) > 1 << 40);
        assert!(of(1_000_000_000, 224) > 1 << 49);
        let most = usize::MAX / 64 * 64;
        assert_eq!(of(most, most), u64::MAX);
    }
}
