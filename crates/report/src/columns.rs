//! The columns of `cells.csv` and their meanings: the one list that the program prints and `README.md` holds.

use std::fmt::Write;

/// A column of `cells.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its title.
    pub name: &'static str,
    /// Its meaning; an empty field was not measured or does not apply.
    pub meaning: &'static str,
}

const fn column(name: &'static str, meaning: &'static str) -> Column {
    Column { name, meaning }
}

/// The columns, in their order in the file.
pub const COLUMNS: [Column; 37] = [
    column(
        "case",
        "The measured configuration as one name, NETWORK/PRECISION/bsBATCH/cropSIDE/BACKEND/tTHREADS, HEIGHTxWIDTH for cropSIDE if the input is not square; the same in all files",
    ),
    column(
        "stage",
        "`network` for one pass of a network, `preprocess` for work on photos before it",
    ),
    column("network", "The variant whose network ran"),
    column("precision", "Number format: f32, f16, bf16, i16 or int8"),
    column("batch", "Images of one run; for a pose network people"),
    column("crop", "Side of a square input, or HEIGHTxWIDTH, pixels"),
    column("backend", "What ran it, as --backend names it"),
    column("unit", "The vector unit that our engine used, as avx512"),
    column("threads", "Threads of one run"),
    column("raced", "true where it was measured in turns with other engines"),
    column("processes", "Processes that measured it, one after the other"),
    column("samples", "Timed runs of all processes"),
    column(
        "median_ms",
        "The time to use: the median time of one run of the whole batch, ms; of several processes the median of their medians",
    ),
    column(
        "low_ms",
        "Lower end of the median's interval, ms: 95 % of one process's samples or of six and more processes' medians, the range of two to five",
    ),
    column("high_ms", "Upper end of the same interval, ms"),
    column("mad_ms", "Median absolute deviation of all samples, ms"),
    column("min_ms", "The fastest run, ms"),
    column("p90_ms", "90th percentile of all samples, ms; needs 44 of them"),
    column(
        "p90_at_most_ms",
        "Upper bound of the true 90th percentile at 99 % confidence, ms; needs 44 samples",
    ),
    column("max_ms", "The slowest run, ms"),
    column("images_per_s", "Images per second, by the median"),
    column(
        "gmacs_per_s",
        "10^9 multiply-accumulates per second by the definition of the layers, whatever the algorithm",
    ),
    column(
        "peak_gmacs_per_s",
        "10^9 multiply-accumulates per second of f32 that the machine reached right before and after on registers alone",
    ),
    column(
        "share_of_peak",
        "gmacs_per_s / peak_gmacs_per_s; above 1 where an algorithm does with fewer multiplications, or multiplies smaller numbers",
    ),
    column(
        "normalised_ms",
        "median_ms as it would be where peak_gmacs_per_s is 100: no time that anyone waits, but one that compares nights on a machine whose speed changes",
    ),
    column(
        "load",
        "Processors that other processes kept busy meanwhile; the largest of all processes",
    ),
    column(
        "steal",
        "Share of the processors' time that a virtual machine's host gave to others; the largest of all processes",
    ),
    column(
        "peak_resident_bytes",
        "The most memory that was resident at once, bytes",
    ),
    column(
        "largest_error",
        "Largest difference of a value of the output from the reference's, as a share of the reference's largest",
    ),
    column(
        "top1_agreement",
        "Share of images whose first class is the reference's; empty for pose networks",
    ),
    column(
        "error_in_deviations",
        "Largest difference of a logit, in standard deviations of the reference's logits; empty for pose networks",
    ),
    column(
        "divergence",
        "Kullback-Leibler divergence of the class probabilities from the reference's, nats; empty for pose networks",
    ),
    column(
        "steady",
        "Whether the warm-up ended because times had stopped falling",
    ),
    column("started", "When the last process began, RFC 3339, UTC"),
    column(
        "backend_version",
        "The backend in words, with the version of the library behind it",
    ),
    column(
        "weights",
        "The weights: seeded:N, or the name and SHA-256 of a file",
    ),
    column("error", "Why there are no times"),
];

/// The columns as a Markdown table.
pub fn columns_markdown() -> String {
    let mut text = String::from("| column | meaning |\n|---|---|\n");
    for Column { name, meaning } in COLUMNS {
        writeln!(text, "| `{name}` | {meaning} |").expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_holds_the_table() {
        let readme = include_str!("../README.md");
        assert!(
            readme.contains(&columns_markdown()),
            "crates/report/README.md needs this table:\n{}",
            columns_markdown()
        );
    }
}
