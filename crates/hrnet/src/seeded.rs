use std::borrow::Cow;

use crate::{Param, ParamKind, WeightError, WeightSource};

/// Weights computed from a seed and the tensor's name alone, so that a network can run, and be compared with another
/// framework's, without a download.
///
/// Element `i` of tensor `N` comes from the splitmix64 step of `(fnv1a64(N) ^ seed * G) + i * G`, scaled to keep
/// activations in range. Odd input channels of a weight are the negatives of the even ones before them: without
/// that the logits hardly depend on the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeededWeights {
    seed: u64,
}

/// splitmix64's increment, 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl SeededWeights {
    /// Returns the weights of this seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Returns `count` numbers in `[0, 1)` with 24 bits for this name. Every tensor of the name is scaled from them.
    pub fn uniform(self, name: &str, count: usize) -> impl Iterator<Item = f64> {
        let start = self.start(name);
        (0..count).map(move |i| uniform(start, i as u64))
    }

    fn start(self, name: &str) -> u64 {
        fnv1a64(name.as_bytes()) ^ self.seed.wrapping_mul(GOLDEN)
    }
}

impl WeightSource for SeededWeights {
    fn load(&self, param: &Param) -> Result<Cow<'_, [f32]>, WeightError> {
        let name = param.name();
        let fill = |value: fn(f64) -> f64| {
            let uniform = self.uniform(&name, param.elements());
            uniform.map(|u| value(u) as f32).collect()
        };
        Ok(Cow::Owned(match param.kind {
            ParamKind::ConvWeight | ParamKind::LinearWeight => paired(&param.shape, self.start(&name)),
            ParamKind::BnWeight => fill(|u| 0.3 + 0.6 * u),
            ParamKind::BnVariance => fill(|u| 0.5 + u),
            ParamKind::ConvBias | ParamKind::BnBias | ParamKind::BnMean | ParamKind::LinearBias => {
                fill(|u| (2.0 * u - 1.0) * 0.02)
            }
        }))
    }
}

/// A weight of shape `[out, in, ...]` in which odd input channels mirror the even ones before them.
fn paired(shape: &[usize], start: u64) -> Vec<f32> {
    let inputs = shape[1];
    let positions: usize = shape[2..].iter().product();
    let scale = (6.0 / (inputs * positions) as f64).sqrt();
    let mut values: Vec<f32> = Vec::with_capacity(shape[0] * inputs * positions);
    for channel in (0..shape[0]).flat_map(|_| 0..inputs) {
        let first = values.len();
        if channel % 2 == 1 {
            values.extend_from_within(first - positions..);
            values[first..].iter_mut().for_each(|value| *value = -*value);
        } else {
            let uniform = (first..first + positions).map(|i| uniform(start, i as u64));
            values.extend(uniform.map(|u| ((2.0 * u - 1.0) * scale) as f32));
        }
    }
    values
}

/// A number in `[0, 1)` with 24 bits.
fn uniform(start: u64, i: u64) -> f64 {
    let mut x = start.wrapping_add(i.wrapping_mul(GOLDEN)).wrapping_add(GOLDEN);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^= x >> 31;
    (x >> 40) as f64 / f64::from(1 << 24)
}

fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_and_generator_give_their_published_values() {
        assert_eq!(fnv1a64(b""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(fnv1a64(b"foobar"), 0x8594_4171_F739_67E8);
        // splitmix64 of state 0 starts with 0xE220A8397B1DCDAF.
        assert_eq!(
            uniform(0, 0),
            (0xE220_A839_7B1D_CDAF_u64 >> 40) as f64 / 16_777_216.0
        );
        assert_eq!(
            uniform(0, 1),
            (0x6E78_9E6A_A1B9_65F4_u64 >> 40) as f64 / 16_777_216.0
        );
    }

    #[test]
    fn odd_input_channels_mirror_the_even_ones() {
        let param = Param {
            place: "x".into(),
            kind: ParamKind::ConvWeight,
            shape: vec![2, 3, 1, 2],
        };
        let w = SeededWeights::new(7)
            .load(&param)
            .expect("seeded weights never fail")
            .into_owned();
        assert_eq!(w[2..4], [-w[0], -w[1]]);
        assert_eq!(w[8..10], [-w[6], -w[7]]);
        assert_ne!(
            w[4].abs(),
            w[0].abs(),
            "a last unpaired channel keeps its own values"
        );
        assert!(w.iter().all(|v| f64::from(v.abs()) <= (6.0_f64 / 6.0).sqrt()));
    }

    #[test]
    fn seeds_and_names_give_different_weights() {
        let param = |name: &str| Param {
            place: name.into(),
            kind: ParamKind::BnVariance,
            shape: vec![4],
        };
        let load = |seed, name| {
            SeededWeights::new(seed)
                .load(&param(name))
                .expect("never fails")
                .into_owned()
        };
        assert_eq!(load(1, "a"), load(1, "a"));
        assert_ne!(load(1, "a"), load(2, "a"));
        assert_ne!(load(1, "a"), load(1, "b"));
        assert!(load(1, "a").iter().all(|v| (0.5..1.5).contains(v)));
    }
}
