use crate::{Placement, Size};

/// An affine map from pixels of a photo to pixels of a crop: `[[a, b, c], [d, e, f]]` maps (x, y) to
/// (a x + b y + c, d x + e y + f).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine(pub [[f64; 3]; 2]);

impl Affine {
    /// Returns MSRA's map: the placement's centre becomes the crop's, and its width the crop's width.
    ///
    /// Equal to mmpose's `get_warp_matrix` to the bit: it states three points in f32 and lets OpenCV solve for the matrix. At ties
    /// of the warp's rounding the last bit of the matrix decides, so the closed form is not enough.
    pub fn msra(placement: &Placement, size: Size) -> Self {
        let [x, y] = placement.center;
        let left = (f64::from(x) + f64::from(placement.scale[0] * -0.5)) as f32;
        let (width, height) = (size.width as f64, size.height as f64);
        let middle = [width * 0.5, height * 0.5].map(|value| value as f32);
        three_points(corner([x, y], [left, y]), corner(middle, [0.0, middle[1]]))
    }

    /// Returns UDP's map: of the distances between first and last pixels, not of the widths. Each axis has its own factor.
    ///
    /// Equal to mmpose's `get_udp_warp_matrix` to the bit, as NumPy 2 computes it: every step in f32.
    pub fn udp(placement: &Placement, size: Size) -> Self {
        let row = |axis: usize, side: usize| {
            let (center, scale) = (placement.center[axis], placement.scale[axis]);
            let factor = (side - 1) as f32 / scale;
            let shift = factor * (-0.5 * (center * 2.0) + 0.5 * scale);
            [f64::from(factor), f64::from(shift)]
        };
        let ([a, c], [e, f]) = (row(0, size.width), row(1, size.height));
        Self([[a, 0.0, c], [0.0, e, f]])
    }

    /// Returns the map of a point (x, y).
    pub fn of(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        self.0.map(|[a, b, c]| a * x + b * y + c)
    }

    /// Returns the map back, as `warpAffine` computes it; if there is none, that to the point (0, 0).
    pub(crate) fn inverse(&self) -> Self {
        let [[a, b, c], [d, e, f]] = self.0;
        let determinant = a * e - b * d;
        let factor = if determinant == 0.0 {
            0.0
        } else {
            1.0 / determinant
        };
        let (a, b, d, e) = (e * factor, b * -factor, d * -factor, a * factor);
        Self([[a, b, -a * c - b * f], [d, e, -d * c - e * f]])
    }
}

/// Returns the two points and the end of their distance turned by a right angle about the second.
fn corner(first: [f32; 2], second: [f32; 2]) -> [[f32; 2]; 3] {
    let direction = [first[0] - second[0], first[1] - second[1]];
    [
        first,
        second,
        [second[0] - direction[1], second[1] + direction[0]],
    ]
}

/// Returns the map of three points to three others, as `getAffineTransform` solves for it: by a decomposition of a matrix of
/// 6 x 6 in f64 with pivots of the rows.
fn three_points(from: [[f32; 2]; 3], to: [[f32; 2]; 3]) -> Affine {
    let mut rows = [[0.0; 6]; 6];
    let mut sides = [0.0; 6];
    for (point, (from, to)) in from.iter().zip(to).enumerate() {
        for axis in 0..2 {
            let row = &mut rows[2 * point + axis][3 * axis..][..3];
            row.copy_from_slice(&[f64::from(from[0]), f64::from(from[1]), 1.0]);
            sides[2 * point + axis] = f64::from(to[axis]);
        }
    }
    solve(&mut rows, &mut sides);
    let [a, b, c, d, e, f] = sides;
    Affine([[a, b, c], [d, e, f]])
}

/// Solves `rows * x = sides`; the result is in `sides`.
fn solve(rows: &mut [[f64; 6]; 6], sides: &mut [f64; 6]) {
    for i in 0..6 {
        let mut pivot = i;
        for row in i + 1..6 {
            if rows[row][i].abs() > rows[pivot][i].abs() {
                pivot = row;
            }
        }
        rows.swap(i, pivot);
        sides.swap(i, pivot);
        let upper = rows[i];
        let inverse = -1.0 / upper[i];
        for row in i + 1..6 {
            let factor = rows[row][i] * inverse;
            for (value, upper) in rows[row].iter_mut().zip(upper).skip(i + 1) {
                *value += factor * upper;
            }
            sides[row] += factor * sides[i];
        }
    }
    for i in (0..6).rev() {
        let mut sum = sides[i];
        for (factor, side) in rows[i].iter().zip(sides.iter()).skip(i + 1) {
            sum -= factor * side;
        }
        sides[i] = sum / rows[i][i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACEMENT: Placement = Placement {
        center: [105.0, 90.0],
        scale: [75.0, 100.0],
    };
    const SIZE: Size = Size::new(192, 256);

    #[test]
    fn msra_maps_the_centre_to_the_centre_and_udp_the_corners_to_the_last_pixels() {
        let near = |found: [f64; 2], expected: [f64; 2]| {
            let far = (found[0] - expected[0]).abs().max((found[1] - expected[1]).abs());
            assert!(far < 1e-4, "{found:?} for {expected:?}");
        };
        let msra = Affine::msra(&PLACEMENT, SIZE);
        near(msra.of([105.0, 90.0]), [96.0, 128.0]);
        near(msra.of([67.5, 40.0]), [0.0, 0.0]);
        let udp = Affine::udp(&PLACEMENT, SIZE);
        near(udp.of([67.5, 40.0]), [0.0, 0.0]);
        near(udp.of([142.5, 140.0]), [191.0, 255.0]);
    }

    #[test]
    fn the_inverse_maps_back_and_that_of_no_map_is_finite() {
        let turned = Affine([[0.6, -0.8, 7.0], [0.8, 0.6, -3.0]]);
        let [x, y] = turned.inverse().of(turned.of([12.0, 34.0]));
        assert!((x - 12.0).abs() < 1e-12 && (y - 34.0).abs() < 1e-12, "{x}, {y}");
        let flat = Affine([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0]]).inverse();
        assert_eq!(flat.of([9.0, 9.0]), [0.0, 0.0]);
    }
}
