use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A part of a data set's [`order`]: the parts of all indices are the whole, without overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// Which, from 0.
    pub index: usize,
    /// Of how many.
    pub of: usize,
}

impl Shard {
    /// All images.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// The places in the order of so many images that are this shard's.
    pub fn places(self, images: usize) -> Range<usize> {
        // In u128 no count of images and shards overflows.
        let place = |index: usize| (images as u128 * index as u128 / self.of as u128) as usize;
        place(self.index)..place(self.index + 1)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .split_once('/')
            .and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match parsed {
            Some((index, of)) if index < of => Ok(Self { index, of }),
            Some((_, of)) if of > 0 => Err(format!(
                "`{text}` is no shard of {of}: they are counted from 0, so expected 0/{of} to {}/{of}",
                of - 1
            )),
            _ => Err(format!(
                "`{text}` is no shard: expected INDEX/COUNT, as 0/4 to 3/4"
            )),
        }
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

/// The order in which the images of a data set are taken, as their indices: random, and the same on every machine.
///
/// Data sets lie sorted by class; the beginning of their own order is no sample of them.
pub fn order(images: usize, digest: &str) -> Vec<usize> {
    let mut state = digest.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let mut order: Vec<usize> = (0..images).collect();
    for last in (1..images).rev() {
        // Multiply and shift: the bias is below 2^-40 for any data set there is.
        let other = (u128::from(split_mix(&mut state)) * (last as u128 + 1)) >> 64;
        order.swap(last, other as usize);
    }
    order
}

/// Steele, Lea and Flood's generator, whose numbers are the same everywhere for good.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_the_whole_without_overlap() {
        for images in [0, 1, 6, 7, 50_000] {
            for of in [1, 3, 7, 64] {
                let all = (0..of).flat_map(|index| Shard { index, of }.places(images));
                assert!(all.eq(0..images), "{images} in {of}");
            }
        }
    }

    #[test]
    fn shards_are_counted_from_0_and_senseless_ones_refused() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, of: 3 }));
        assert_eq!(Shard { index: 2, of: 3 }.to_string(), "2/3");
        let why = "3/3".parse::<Shard>().expect_err("counted from 0");
        assert!(why.contains("expected 0/3 to 2/3"), "{why}");
        for text in ["", "1", "a/b", "0/0", "-1/3"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_order_has_every_image_once_and_never_changes() {
        let mut sorted = order(1000, "digest");
        assert_eq!(
            sorted[..8],
            order(1000, "digest")[..8],
            "the same digest gives the same order"
        );
        assert_ne!(sorted[..8], order(1000, "digesu")[..8]);
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..1000));
        // Shards that were evaluated by an older program must fit: this order is part of the format.
        assert_eq!(order(8, "abc"), ORDER_OF_8);
    }

    const ORDER_OF_8: [usize; 8] = [5, 6, 4, 7, 3, 0, 2, 1];
}
