//! Numbers of the command line that something is multiplied by: each has a bound, beyond which it can only be a slip.

use std::num::NonZeroUsize;

use hrnet::Size;

/// Threads of one network; no machine has more processors.
pub(crate) const THREADS: usize = 8192;

/// Images of one batch.
pub(crate) const BATCH: usize = 65_536;

/// The side of an input, pixels.
pub(crate) const SIDE: usize = 1_048_576;

/// Processes of a cell, and blocks of them.
pub(crate) const PROCESSES: usize = 1000;

/// Runs and trials of one process.
pub(crate) const RUNS: usize = 1_000_000;

/// Downloads, connections and decoders at a time.
pub(crate) const AT_A_TIME: usize = 1024;

/// Cells of one campaign.
pub(crate) const CELLS: usize = 10_000;

/// A number from 1 to `MOST`.
pub(crate) fn count<const MOST: usize>(text: &str) -> Result<NonZeroUsize, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number: &NonZeroUsize| number.get() <= MOST);
    number.ok_or_else(|| format!("expected a number from 1 to {MOST}"))
}

/// A number from 0 to `MOST`.
pub(crate) fn up_to<const MOST: usize>(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number <= MOST);
    number.ok_or_else(|| format!("expected a number from 0 to {MOST}"))
}

/// The size of an input: a side, or height and width as `256x192`, each up to [`SIDE`] pixels.
pub(crate) fn size(text: &str) -> Result<Size, String> {
    let size: Size = text.parse().map_err(|error| format!("{error}"))?;
    match size.h.max(size.w) <= SIDE {
        true => Ok(size),
        false => Err(format!("expected at most {SIDE} pixels on a side")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_up_to_their_bound() {
        assert_eq!(count::<8>("8").map(NonZeroUsize::get), Ok(8));
        assert_eq!(up_to::<8>("0"), Ok(0));
        for text in ["0", "9", "-1", "1e3", "", "99999999999999999999999"] {
            let why = count::<8>(text).expect_err(text);
            assert_eq!(why, "expected a number from 1 to 8");
        }
        assert_eq!(size("256x192"), Ok(Size::new(256, 192)));
        assert!(size("1048577").is_err_and(|why| why.contains("at most 1048576")));
        assert!(up_to::<8>("9").is_err_and(|why| why.contains("0 to 8")));
    }
}
