use half::{bf16, f16};

/// A number that a network's input is made of.
pub trait Element: Copy + Default + Send + sealed::Sealed {
    /// The nearest value, ties to even.
    fn from_f32(value: f32) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! element {
    ($type:ty, $convert:expr) => {
        impl sealed::Sealed for $type {}
        impl Element for $type {
            fn from_f32(value: f32) -> Self {
                $convert(value)
            }
        }
    };
}
element!(f32, std::convert::identity);
element!(f16, f16::from_f32);
element!(bf16, bf16::from_f32);

/// 8-bit RGB to normalised planes: `(x / 255 - mean) / std` in f32, rounded once to the element type.
///
/// A byte has 256 values, so each channel is a table.
#[derive(Clone, Debug)]
pub struct Normalize<T> {
    tables: [[T; 256]; 3],
}

impl<T: Element> Normalize<T> {
    /// The tables for these means and standard deviations of the channels, red first.
    pub fn new(mean: [f32; 3], std: [f32; 3]) -> Self {
        // PaddleClas multiplies by the rounded reciprocal; dividing by 255 gives other last bits.
        let scale = 1.0_f32 / 255.0;
        let mut tables = [[T::default(); 256]; 3];
        for (table, (mean, std)) in tables.iter_mut().zip(mean.into_iter().zip(std)) {
            for (byte, entry) in (0_u8..=255).zip(table) {
                *entry = T::from_f32((f32::from(byte) * scale - mean) / std);
            }
        }
        Self { tables }
    }

    /// Writes interleaved `pixels`, `[h, w, 3]`, as planes, `[3, h, w]`.
    ///
    /// # Panics
    /// If the slices differ in length.
    pub fn planes(&self, pixels: &[u8], planes: &mut [T]) {
        assert_eq!(pixels.len(), planes.len(), "one element a byte");
        let plane = (planes.len() / 3).max(1);
        for (channel, (table, out)) in self.tables.iter().zip(planes.chunks_exact_mut(plane)).enumerate() {
            for (out, pixel) in out.iter_mut().zip(pixels.chunks_exact(3)) {
                *out = table[usize::from(pixel[channel])];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_hold_the_normalised_channels() {
        let normalize = Normalize::<f32>::new([0.5, 0.25, 0.0], [0.5, 1.0, 2.0]);
        let mut planes = [0.0; 6];
        normalize.planes(&[255, 0, 51, 0, 255, 255], &mut planes);
        assert_eq!(planes, [1.0, -1.0, -0.25, 0.75, 51.0 * (1.0 / 255.0) / 2.0, 0.5]);
    }

    #[test]
    fn sixteen_bit_elements_are_the_f32_values_rounded() {
        let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let pixels: Vec<u8> = (0..=255).flat_map(|byte| [byte; 3]).collect();
        let mut wide = vec![0.0; 768];
        Normalize::<f32>::new(mean, std).planes(&pixels, &mut wide);
        let mut half = vec![f16::default(); 768];
        Normalize::<f16>::new(mean, std).planes(&pixels, &mut half);
        let mut brain = vec![bf16::default(); 768];
        Normalize::<bf16>::new(mean, std).planes(&pixels, &mut brain);
        for i in 0..768 {
            assert_eq!(
                (half[i], brain[i]),
                (f16::from_f32(wide[i]), bf16::from_f32(wide[i]))
            );
        }
    }
}
