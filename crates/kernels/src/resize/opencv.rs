use super::{Avx2, CHANNELS, Geometry, Image, LANES, Window};

/// OpenCV's `INTER_LINEAR` on 8-bit images.
#[derive(Clone, Debug, Default)]
pub(super) struct Linear {
    window: Option<Window>,
    /// Both sides are halved.
    halves: bool,
    /// Columns of the window, padded with the last to a multiple of [`GROUP`].
    columns: Vec<Tap>,
    rows: Vec<Tap>,
    groups: Vec<Group>,
    lines: Lines,
}

/// The two source positions that one target position mixes, and their weights out of [`ONE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tap {
    pub(super) positions: [usize; 2],
    pub(super) weights: [i16; 2],
}

/// The fixed-point weight 1.
const ONE: i16 = 1 << 11;
/// The columns that vectors make at a time.
pub(super) const GROUP: usize = 4;

/// The columns 0 and 2, 1 and 3 of a group as vectors want them: where they begin, and each one's two weights four times.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "portable code takes the taps themselves")
)]
pub(super) struct Group {
    pub(super) bytes: [usize; GROUP],
    pub(super) weights: [[i16; 16]; 2],
}

impl Group {
    fn new(columns: &[Tap]) -> Self {
        let pair =
            |a: usize, b: usize| std::array::from_fn(|i| columns[if i < 8 { a } else { b }].weights[i % 2]);
        Self {
            bytes: std::array::from_fn(|i| columns[i].positions[0] * CHANNELS),
            weights: [pair(0, 2), pair(1, 3)],
        }
    }
}

impl Linear {
    pub(super) fn prepare(&mut self, geometry: &Geometry) {
        let Geometry {
            source,
            target,
            window,
        } = geometry;
        self.window = Some(*window);
        self.halves = source.width == 2 * target.width && source.height == 2 * target.height;
        let right = window.left + window.extent.width;
        let padded = window.left + window.extent.width.next_multiple_of(GROUP);
        self.columns.clear();
        self.columns
            .extend((window.left..padded).map(|x| column(x.min(right - 1), source.width, target.width)));
        self.rows.clear();
        self.rows.extend(
            (window.top..window.top + window.extent.height).map(|y| row(y, source.height, target.height)),
        );
        self.groups.clear();
        self.groups
            .extend(self.columns.chunks_exact(GROUP).map(Group::new));
        self.lines.resize(self.columns.len() * LANES);
    }

    pub(super) fn run(
        &mut self,
        unit: Option<Avx2>,
        image: Image,
        line: &mut [u8],
        mut row: impl FnMut(usize, &[u8]),
    ) {
        if self.halves {
            return self.halve(image, line, row);
        }
        let Self {
            columns,
            rows,
            groups,
            lines,
            ..
        } = self;
        // The lines of an image before are another's.
        lines.rows = [None; 2];
        for (y, tap) in rows.iter().enumerate() {
            let pair = lines.pair(tap.positions, |position, line| {
                let source = image.rows_from(position);
                match unit {
                    Some(unit) if unit.mix_columns(source, groups, line) => {}
                    _ => mix_columns(source, columns, line),
                }
            });
            match unit {
                Some(unit) => unit.mix_rows(pair, tap.weights, line),
                None => mix_rows(pair, tap.weights, line),
            }
            row(y, line);
        }
    }

    fn halve(&self, image: Image, line: &mut [u8], mut row: impl FnMut(usize, &[u8])) {
        let Some(Window { left, top, extent }) = self.window else {
            return;
        };
        for y in 0..extent.height {
            let [upper, lower] = [0, 1].map(|half| {
                &image.rows_from(2 * (top + y) + half)[2 * left * CHANNELS..][..2 * extent.width * CHANNELS]
            });
            let twos = upper
                .chunks_exact(2 * CHANNELS)
                .zip(lower.chunks_exact(2 * CHANNELS));
            for (pixel, (upper, lower)) in line.chunks_exact_mut(LANES).zip(twos) {
                for c in 0..CHANNELS {
                    let four = [upper[c], upper[c + CHANNELS], lower[c], lower[c + CHANNELS]];
                    pixel[c] = ((four.into_iter().map(u16::from).sum::<u16>() + 2) >> 2) as u8;
                }
            }
            row(y, line);
        }
    }
}

