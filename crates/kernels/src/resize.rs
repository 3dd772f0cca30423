/// Width and height of an image, pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// The part of a resized image that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Columns and rows.
    pub extent: Extent,
}

/// Bilinear resizing of 8-bit RGB, equal to the bit to OpenCV 4's `INTER_LINEAR`: half-pixel centres, no antialias,
/// 11-bit fixed-point weights. As there, an exact halving of both sides averages four pixels.
#[derive(Clone, Debug)]
pub struct Bilinear {
    source: Extent,
    kind: Kind,
    window: Window,
}

#[derive(Clone, Debug)]
enum Kind {
    Halve,
    Taps { columns: Vec<Tap>, rows: Vec<Tap> },
}

/// The two source positions that one target position mixes, and their weights out of [`ONE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tap {
    positions: [usize; 2],
    weights: [i32; 2],
}

/// The fixed-point weight 1.
const ONE: i32 = 1 << 11;
/// Bytes of a pixel.
const CHANNELS: usize = 3;

impl Bilinear {
    /// Resizing from `source` to `target`, of which only `window` is computed.
    ///
    /// # Panics
    /// If an extent is zero or the window does not lie in the target.
    pub fn new(source: Extent, target: Extent, window: Window) -> Self {
        assert!(source.width > 0 && source.height > 0, "the source has no pixels");
        assert!(
            window.left + window.extent.width <= target.width
                && window.top + window.extent.height <= target.height,
            "{window:?} does not lie in {target:?}"
        );
        let halves = source
            == Extent {
                width: 2 * target.width,
                height: 2 * target.height,
            };
        let kind = if halves {
            Kind::Halve
        } else {
            let columns = (window.left..window.left + window.extent.width)
                .map(|x| column(x, source.width, target.width));
            let rows =
                (window.top..window.top + window.extent.height).map(|y| row(y, source.height, target.height));
            Kind::Taps {
                columns: columns.collect(),
                rows: rows.collect(),
            }
        };
        Self { source, kind, window }
    }

    /// Writes the window of the resized image, both images interleaved RGB, row by row.
    ///
    /// # Panics
    /// If a slice has not the length of its extent.
    pub fn run(&self, source: &[u8], target: &mut [u8]) {
        let Extent { width, height } = self.window.extent;
        assert_eq!(
            source.len(),
            self.source.width * self.source.height * CHANNELS,
            "source"
        );
        assert_eq!(target.len(), width * height * CHANNELS, "target");
        let stride = self.source.width * CHANNELS;
        match &self.kind {
            Kind::Halve => self.halve(source, target),
            Kind::Taps { columns, rows } => {
                let mut lines = Lines::new(width * CHANNELS);
                for (tap, out) in rows
                    .iter()
                    .zip(target.chunks_exact_mut((width * CHANNELS).max(1)))
                {
                    let [upper, lower] = lines.pair(tap.positions, |row, line| {
                        mix_columns(&source[row * stride..][..stride], columns, line)
                    });
                    mix_rows([upper, lower], tap.weights, out);
                }
            }
        }
    }

    fn halve(&self, source: &[u8], target: &mut [u8]) {
        let Window { left, top, extent } = self.window;
        let stride = self.source.width * CHANNELS;
        for (y, out) in target
            .chunks_exact_mut((extent.width * CHANNELS).max(1))
            .enumerate()
        {
            let upper = &source[2 * (top + y) * stride..][..2 * stride];
            for (x, pixel) in out.chunks_exact_mut(CHANNELS).enumerate() {
                let at = 2 * (left + x) * CHANNELS;
                for (c, byte) in pixel.iter_mut().enumerate() {
                    let four = [at, at + CHANNELS, at + stride, at + stride + CHANNELS];
                    let sum: u16 = four.iter().map(|at| u16::from(upper[at + c])).sum();
                    *byte = ((sum + 2) >> 2) as u8;
                }
            }
        }
    }
}

/// Two horizontally mixed source rows; neighbouring target rows share them, so they are kept.
struct Lines {
    rows: [Option<usize>; 2],
    lines: [Vec<i32>; 2],
}

impl Lines {
    fn new(length: usize) -> Self {
        Self {
            rows: [None; 2],
            lines: [vec![0; length], vec![0; length]],
        }
    }

    fn pair(&mut self, wanted: [usize; 2], mut make: impl FnMut(usize, &mut [i32])) -> [&[i32]; 2] {
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

fn mix_columns(source: &[u8], columns: &[Tap], line: &mut [i32]) {
    for (tap, out) in columns.iter().zip(line.chunks_exact_mut(CHANNELS)) {
        let [left, right] = tap.positions.map(|x| &source[x * CHANNELS..][..CHANNELS]);
        for c in 0..CHANNELS {
            out[c] = i32::from(left[c]) * tap.weights[0] + i32::from(right[c]) * tap.weights[1];
        }
    }
}

/// OpenCV's rounding: the low bits are dropped in three places, and only at the end is half added.
fn mix_rows(lines: [&[i32]; 2], weights: [i32; 2], out: &mut [u8]) {
    for (out, (upper, lower)) in out.iter_mut().zip(lines[0].iter().zip(lines[1])) {
        let part = |value: i32, weight: i32| (weight * (value >> 4)) >> 16;
        *out = ((part(*upper, weights[0]) + part(*lower, weights[1]) + 2) >> 2) as u8;
    }
}

/// Where target position `i` lies in the source: the position to its left, and how far it is beyond, in f32.
fn place(i: usize, source: usize, target: usize) -> (isize, f32) {
    // OpenCV inverts the inverse scale; the quotient itself may differ in the last bit.
    let scale = 1.0 / (target as f64 / source as f64);
    let position = ((i as f64 + 0.5) * scale - 0.5) as f32;
    let floor = position.floor();
    (floor as isize, position - floor)
}

fn weights(beyond: f32) -> [i32; 2] {
    let round = |weight: f32| (weight * ONE as f32).round_ties_even() as i32;
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
