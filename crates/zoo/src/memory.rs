//! Checks before a run whether a network fits into the available memory.

use hrnet::{Graph, Precision, Shape};
use registry::Variant;

use crate::{Exit, Failure};

/// Refuses a network that needs more memory than is available.
///
/// # Errors
/// If it does not fit; the message has both figures.
pub(crate) fn check(variant: &Variant, input: Shape, precision: Precision) -> Result<(), Failure> {
    check_graph(&variant.name, &variant.spec.graph(input)?, precision)
}

/// As [`check`], for an existing graph.
pub(crate) fn check_graph(name: &str, graph: &Graph, precision: Precision) -> Result<(), Failure> {
    let need = runtime::least_memory(graph, precision)?;
    let what = format!("{name} on {} in {precision}", graph.input_shape());
    fits(&what, need, harness::free_memory())
}

/// Refuses a need of `need` bytes if less is known to be free.
pub(crate) fn fits(what: &str, need: u64, free: Option<u64>) -> Result<(), Failure> {
    match free.filter(|free| need > *free) {
        None => Ok(()),
        Some(free) => Err(Failure::new(
            Exit::Memory,
            format!(
                "{what} needs at least {} of memory, and {} are free here",
                gib(need),
                gib(free)
            ),
        )
        .help("a smaller batch or size needs less")),
    }
}

fn gib(bytes: u64) -> String {
    format!("{:.2} GiB", bytes as f64 / (1_u64 << 30) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_both_figures() {
        let failure = fits("W18", 3 << 30, Some((1 << 30) + (1 << 29))).expect_err("too much");
        assert_eq!(failure.exit, Exit::Memory);
        assert_eq!(
            failure.message,
            "W18 needs at least 3.00 GiB of memory, and 1.50 GiB are free here"
        );
        assert!(fits("W18", 3 << 30, Some(3 << 30)).is_ok());
        assert!(fits("W18", u64::MAX, None).is_ok(), "a system that does not tell");
    }
}
