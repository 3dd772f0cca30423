//! The engine's rounding, written from its documentation (`crates/kernels/README.md`): what a layer's operands become in the
//! format that the plan gives it, with the steps that a calibration gives.

use std::collections::BTreeMap;

use hrnet::{FoldedConv, Graph, Node, Op, Precision};
use runtime::{Calibration, StepCost};

/// The rounding of what each layer of a session multiplies.
pub struct Rounding<'a> {
    calibration: Option<&'a Calibration>,
    /// The kernel of each convolution, by its node.
    kernels: BTreeMap<String, Kernel>,
    precision: Precision,
}

/// A kernel, as its name tells it.
struct Kernel {
    format: Format,
    algorithm: String,
    /// The largest sum of two neighbouring weights of 8 bits, where the unit's instruction saturates beyond it.
    pair: Option<f64>,
}

/// A convolution's operands, as the numbers that they stand for.
pub struct Operands {
    pub input: Vec<f64>,
    pub weights: Vec<f64>,
    pub bias: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    F32,
    F16,
    Bf16,
    I16,
    I8x2,
    Int8,
}

/// Elements that are summed before a sum becomes an f32.
const RUN: usize = 288;

impl<'a> Rounding<'a> {
    /// That of a session with these steps in this precision.
    pub fn new(steps: &[StepCost], precision: Precision, calibration: Option<&'a Calibration>) -> Self {
        let kernels = steps.iter().filter_map(|step| {
            // `conv3x3s1_f32_avx512_winograd4_6x64 18x56x56 -> 18`
            let kernel = step.kind.split(' ').next()?;
            let mut parts = kernel.split('_').skip(1);
            let (format, unit, algorithm) = (parts.next()?, parts.next()?, parts.next()?);
            let format = match format {
                "f32" => Format::F32,
                "f16" => Format::F16,
                "bf16" => Format::Bf16,
                "i16" => Format::I16,
                "i8x2" => Format::I8x2,
                "int8" => Format::Int8,
                other => panic!("{kernel}: unknown format {other}"),
            };
            let saturates = unit == "avx2" && format == Format::Int8;
            let kernel = Kernel {
                format,
                algorithm: algorithm.to_owned(),
                pair: saturates.then_some(128.0),
            };
            Some((step.layer.clone(), kernel))
        });
        Self {
            calibration,
            kernels: kernels.collect(),
            precision,
        }
    }

    /// Layers in a format of the precision, by the names of their kernels.
    pub fn count(&self, precision: Precision) -> usize {
        let named = |kernel: &&Kernel| match (kernel.format, precision) {
            (Format::I8x2, Precision::I16) => true,
            (format, precision) => format!("{format:?}").eq_ignore_ascii_case(precision.name()),
        };
        self.kernels.values().filter(named).count()
    }

    /// Weights of a linear layer, which are f16 in all precisions but f32.
    pub fn linear(&self, weights: &mut [f64]) {
        if self.precision != Precision::F32 {
            weights.iter_mut().for_each(|w| *w = cut(*w as f32, 13));
        }
    }

    /// The operands of a convolution that reads `input`.
    pub fn operands(&self, graph: &Graph, conv: &Node, input: &[f64], folded: &FoldedConv) -> Operands {
        let kernel = self
            .kernels
            .get(&conv.name())
            .expect("a step of each convolution");
        let algorithm = &kernel.algorithm;
        let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        let bias = wide(&folded.bias);
        let filtered = algorithm.starts_with("winograd") || algorithm.starts_with("polyphase");
        match kernel.format {
            // What filtering rounds is not the kernel but its transform.
            Format::F16 if !filtered => Operands {
                input: input.to_vec(),
                weights: folded.weight.iter().map(|w| cut(*w, 13)).collect(),
                bias,
            },
            Format::F32 | Format::F16 => Operands {
                input: input.to_vec(),
                weights: wide(&folded.weight),
                bias,
            },
            Format::Bf16 => Operands {
                input: input.iter().map(|x| cut(*x as f32, 16)).collect(),
                weights: folded.weight.iter().map(|w| cut(*w, 16)).collect(),
                bias,
            },
            Format::I16 | Format::I8x2 | Format::Int8 => self.whole(graph, conv, input, folded, kernel),
        }
    }

