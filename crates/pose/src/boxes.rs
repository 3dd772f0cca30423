use crate::Size;

/// Each side of a box grows by this factor, so that the crop shows what is around the person.
const PADDING: f32 = 1.25;
/// A side that is shorter is empty, pixels.
const SHORTEST: f32 = 1e-3;
/// The farthest coordinate, pixels; beyond it the warp's coordinates would not fit.
const FARTHEST: f64 = 1e6;

/// A box around a person that can be cropped: corners in pixels of the photo, x to the right, y down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PersonBox {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

/// The part of a photo that a network sees: a box with padding, as wide for its height as the network's input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Its centre: x and y, pixels of the photo.
    pub center: [f32; 2],
    /// Its sides: width and height, pixels of the photo.
    pub scale: [f32; 2],
}

/// A box that cannot be cropped. The others of the photo are not concerned.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BoxError {
    /// A coordinate is NaN or infinite.
    #[error("the box {0:?} (x, y, width, height) is not finite; correct it or leave it out")]
    NotFinite([f64; 4]),
    /// A side is below zero.
    #[error(
        "the box {0:?} (x, y, width, height) has a negative side; boxes are x, y, width, height, and not two corners"
    )]
    Negative([f64; 4]),
    /// A side is zero, or so short that nothing can be seen in it.
    #[error(
        "the box {0:?} (x, y, width, height) is empty: a side is shorter than 0.001 pixels; leave it out"
    )]
    Empty([f64; 4]),
    /// A coordinate is beyond any photo.
    #[error(
        "the box {0:?} (x, y, width, height) reaches beyond 1000000 pixels; boxes are in pixels of the photo"
    )]
    TooFar([f64; 4]),
    /// No part of the box is on the photo.
    #[error(
        "the box {xywh:?} (x, y, width, height) is outside the photo of {} x {} pixels; is it a box of another photo?",
        photo.width,
        photo.height
    )]
    Outside {
        /// x, y, width and height, pixels.
        xywh: [f64; 4],
        /// The photo's extent.
        photo: Size,
    },
}

impl PersonBox {
    /// Returns a detector's box (x, y, width, height in pixels); it may reach beyond the photo.
    ///
    /// # Errors
    /// If the box is not finite, empty, negative, too far away or entirely outside the photo.
    pub fn detected(xywh: [f64; 4], photo: Size) -> Result<Self, BoxError> {
        check(xywh)?;
        let [x, y, width, height] = xywh.map(|value| value as f32);
        Self {
            left: x,
            top: y,
            right: x + width,
            bottom: y + height,
        }
        .on(photo, xywh)
    }

    /// Returns one result per box of a detector, in their order, so that a bad box costs nobody else.
    pub fn all_detected(boxes: &[[f64; 4]], photo: Size) -> Vec<Result<Self, BoxError>> {
        boxes.iter().map(|xywh| Self::detected(*xywh, photo)).collect()
    }

    /// Returns an annotated box (x, y, width, height in pixels), clipped to the photo as mmpose clips the boxes of COCO's
    /// annotations: to the centres of its first and last pixels.
    ///
    /// # Errors
    /// As [`PersonBox::detected`].
    pub fn annotated(xywh: [f64; 4], photo: Size) -> Result<Self, BoxError> {
        Self::detected(xywh, photo)?;
        let [x, y, width, height] = xywh;
        let clipped = |value: f64, side: usize| value.clamp(0.0, side.saturating_sub(1) as f64) as f32;
        Self {
            left: clipped(x, photo.width),
            top: clipped(y, photo.height),
            right: clipped(x + width, photo.width),
            bottom: clipped(y + height, photo.height),
        }
        .on(photo, xywh)
    }

    /// Returns the box of a whole photo, for photos of one person without a box.
    ///
    /// # Errors
    /// If the photo has no pixels, or a side of more than a million.
    pub fn whole(photo: Size) -> Result<Self, BoxError> {
        Self::detected([0.0, 0.0, photo.width as f64, photo.height as f64], photo)
    }

    /// Returns the box as x, y, width, height, pixels of the photo.
    pub fn xywh(&self) -> [f64; 4] {
        let [left, top] = [self.left, self.top].map(f64::from);
        [
            left,
            top,
            f64::from(self.right) - left,
            f64::from(self.bottom) - top,
        ]
    }

    /// Returns the part of the photo that a network of this input sees: the padded box, with one side enlarged to the input's
    /// ratio of width to height. Equal to mmpose to the bit, every step in f32.
    pub fn place(&self, input: Size) -> Placement {
        let center = [(self.right + self.left) * 0.5, (self.bottom + self.top) * 0.5];
        let width = (self.right - self.left) * PADDING;
        let height = (self.bottom - self.top) * PADDING;
        let aspect = (input.width as f64 / input.height as f64) as f32;
        let scale = if width > height * aspect {
            [width, width / aspect]
        } else {
            [height * aspect, height]
        };
        Placement { center, scale }
    }

    fn on(self, photo: Size, xywh: [f64; 4]) -> Result<Self, BoxError> {
        let beyond = |low: f32, high: f32, side: usize| high <= 0.0 || low >= side as f32;
        if beyond(self.left, self.right, photo.width) || beyond(self.top, self.bottom, photo.height) {
            return Err(BoxError::Outside { xywh, photo });
        }
        // In f32 a short side may vanish beside a large coordinate.
        if self.right - self.left < SHORTEST || self.bottom - self.top < SHORTEST {
            return Err(BoxError::Empty(xywh));
        }
        Ok(self)
    }
}

