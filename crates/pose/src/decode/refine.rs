//! Offsets of keypoints from the highest pixels of their maps, each as mmpose computes it.

use super::blur::{Blurred, Border};
use super::{Map, Peak};

/// Returns a quarter of a pixel towards the larger neighbour of each axis. Of the outermost pixels mmpose leaves out some and
/// not others; the conditions are its own.
pub(super) fn msra(map: &Map, peak: Peak) -> [f64; 2] {
    let (x, y) = (peak.x, peak.y);
    let (width, height) = (map.size.width, map.size.height);
    let quarter = |low: f32, high: f32| match high.partial_cmp(&low) {
        Some(std::cmp::Ordering::Greater) => 0.25,
        Some(std::cmp::Ordering::Less) => -0.25,
        _ => 0.0,
    };
    let mut offset = [0.0; 2];
    if x > 1 && x + 1 < width && y > 0 {
        offset[0] = quarter(map.at(x - 1, y), map.at(x + 1, y));
    }
    if y > 1 && y + 1 < height && x > 0 {
        offset[1] = quarter(map.at(x, y - 1), map.at(x, y + 1));
    }
    offset
}

/// Returns the top of the paraboloid through the logarithms of the blurred map, of differences over two pixels; zero within
/// two pixels of the border.
pub(super) fn dark(map: &Map, peak: Peak, taps: usize) -> Option<[f64; 2]> {
    let (x, y) = (peak.x, peak.y);
    if x < 2 || x + 2 >= map.size.width || y < 2 || y + 2 >= map.size.height {
        return Some([0.0; 2]);
    }
    let blurred = Blurred::new(map, taps, Border::Zero);
    let log = blurred.logarithms(peak.score, 1e-10, f64::INFINITY)?;
    let middle = log.at(x, y);
    let corners = log.at(x + 1, y + 1) - log.at(x + 1, y - 1) - log.at(x - 1, y + 1) + log.at(x - 1, y - 1);
    let top = Paraboloid {
        slope: [
            0.5 * (log.at(x + 1, y) - log.at(x - 1, y)),
            0.5 * (log.at(x, y + 1) - log.at(x, y - 1)),
        ],
        xx: 0.25 * (log.at(x + 2, y) - 2.0 * middle + log.at(x - 2, y)),
        yy: 0.25 * (log.at(x, y + 2) - 2.0 * middle + log.at(x, y - 2)),
        xy: 0.25 * corners,
    };
    top.offset()
}

/// Returns the top of the paraboloid through the logarithms of the blurred map, of differences over one pixel; beyond the
/// border the outermost pixels are repeated.
pub(super) fn udp(map: &Map, peak: Peak, taps: usize) -> Option<[f64; 2]> {
    let blurred = Blurred::new(map, taps, Border::Zero);
    let log = blurred.logarithms(peak.score, 1e-3, 50.0)?;
    let beside = |place: usize, side: usize| [place.saturating_sub(1), place, (place + 1).min(side - 1)];
    let (columns, rows) = (beside(peak.x, map.size.width), beside(peak.y, map.size.height));
    let at = |x: usize, y: usize| log.at(columns[x], rows[y]);
    let middle = at(1, 1);
    let eps = f64::from(f32::EPSILON);
    let cross = at(2, 2) - at(2, 1) - at(1, 2) + 2.0 * middle - at(0, 1) - at(1, 0) + at(0, 0);
    let top = Paraboloid {
        slope: [0.5 * (at(2, 1) - at(0, 1)), 0.5 * (at(1, 2) - at(1, 0))],
        xx: at(2, 1) - 2.0 * middle + at(0, 1) + eps,
        yy: at(1, 2) - 2.0 * middle + at(1, 0) + eps,
        xy: 0.5 * cross,
    };
    top.offset()
}

/// Slope and curvature of a map at a pixel.
struct Paraboloid {
    slope: [f64; 2],
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Paraboloid {
    /// Returns the offset of the place without slope; `None` if there is not one such place.
    fn offset(&self) -> Option<[f64; 2]> {
        let determinant = self.xx * self.yy - self.xy * self.xy;
        let [x, y] = self.slope;
        let offset = [
            (self.xy * y - self.yy * x) / determinant,
            (self.xy * x - self.xx * y) / determinant,
        ];
        offset.iter().all(|value| value.is_finite()).then_some(offset)
    }
}