    /// Operands that are whole numbers in steps.
    fn whole(
        &self,
        graph: &Graph,
        conv: &Node,
        input: &[f64],
        folded: &FoldedConv,
        kernel: &Kernel,
    ) -> Operands {
        let (format, algorithm) = (kernel.format, kernel.algorithm.as_str());
        let Op::Conv(shape) = conv.op else {
            panic!("{} is no convolution", conv.place)
        };
        let signed = !graph.is_non_negative(conv.inputs[0]);
        let limit: f32 = match (format, algorithm, signed) {
            (Format::Int8, ..) => 255.0,
            (Format::I8x2, ..) => 32639.0,
            (_, "winograd4", true) => 3276.0,
            (_, "winograd4", false) => 3640.0,
            _ => 8191.0,
        };
        let steps = self.steps(&conv.name(), format, limit);
        let from = graph.node(conv.inputs[0]).shape;
        let plane = from.h * from.w;
        let least = if signed { -limit } else { 0.0 };
        let input = input.iter().enumerate().map(|(i, x)| {
            let step = steps[i / plane % from.c];
            let whole = (1.0 / step * *x as f32).clamp(least, limit).round_ties_even();
            f64::from(whole) * f64::from(step)
        });
        let mut all = Operands {
            input: input.collect(),
            weights: Vec::with_capacity(folded.weight.len()),
            bias: folded.bias.iter().map(|b| f64::from(*b)).collect(),
        };
        let taps = shape.kernel * shape.kernel;
        let means = &self.channels(&conv.name()).means;
        for (output, weights) in folded.weight.chunks_exact(shape.inputs * taps).enumerate() {
            let taken_over: Vec<f32> = weights
                .iter()
                .enumerate()
                .map(|(i, w)| w * steps[i / taps])
                .collect();
            let step = match algorithm {
                "direct" | "channels" | "panel" | "tiles" => {
                    Some(weight_step(kernel, limit, &taken_over, taps))
                }
                // Of kernels that are filtered it is the transforms that are rounded, to next to nothing.
                _ => None,
            };
            let mut drift = 0.0;
            for (i, w) in taken_over.iter().enumerate() {
                let rounded = step.map_or(f64::from(*w), |step| {
                    f64::from((w / step).round_ties_even()) * f64::from(step)
                });
                let channel = i / taps;
                drift += (rounded - f64::from(*w)) * f64::from(means[channel]) / f64::from(steps[channel]);
                all.weights.push(rounded / f64::from(steps[channel]));
            }
            all.bias[output] -= drift;
        }
        all
    }

    fn channels(&self, name: &str) -> &runtime::Channels {
        let calibration = self.calibration.expect("a calibration for whole numbers");
        calibration.channels(name).expect("channels of each convolution")
    }

    /// The scale of each channel: 16 bits hold half more than was seen of all channels and three times what was seen
    /// of one, 8 bits what the method chose, a channel by the root of its share; none holds less than a fourth of all.
    fn steps(&self, name: &str, format: Format, limit: f32) -> Vec<f32> {
        let calibration = self.calibration.expect("a calibration for whole numbers");
        let of_all = match format {
            Format::I16 | Format::I8x2 => 1.5 * calibration.seen(name).expect("seen").largest(),
            _ => calibration.range(name).expect("chosen").largest(),
        };
        let step = |largest: &f32| {
            let share = match format {
                Format::I16 | Format::I8x2 => 3.0 * largest / of_all,
                _ => (largest / of_all).sqrt(),
            };
            let held = if of_all > 0.0 {
                of_all * share.clamp(0.25, 1.0)
            } else {
                0.0
            };
            if held > 0.0 { held / limit } else { 1.0 }
        };
        self.channels(name).largest.iter().map(step).collect()
    }
}

/// The scale of an output's weights `[inputs, taps]`: as fine as fits, and so large that no run's sum leaves 32 bits.
fn weight_step(kernel: &Kernel, limit: f32, weights: &[f32], taps: usize) -> f32 {
    let (most, channels) = match kernel.format {
        Format::Int8 => (127.0, 4),
        Format::I8x2 => (32639.0, 4),
        _ => (f64::from(i16::MAX), 2),
    };
    let inputs = weights.len() / taps;
    // A run holds the taps of several channels, those that fill up an element among them.
    let elements = inputs.div_ceil(channels) * taps;
    let element = |i: usize| {
        let (first, tap) = (i / taps * channels, i % taps);
        (0..channels).map(move |c| {
            weights
                .get((first + c) * taps + tap)
                .map_or(0.0, |w| f64::from(w.abs()))
        })
    };
    let mut step = 0.0_f64;
    for start in (0..elements).step_by(RUN) {
        let run: Vec<f64> = (start..elements.min(start + RUN)).flat_map(element).collect();
        let largest = run.iter().copied().fold(0.0, f64::max);
        // The engine counts the four places of an element, whatever its format.
        let places = 4 * (elements.min(start + RUN) - start);
        let room = match kernel.format {
            // Sums of digits hold all products.
            Format::I8x2 => f64::INFINITY,
            _ => f64::from(i32::MAX) / f64::from(limit) - 0.5 * places as f64,
        };
        step = step.max(largest / most).max(run.iter().sum::<f64>() / room);
        if let Some(most) = kernel.pair {
            let pair = run
                .chunks_exact(2)
                .map(|pair| pair[0] + pair[1])
                .fold(0.0, f64::max);
            step = step.max(pair / (most * (1.0 - 1e-6)));
        }
    }
    if step > 0.0 {
        step as f32 * (1.0 + f32::EPSILON)
    } else {
        1.0
    }
}

/// The nearest number without the last bits of an f32's significand, ties to even.
fn cut(x: f32, bits: u32) -> f64 {
    let odd = x.to_bits() >> bits & 1;
    let rounded = x.to_bits() + (1 << (bits - 1)) - 1 + odd;
    f64::from(f32::from_bits(rounded >> bits << bits))
}