impl Placement {
    /// Returns the area, square pixels of the photo: what non-maximum suppression takes for a person's size.
    pub fn area(&self) -> f64 {
        f64::from(self.scale[0]) * f64::from(self.scale[1])
    }

    /// Returns the place on the photo of a point (x, y) of the network's input, both in pixels.
    pub fn to_photo(&self, input: Size, point: [f64; 2]) -> [f64; 2] {
        let sides = [input.width as f64, input.height as f64];
        [0, 1].map(|axis| {
            let [center, scale] = [self.center, self.scale].map(|pair| f64::from(pair[axis]));
            point[axis] / sides[axis] * scale + center - 0.5 * scale
        })
    }
}

fn check(xywh: [f64; 4]) -> Result<(), BoxError> {
    let [x, y, width, height] = xywh;
    if !xywh.iter().all(|value| value.is_finite()) {
        Err(BoxError::NotFinite(xywh))
    } else if width < 0.0 || height < 0.0 {
        Err(BoxError::Negative(xywh))
    } else if [x, y, width, height, x + width, y + height]
        .iter()
        .any(|value| value.abs() > FARTHEST)
    {
        Err(BoxError::TooFar(xywh))
    } else if width < f64::from(SHORTEST) || height < f64::from(SHORTEST) {
        Err(BoxError::Empty(xywh))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHOTO: Size = Size::new(640, 480);
    const INPUT: Size = Size::new(192, 256);

    #[test]
    fn a_bad_box_has_its_own_error_and_leaves_the_others() {
        let boxes = [
            [10.0, 10.0, 50.0, 100.0],
            [10.0, f64::NAN, 50.0, 100.0],
            [10.0, 10.0, -5.0, 100.0],
            [10.0, 10.0, 50.0, 0.0],
            [640.0, 10.0, 50.0, 100.0],
            [-60.0, 10.0, 50.0, 100.0],
            [0.0, 0.0, 1e9, 1.0],
            [1e5, 0.0, f64::INFINITY, 1.0],
            [600.0, 400.0, 300.0, 300.0],
        ];
        let people = PersonBox::all_detected(&boxes, PHOTO);
        let errors: Vec<Option<BoxError>> = people.iter().map(|person| person.err()).collect();
        assert!(matches!(
            errors[..],
            [
                None,
                Some(BoxError::NotFinite(_)),
                Some(BoxError::Negative(_)),
                Some(BoxError::Empty(_)),
                Some(BoxError::Outside { .. }),
                Some(BoxError::Outside { .. }),
                Some(BoxError::TooFar(_)),
                Some(BoxError::NotFinite(_)),
                None,
            ]
        ));
        let text = errors[4].expect("an error").to_string();
        assert!(
            text.contains("[640.0, 10.0, 50.0, 100.0]") && text.contains("640 x 480"),
            "{text}"
        );
    }

    #[test]
    fn a_side_that_f32_loses_is_empty() {
        // Beside 131072 steps of f32 are 1/64.
        let photo = Size::new(200_000, 10);
        let lost = PersonBox::detected([131_072.0, 0.0, 0.002, 5.0], photo);
        assert_eq!(lost, Err(BoxError::Empty([131_072.0, 0.0, 0.002, 5.0])));
    }

    #[test]
    fn the_shorter_side_grows_to_the_inputs_ratio_and_maps_back() {
        let tall = PersonBox::detected([100.0, 50.0, 10.0, 80.0], PHOTO).expect("a box");
        let placement = tall.place(INPUT);
        assert_eq!(
            (placement.center, placement.scale),
            ([105.0, 90.0], [75.0, 100.0])
        );
        assert_eq!(placement.area(), 7500.0);
        assert_eq!(placement.to_photo(INPUT, [96.0, 128.0]), [105.0, 90.0]);
        assert_eq!(placement.to_photo(INPUT, [0.0, 256.0]), [67.5, 140.0]);
        let wide = PersonBox::detected([100.0, 50.0, 60.0, 4.0], PHOTO).expect("a box");
        assert_eq!(wide.place(INPUT).scale, [75.0, 100.0]);
    }

    #[test]
    fn annotated_boxes_are_clipped_to_the_photo_and_detected_ones_are_not() {
        let xywh = [-10.0, 400.0, 660.0, 100.0];
        let detected = PersonBox::detected(xywh, PHOTO).expect("a box");
        assert_eq!(detected.xywh(), xywh);
        let annotated = PersonBox::annotated(xywh, PHOTO).expect("a box");
        assert_eq!(annotated.xywh(), [0.0, 400.0, 639.0, 79.0]);
        let border = PersonBox::annotated([639.5, 10.0, 20.0, 20.0], PHOTO);
        assert!(
            matches!(border, Err(BoxError::Empty(_))),
            "nothing is left: {border:?}"
        );
        assert_eq!(
            PersonBox::whole(PHOTO).expect("a box").xywh(),
            [0.0, 0.0, 640.0, 480.0]
        );
    }
}
