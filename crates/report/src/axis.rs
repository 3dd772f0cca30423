/// The values that an axis holds, between round ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    low: f64,
    high: f64,
    step: f64,
}

/// One axis of a chart: values to pixels, and round ticks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    step: f64,
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
            step,
        }
    }

    /// The axis between two pixel positions.
    pub(crate) fn axis(self, pixels: (f64, f64)) -> Axis {
        let Self { low, high, step } = self;
        Axis {
            low,
            high,
            step,
            pixels,
        }
    }
}

impl Axis {
    /// The pixel of a value.
    pub(crate) fn pixel(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }

    /// Each tick's value with its text.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        let decimals = if self.step >= 1.0 {
            0
        } else {
            (-self.step.log10()).ceil() as usize
        };
        (0..=count)
            .map(|i| self.low + self.step * i as f64)
            .map(|value| (value, format!("{value:.decimals$}")))
            .collect()
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
    fn a_single_value_still_has_an_axis() {
        let axis = Span::linear(5.0, 5.0, 5).axis((0.0, 100.0));
        assert!(axis.pixel(5.0).is_finite() && axis.ticks().len() < 20);
    }
}
