use half::{bf16, f16};

use crate::engine::Isa;
use crate::resize::{Avx2, LANES};

/// A number that a network's input is made of.
pub trait Element: Copy + Default + Send + sealed::Sealed {
    /// The nearest value, ties to even.
    fn from_f32(value: f32) -> Self;
}

mod sealed {
    pub trait Sealed {
        /// `true` if vectors compute it faster than a table gives it.
        const COMPUTED: bool;
    }
}

macro_rules! element {
    ($type:ty, $convert:expr, $computed:expr) => {
        impl sealed::Sealed for $type {
            const COMPUTED: bool = $computed;
        }
        impl Element for $type {
            #[inline(always)]
            fn from_f32(value: f32) -> Self {
                $convert(value)
            }
        }
    };
}
element!(f32, std::convert::identity, true);
element!(f16, f16::from_f32, false);
element!(bf16, bf16::from_f32, false);

/// 8-bit pixels to normalised planes: `(x / 255 - mean) / std` in f32, rounded once to the element type.
#[derive(Clone, Debug)]
pub struct Normalize<T> {
    unit: Option<Avx2>,
    mean: [f32; 3],
    std: [f32; 3],
    /// A byte has 256 values.
    tables: [[T; 256]; 3],
}

impl<T: Element> Normalize<T> {
    /// With these statistics of red, green and blue, on the best vector unit of this CPU.
    pub fn new(mean: [f32; 3], std: [f32; 3]) -> Self {
        Self::on(Isa::best(), mean, std)
    }

    /// The same on this vector unit; all give the same values.
    pub fn on(isa: Isa, mean: [f32; 3], std: [f32; 3]) -> Self {
        let mut tables = [[T::default(); 256]; 3];
        for (c, table) in tables.iter_mut().enumerate() {
            for (byte, entry) in (0_u8..=255).zip(table) {
                *entry = T::from_f32(normalized(byte, mean[c], std[c]));
            }
        }
        Self {
            unit: Avx2::of(isa),
            mean,
            std,
            tables,
        }
    }

    /// Writes row `y` of the planes, `[3, h, w]`, from its pixels of four bytes, as [`Resizer::run`] hands them over.
    ///
    /// [`Resizer::run`]: crate::Resizer::run
    ///
    /// # Panics
    /// If the planes have no such row.
    pub fn row(&self, y: usize, pixels: &[u8], planes: &mut [T]) {
        let (width, plane) = (pixels.len() / LANES, planes.len() / 3);
        for c in 0..3 {
            let out = &mut planes[c * plane..][..plane][y * width..][..width];
            match self.unit {
                _ if !T::COMPUTED => self.look_up(c, pixels, out),
                Some(unit) => unit.call(
                    #[inline(always)]
                    || self.compute(c, pixels, out),
                ),
                None => self.compute(c, pixels, out),
            }
        }
    }

    #[inline(always)]
    fn look_up(&self, c: usize, pixels: &[u8], out: &mut [T]) {
        for (out, pixel) in out.iter_mut().zip(pixels.chunks_exact(LANES)) {
            *out = self.tables[c][usize::from(pixel[c])];
        }
    }

    #[inline(always)]
    fn compute(&self, c: usize, pixels: &[u8], out: &mut [T]) {
        let (mean, std) = (self.mean[c], self.std[c]);
        for (out, pixel) in out.iter_mut().zip(pixels.chunks_exact(LANES)) {
            // Whole words, so that the compiler loads whole vectors.
            let word = u32::from_le_bytes([pixel[0], pixel[1], pixel[2], pixel[3]]);
            *out = T::from_f32(normalized((word >> (8 * c)) as u8, mean, std));
        }
    }
}

/// PaddleClas multiplies by the rounded reciprocal; dividing by 255 gives other last bits.
#[inline(always)]
fn normalized(byte: u8, mean: f32, std: f32) -> f32 {
    (f32::from(byte) * (1.0_f32 / 255.0) - mean) / std
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_hold_the_normalised_channels() {
        let normalize = Normalize::<f32>::new([0.5, 0.25, 0.0], [0.5, 1.0, 2.0]);
        let mut planes = [0.0; 6];
        normalize.row(0, &[255, 0, 51, 9], &mut planes);
        normalize.row(1, &[0, 255, 255, 9], &mut planes);
        assert_eq!(planes, [1.0, -1.0, -0.25, 0.75, 51.0 * (1.0 / 255.0) / 2.0, 0.5]);
    }

    #[test]
    fn every_unit_and_type_gives_the_rounded_f32_values() {
        let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let pixels: Vec<u8> = (0..=255)
            .flat_map(|byte| [byte, 255 - byte, byte ^ 0x55, 7])
            .collect();
        fn planes<T: Element>(isa: Isa, pixels: &[u8], mean: [f32; 3], std: [f32; 3]) -> Vec<T> {
            let mut planes = vec![T::default(); 768];
            Normalize::<T>::on(isa, mean, std).row(0, pixels, &mut planes);
            planes
        }
        for isa in Isa::available() {
            let wide = planes::<f32>(isa, &pixels, mean, std);
            for (i, value) in wide.iter().enumerate() {
                let (c, x) = (i / 256, i % 256);
                let byte = f32::from(pixels[4 * x + c]);
                assert_eq!(
                    *value,
                    (byte * (1.0 / 255.0) - mean[c]) / std[c],
                    "{}, {c}, {x}",
                    isa.name()
                );
            }
            let rounded: Vec<f16> = wide.iter().copied().map(f16::from_f32).collect();
            assert_eq!(planes::<f16>(isa, &pixels, mean, std), rounded);
            let rounded: Vec<bf16> = wide.iter().copied().map(bf16::from_f32).collect();
            assert_eq!(planes::<bf16>(isa, &pixels, mean, std), rounded);
        }
    }
}
