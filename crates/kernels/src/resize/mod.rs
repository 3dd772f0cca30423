//! Resizing of 8-bit RGB, equal to the bit to the libraries that published accuracies were measured with.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(not(target_arch = "x86_64"))]
#[path = "no_avx2.rs"]
mod avx2;
mod opencv;
mod pillow;

pub(crate) use avx2::Avx2;

use crate::engine::Isa;
use opencv::Linear;
use pillow::{Antialiased, BICUBIC, BILINEAR, Order};

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

/// From which size to which, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The image.
    pub source: Extent,
    /// The resized image.
    pub target: Extent,
    /// The part of it that is computed.
    pub window: Window,
}

impl Geometry {
    fn check(&self) {
        let Self {
            source,
            target,
            window,
        } = self;
        assert!(source.width > 0 && source.height > 0, "the source has no pixels");
        assert!(
            window.extent.width > 0 && window.extent.height > 0,
            "the window has no pixels"
        );
        assert!(
            window.left + window.extent.width <= target.width
                && window.top + window.extent.height <= target.height,
            "{window:?} does not lie in {target:?}"
        );
    }
}

/// Whose resizing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resampling {
    /// OpenCV 4's `INTER_LINEAR`: half-pixel centres, no antialias, 11-bit fixed-point weights. As there, an exact
    /// halving of both sides averages four pixels.
    OpenCvLinear,
    /// `BILINEAR` of Pillow up to 12: a triangle as wide as the reduction, 22-bit weights, first along rows, then along
    /// columns, rounded to 8 bits in between.
    PillowBilinear,
    /// `BICUBIC` of Pillow up to 12: the same with the cubic of a = -0.5.
    PillowBicubic,
    /// `BILINEAR` of Pillow 13, which goes along columns first where an image is tall: a sample is then at most one step
    /// of 255 away, or two.
    Pillow13Bilinear,
    /// `BICUBIC` of Pillow 13.
    Pillow13Bicubic,
}

/// Resizes images of any sizes, one after the other; what it needs in between is kept, so that nothing is allocated
/// once the largest has been seen.
#[derive(Clone, Debug)]
pub struct Resizer {
    unit: Option<Avx2>,
    planned: Option<Geometry>,
    plan: Plan,
    line: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Plan {
    Linear(Linear),
    Antialiased(Antialiased),
}

/// Bytes of a pixel.
const CHANNELS: usize = 3;
/// Bytes of a pixel in between: a fourth makes it a 32-bit word.
pub(crate) const LANES: usize = 4;
/// Lines are padded to whole blocks of this many bytes, a multiple of every vector's.
const BLOCK: usize = 32;

impl Resizer {
    /// A resizer on the best vector unit of this CPU.
    pub fn new(resampling: Resampling) -> Self {
        Self::on(resampling, Isa::best())
    }

    /// A resizer on this vector unit; all give the same bytes.
    pub fn on(resampling: Resampling, isa: Isa) -> Self {
        Self {
            unit: Avx2::of(isa),
            planned: None,
            plan: match resampling {
                Resampling::OpenCvLinear => Plan::Linear(Linear::default()),
                Resampling::PillowBilinear => Plan::Antialiased(Antialiased::new(BILINEAR, Order::Across)),
                Resampling::PillowBicubic => Plan::Antialiased(Antialiased::new(BICUBIC, Order::Across)),
                Resampling::Pillow13Bilinear => Plan::Antialiased(Antialiased::new(BILINEAR, Order::ByShape)),
                Resampling::Pillow13Bicubic => Plan::Antialiased(Antialiased::new(BICUBIC, Order::ByShape)),
            },
            line: Vec::new(),
        }
    }

    /// Hands over the rows of the window of the resized image, from the top: the row's number, and four bytes a pixel,
    /// of which the fourth means nothing. `source` is interleaved RGB, row by row.
    ///
    /// # Panics
    /// If an extent is zero, the window does not lie in the target, or `source` has not the length of its extent.
    pub fn run(&mut self, geometry: Geometry, source: &[u8], mut row: impl FnMut(usize, &[u8])) {
        let Extent { width, height } = geometry.source;
        assert_eq!(source.len(), width * height * CHANNELS, "source");
        if self.planned != Some(geometry) {
            geometry.check();
            match &mut self.plan {
                Plan::Linear(plan) => plan.prepare(&geometry),
                Plan::Antialiased(plan) => plan.prepare(&geometry),
            }
            self.planned = Some(geometry);
        }
        let bytes = geometry.window.extent.width * LANES;
        self.line.resize(bytes.next_multiple_of(BLOCK), 0);
        let image = Image {
            pixels: source,
            stride: width * CHANNELS,
        };
        let row = |y: usize, line: &[u8]| row(y, &line[..bytes]);
        match &mut self.plan {
            Plan::Linear(plan) => plan.run(self.unit, image, &mut self.line, row),
            Plan::Antialiased(plan) => plan.run(self.unit, image, &mut self.line, row),
        }
    }
}

/// The image that is resized.
#[derive(Clone, Copy)]
struct Image<'a> {
    pixels: &'a [u8],
    /// Bytes of a row.
    stride: usize,
}

impl<'a> Image<'a> {
    /// All from the beginning of this row: vectors may read beyond a row's end, but not beyond the image's.
    fn rows_from(&self, row: usize) -> &'a [u8] {
        &self.pixels[row * self.stride..]
    }
}
