/// The values that an axis holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    low: f64,
    high: f64,
    scale: Scale,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    /// Ticks so far apart, the ends among them.
    Linear(f64),
    /// Ticks at 1, 2 and 5 times powers of ten.
    Log,
    /// Ticks so many powers of ten apart, from the lower end on.
    Decades(u32),
}

/// One axis of a chart: values to pixels, and round ticks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    span: Span,
    pixels: (f64, f64),
}

impl Span {
    /// About so many steps whose round ends hold `low` to `high`.
    pub(crate) fn linear(low: f64, high: f64, ticks: u32) -> Self {
        let span = if high > low {
            high - low
        } else {
            high.abs().max(1.0) * 0.1
        };
        let high = high.max(low + span);
        let step = round_step(span / f64::from(ticks));
        Self {
            low: (low / step).floor() * step,
            high: (high / step).ceil() * step,
            scale: Scale::Linear(step),
        }
    }

    /// Exactly from `low` to `high`, both above 0, equal ratios equally far apart.
    pub(crate) fn log(low: f64, high: f64) -> Self {
        Self {
            low,
            high: high.max(low * 1.1),
            scale: Scale::Log,
        }
    }

    /// Powers of ten that hold `low` to `high`, both above 0, equal ratios equally far apart; at most so many steps.
    pub(crate) fn decades(low: f64, high: f64, most: u32) -> Self {
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let count = (last - first).max(1);
        Self {
            low: 10_f64.powi(first),
            high: 10_f64.powi(first + count),
            scale: Scale::Decades(count.cast_unsigned().div_ceil(most.max(1))),
        }
    }

    /// The axis between two pixel positions.
    pub(crate) fn axis(self, pixels: (f64, f64)) -> Axis {
        Axis { span: self, pixels }
    }
}

impl Axis {
    /// The pixel of a value.
    pub(crate) fn pixel(&self, value: f64) -> f64 {
        let Span { low, high, scale } = self.span;
        let share = match scale {
            Scale::Linear(_) => (value - low) / (high - low),
            Scale::Log | Scale::Decades(_) => (value / low).ln() / (high / low).ln(),
        };
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }

    /// Each tick's value with its text.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        let Span { low, high, scale } = self.span;
        match scale {
            Scale::Linear(step) => {
                let count = ((high - low) / step).round() as usize;
                let decimals = decimals(step);
                (0..=count)
                    .map(|i| low + step * i as f64)
                    .map(|value| (value, format!("{value:.decimals$}")))
                    .collect()
            }
            Scale::Decades(step) => {
                let powers = low.log10().round() as i32..=high.log10().round() as i32;
                let ticks = powers.step_by(step as usize);
                ticks
                    .map(|power| (10_f64.powi(power), power_of_ten(power)))
                    .collect()
            }
            Scale::Log => {
                let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
                let ticks = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|digit| (digit, 10_f64.powi(power))));
                ticks
                    .filter(|(digit, power)| (low..=high).contains(&(digit * power)))
                    .map(|(digit, power)| {
                        let decimals = decimals(power);
                        (digit * power, format!("{:.decimals$}", digit * power))
                    })
                    .collect()
            }
        }
    }
}

/// A power of ten as it is written: 0.01 to 100 as they are, others as 10⁻⁴.
fn power_of_ten(power: i32) -> String {
    if (-2..=2).contains(&power) {
        let decimals = decimals(10_f64.powi(power));
        return format!("{:.decimals$}", 10_f64.powi(power));
    }
    let digits = power.to_string();
    let raised = digits.chars().map(|digit| match digit {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32('⁰' as u32 + digit as u32 - '0' as u32).unwrap_or(digit),
    });
    "10".chars().chain(raised).collect()
}

/// The decimals that tell values so far apart from each other.
fn decimals(step: f64) -> usize {
    if step >= 1.0 {
        0
    } else {
        (-step.log10()).ceil() as usize
    }
}

/// The next of 1, 2, 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let digits = step / power;
    let round = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|round| digits <= *round + 1e-9)
        .unwrap_or(10.0);
    round * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_round_and_hold_the_values() {
        let axis = Span::linear(0.0, 57.83, 6).axis((100.0, 700.0));
        let ticks: Vec<String> = axis.ticks().into_iter().map(|(_, text)| text).collect();
        assert_eq!(ticks, ["0", "10", "20", "30", "40", "50", "60"]);
        assert_eq!(
            (axis.pixel(0.0), axis.pixel(30.0), axis.pixel(60.0)),
            (100.0, 400.0, 700.0)
        );
        let narrow = Span::linear(76.9, 77.4, 5).axis((500.0, 0.0));
        let ticks: Vec<String> = narrow.ticks().into_iter().map(|(_, text)| text).collect();
        assert_eq!(ticks, ["76.9", "77.0", "77.1", "77.2", "77.3", "77.4"]);
        assert!(
            narrow.pixel(77.4) < narrow.pixel(76.9),
            "the vertical axis points up"
        );
    }

    #[test]
    fn equal_ratios_are_equally_far_apart_on_a_logarithmic_axis() {
        let axis = Span::log(0.4, 40.0).axis((0.0, 200.0));
        let ticks: Vec<String> = axis.ticks().into_iter().map(|(_, text)| text).collect();
        assert_eq!(ticks, ["0.5", "1", "2", "5", "10", "20"]);
        for (value, pixel) in [(0.4, 0.0), (4.0, 100.0), (40.0, 200.0)] {
            assert!((axis.pixel(value) - pixel).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn powers_of_ten_are_as_far_apart_as_there_is_room() {
        let ticks = |span: Span| -> Vec<String> {
            let axis = span.axis((0.0, 100.0));
            axis.ticks().into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(ticks(Span::decades(0.003, 0.7, 3)), ["10⁻³", "0.01", "0.1", "1"]);
        let wide = Span::decades(2e-10, 0.7, 3);
        assert_eq!(ticks(wide), ["10⁻¹⁰", "10⁻⁶", "0.01"]);
        assert_eq!(ticks(Span::decades(0.1, 0.1, 3)), ["0.1", "1"]);
        let axis = wide.axis((0.0, 120.0));
        assert!((axis.pixel(1e-7) - 36.0).abs() < 1e-9);
    }

    #[test]
    fn a_single_value_still_has_an_axis() {
        let axis = Span::linear(5.0, 5.0, 5).axis((0.0, 100.0));
        assert!(axis.pixel(5.0).is_finite() && axis.ticks().len() < 20);
    }
}
