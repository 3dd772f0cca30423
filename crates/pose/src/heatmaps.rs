use crate::Size;

/// A network's output for one person: maps `[maps, height, width]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heatmaps<'a> {
    values: &'a [f32],
    size: Size,
}

/// Maps that do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeatmapError {
    /// The values are not whole maps of the size.
    #[error(
        "heatmaps of {} x {} pixels cannot be cut from {values} values: expected {} for each",
        size.width,
        size.height,
        size.pixels()
    )]
    Size {
        /// The number of values.
        values: usize,
        /// The size of a map.
        size: Size,
    },
    /// The number of maps is not that of the skeleton's keypoints times the maps of each.
    #[error(
        "the network has {found} heatmaps, and {keypoints} keypoints take {expected}; the weights and the skeleton are of different \
         tasks"
    )]
    Count {
        /// The number of maps.
        found: usize,
        /// The number of keypoints.
        keypoints: usize,
        /// The number of maps that these take.
        expected: usize,
    },
}

impl<'a> Heatmaps<'a> {
    /// Returns the maps of these values, `[maps, height, width]`.
    ///
    /// # Errors
    /// If a map has no pixels, or the values are not whole maps.
    pub fn new(values: &'a [f32], size: Size) -> Result<Self, HeatmapError> {
        match size.pixels() {
            0 => None,
            pixels => values
                .len()
                .is_multiple_of(pixels)
                .then_some(Self { values, size }),
        }
        .ok_or(HeatmapError::Size {
            values: values.len(),
            size,
        })
    }

    /// Returns the size of each map.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Returns the number of maps.
    pub fn count(&self) -> usize {
        self.values.len() / self.size.pixels()
    }

    pub(crate) fn map(&self, index: usize) -> Map<'a> {
        let pixels = self.size.pixels();
        Map {
            values: &self.values[index * pixels..][..pixels],
            size: self.size,
        }
    }
}

/// One map, `[height, width]`.
#[derive(Clone, Copy)]
pub(crate) struct Map<'a, T = f32> {
    pub(crate) values: &'a [T],
    pub(crate) size: Size,
}

/// The highest pixel of a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Peak {
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) score: f32,
}

impl<T: Copy> Map<'_, T> {
    pub(crate) fn at(&self, x: usize, y: usize) -> T {
        self.values[y * self.size.width + x]
    }
}

impl Map<'_> {
    /// Returns the first of the highest pixels, row by row; `None` if none is above zero, or one is NaN or infinite.
    pub(crate) fn peak(&self) -> Option<Peak> {
        let mut best = 0;
        for (at, value) in self.values.iter().enumerate() {
            if !value.is_finite() {
                return None;
            }
            if *value > self.values[best] {
                best = at;
            }
        }
        let score = self.values[best];
        let (x, y) = (best % self.size.width, best / self.size.width);
        (score > 0.0).then_some(Peak { x, y, score })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peak(values: &[f32]) -> Option<(usize, usize, f32)> {
        let maps = Heatmaps::new(values, Size::new(3, 2)).expect("maps");
        maps.map(0).peak().map(|peak| (peak.x, peak.y, peak.score))
    }

    #[test]
    fn the_first_of_equal_maxima_counts_and_a_map_without_a_positive_one_has_none() {
        assert_eq!(peak(&[0.0, 0.1, 0.5, 0.5, 0.2, 0.5]), Some((2, 0, 0.5)));
        assert_eq!(peak(&[-1.0, -0.5, -2.0, 0.0, -0.0, -1.0]), None);
        assert_eq!(peak(&[0.0, 0.1, f32::NAN, 0.5, 0.2, 0.5]), None);
        assert_eq!(peak(&[f32::NAN, 0.1, 0.2, 0.5, 0.2, 0.5]), None);
        assert_eq!(peak(&[0.0, 0.1, f32::INFINITY, 0.5, 0.2, 0.5]), None);
        assert_eq!(peak(&[0.0, 0.1, f32::NEG_INFINITY, 0.5, 0.2, 0.5]), None);
    }

    #[test]
    fn values_that_are_no_whole_maps_are_refused() {
        let error = Heatmaps::new(&[0.0; 7], Size::new(3, 2)).expect_err("seven values");
        assert_eq!(
            error.to_string(),
            "heatmaps of 3 x 2 pixels cannot be cut from 7 values: expected 6 for each"
        );
        assert!(Heatmaps::new(&[], Size::new(0, 2)).is_err());
        assert_eq!(
            Heatmaps::new(&[0.0; 12], Size::new(3, 2)).expect("maps").count(),
            2
        );
    }
}