/// Two horizontally mixed source rows; neighbouring target rows share them, so they are kept.
#[derive(Clone, Debug, Default)]
struct Lines {
    rows: [Option<usize>; 2],
    lines: [Vec<i16>; 2],
}

impl Lines {
    fn resize(&mut self, length: usize) {
        for line in &mut self.lines {
            line.resize(length, 0);
        }
    }

    fn pair(&mut self, wanted: [usize; 2], mut make: impl FnMut(usize, &mut [i16])) -> [&[i16]; 2] {
        if self.rows[1] == Some(wanted[0]) {
            self.rows.swap(0, 1);
            self.lines.swap(0, 1);
        }
        for ((have, line), want) in self.rows.iter_mut().zip(&mut self.lines).zip(wanted) {
            if *have != Some(want) {
                make(want, line);
                *have = Some(want);
            }
        }
        let [upper, lower] = &self.lines;
        [upper, lower]
    }
}

/// OpenCV's rounding: the low bits are dropped here, once more in [`mix_rows`], and only at the end is half added.
fn mix_columns(source: &[u8], columns: &[Tap], line: &mut [i16]) {
    for (tap, out) in columns.iter().zip(line.chunks_exact_mut(LANES)) {
        let [left, right] = tap.positions.map(|x| &source[x * CHANNELS..][..CHANNELS]);
        let weights = tap.weights.map(i32::from);
        for c in 0..CHANNELS {
            out[c] = ((i32::from(left[c]) * weights[0] + i32::from(right[c]) * weights[1]) >> 4) as i16;
        }
    }
}

#[inline(always)]
pub(super) fn mix_rows(lines: [&[i16]; 2], weights: [i16; 2], out: &mut [u8]) {
    let part = |value: i16, weight: i16| ((i32::from(value) * i32::from(weight)) >> 16) as i16;
    for (out, (upper, lower)) in out.iter_mut().zip(lines[0].iter().zip(lines[1])) {
        *out = ((part(*upper, weights[0]) + part(*lower, weights[1]) + 2) >> 2) as u8;
    }
}

/// The source position to the left of target position `i`, and the distance from it, in f32.
fn place(i: usize, source: usize, target: usize) -> (isize, f32) {
    // OpenCV inverts the inverse scale; the quotient itself may differ in the last bit.
    let scale = 1.0 / (target as f64 / source as f64);
    let position = ((i as f64 + 0.5) * scale - 0.5) as f32;
    let floor = position.floor();
    (floor as isize, position - floor)
}

fn weights(beyond: f32) -> [i16; 2] {
    let round = |weight: f32| (weight * f32::from(ONE)).round_ties_even() as i16;
    [round(1.0 - beyond), round(beyond)]
}

/// At the edges the one column that is there counts whole.
fn column(x: usize, source: usize, target: usize) -> Tap {
    match place(x, source, target) {
        (left, _) if left < 0 => Tap {
            positions: [0, 0],
            weights: [ONE, 0],
        },
        (left, _) if left.unsigned_abs() >= source - 1 => Tap {
            positions: [source - 1; 2],
            weights: [ONE, 0],
        },
        (left, beyond) => {
            let left = left.unsigned_abs();
            Tap {
                positions: [left, left + 1],
                weights: weights(beyond),
            }
        }
    }
}

/// At the edges the one row that is there is mixed with itself.
fn row(y: usize, source: usize, target: usize) -> Tap {
    let (upper, beyond) = place(y, source, target);
    let clamp = |row: isize| usize::try_from(row).unwrap_or(0).min(source - 1);
    Tap {
        positions: [clamp(upper), clamp(upper + 1)],
        weights: weights(beyond),
    }
}
