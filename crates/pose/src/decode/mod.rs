//! From heatmaps to keypoints.

use std::fmt;
use std::str::FromStr;

use crate::heatmaps::{HeatmapError, Heatmaps, Map, Peak};
use crate::{Placement, Size};

mod blur;
mod refine;

use blur::{Blurred, Border};

/// Taps of the blur of DARK and UDP in mmpose 1.x, whatever the size of the network.
pub const BLUR_TAPS: usize = 11;
/// A refined place may lie this far beyond its map, pixels of the map.
const BEYOND: f64 = 1.0;
/// The reach of UDP's offsets, as a share of the larger side of the map.
const RADIUS: f64 = 0.0546875;

/// A keypoint that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keypoint {
    /// Pixels to the right: of the network's input from [`Decoder::decode`], of the photo from [`Decoder::people`].
    pub x: f64,
    /// Pixels down, of the same.
    pub y: f64,
    /// The highest value of its heatmap: above 0, and about 1 for a keypoint that is clearly seen.
    pub score: f32,
}

/// The way from heatmaps to keypoints, which belongs to the weights: how they were trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoder {
    /// The highest pixel, moved by a quarter of a pixel towards its larger neighbours. Microsoft's networks and mmpose's plain
    /// ones.
    Msra,
    /// DARK: the top of a paraboloid through the logarithms of the blurred map.
    Dark {
        /// Taps of the blur, an odd number: [`BLUR_TAPS`].
        taps: usize,
    },
    /// UDP: the same with other differences, and with sizes counted from the first pixel's centre to the last one's.
    Udp {
        /// Taps of the blur, an odd number: [`BLUR_TAPS`].
        taps: usize,
    },
    /// UDP with three maps per keypoint: a score, and offsets in x and y.
    UdpOffsets {
        /// The score is blurred with twice as many taps and one: [`BLUR_TAPS`].
        taps: usize,
    },
}

impl Decoder {
    /// Returns true if crops are made by [UDP's map](crate::Affine::udp).
    pub fn unbiased(self) -> bool {
        matches!(self, Self::Udp { .. } | Self::UdpOffsets { .. })
    }

    /// Returns the number of heatmaps per keypoint.
    pub fn maps(self) -> usize {
        match self {
            Self::UdpOffsets { .. } => 3,
            _ => 1,
        }
    }

    /// Returns the keypoints of one person, x and y in pixels of the network's input.
    ///
    /// Places and scores are those of mmpose 1.3.2. In these cases mmpose's result depends on neighbouring memory, or is no
    /// place, and we have a rule of our own:
    ///
    /// | map | result |
    /// |---|---|
    /// | no value above zero | `None` |
    /// | a value is NaN or infinite | `None`: the network is broken there, and a place would be invented |
    /// | several equal maxima | the first, row by row (as in mmpose) |
    /// | the paraboloid has no top, or the blur leaves nothing positive | the highest pixel itself |
    /// | the refined place is more than one pixel beyond the map | the highest pixel itself |
    ///
    /// # Errors
    /// If the number of maps is not `keypoints * maps()`.
    pub fn decode(
        self,
        heatmaps: &Heatmaps,
        input: Size,
        keypoints: usize,
    ) -> Result<Vec<Option<Keypoint>>, HeatmapError> {
        let expected = keypoints * self.maps();
        let found = heatmaps.count();
        if found != expected {
            return Err(HeatmapError::Count {
                found,
                keypoints,
                expected,
            });
        }
        Ok((0..keypoints)
            .map(|index| self.keypoint(heatmaps, index, input))
            .collect())
    }

    /// Returns the keypoints of several people, each on its photo: maps `[people, keypoints * maps(), height, width]`, and where
    /// each person is.
    ///
    /// # Errors
    /// If the values are not as many maps as the people and keypoints take.
    pub fn people(
        self,
        values: &[f32],
        size: Size,
        input: Size,
        keypoints: usize,
        placements: &[Placement],
    ) -> Result<Vec<Vec<Option<Keypoint>>>, HeatmapError> {
        let heatmaps = Heatmaps::new(values, size)?;
        let each = keypoints * self.maps() * size.pixels();
        if values.len() != each * placements.len() {
            return Err(HeatmapError::Count {
                found: heatmaps.count(),
                keypoints: keypoints * placements.len(),
                expected: keypoints * self.maps() * placements.len(),
            });
        }
        let people = values.chunks_exact(each.max(1)).zip(placements);
        let people = people.map(|(values, placement)| {
            let mut found = self.decode(&Heatmaps::new(values, size)?, input, keypoints)?;
            for keypoint in found.iter_mut().flatten() {
                [keypoint.x, keypoint.y] = placement.to_photo(input, [keypoint.x, keypoint.y]);
            }
            Ok(found)
        });
        people.collect()
    }

    fn keypoint(self, heatmaps: &Heatmaps, index: usize, input: Size) -> Option<Keypoint> {
        let map = heatmaps.map(index * self.maps());
        let (peak, offset) = match self {
            Self::Msra => {
                let peak = map.peak()?;
                (peak, Some(refine::msra(&map, peak)))
            }
            Self::Dark { taps } => {
                let peak = map.peak()?;
                (peak, refine::dark(&map, peak, taps))
            }
            Self::Udp { taps } => {
                let peak = map.peak()?;
                (peak, refine::udp(&map, peak, taps))
            }
            Self::UdpOffsets { taps } => {
                map.peak()?;
                let peak = blurred_peak(&map, 2 * taps + 1)?;
                let reach = RADIUS * map.size.width.max(map.size.height) as f64;
                let offset =
                    [1, 2].map(|axis| reach * f64::from(heatmaps.map(index * 3 + axis).at(peak.x, peak.y)));
                (peak, Some(offset))
            }
        };
        Some(self.on_input(place(peak, offset, map.size), peak.score, map.size, input))
    }

    /// Returns a place of a heatmap as a keypoint of the network's input.
    fn on_input(self, [x, y]: [f64; 2], score: f32, map: Size, input: Size) -> Keypoint {
        let scale = |map: usize, input: usize| match self.unbiased() {
            true => input as f64 / (map.max(2) - 1) as f64,
            false => input as f64 / map as f64,
        };
        Keypoint {
            x: x * scale(map.width, input.width),
            y: y * scale(map.height, input.height),
            score,
        }
    }
}

/// Returns the highest pixel of the map after its blur, and its height there.
fn blurred_peak(map: &Map, taps: usize) -> Option<Peak> {
    let blurred = Blurred::new(map, taps, Border::Mirror);
    let values: Vec<f32> = blurred.map().values.iter().map(|value| *value as f32).collect();
    Map {
        values: &values,
        size: map.size,
    }
    .peak()
}

/// Returns the place of a peak with its offset, pixels of the map; without the offset if that leads beyond the map.
fn place(peak: Peak, offset: Option<[f64; 2]>, map: Size) -> [f64; 2] {
    let pixel = [peak.x as f64, peak.y as f64];
    let Some(offset) = offset else { return pixel };
    let refined = [pixel[0] + offset[0], pixel[1] + offset[1]];
    let holds = |place: f64, side: usize| (-BEYOND..=side as f64 - 1.0 + BEYOND).contains(&place);
    match holds(refined[0], map.width) && holds(refined[1], map.height) {
        true => refined,
        false => pixel,
    }
}

impl fmt::Display for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Msra => "msra",
            Self::Dark { .. } => "dark",
            Self::Udp { .. } => "udp",
            Self::UdpOffsets { .. } => "udp-offsets",
        })
    }
}

impl FromStr for Decoder {
    type Err = String;

    /// Reads a decoder's name, with the blur of mmpose 1.x.
    fn from_str(name: &str) -> Result<Self, String> {
        let taps = BLUR_TAPS;
        let all = [
            Self::Msra,
            Self::Dark { taps },
            Self::Udp { taps },
            Self::UdpOffsets { taps },
        ];
        let found = all.into_iter().find(|decoder| decoder.to_string() == name);
        found.ok_or_else(|| {
            format!("there is no decoder `{name}`; there are `msra`, `dark`, `udp` and `udp-offsets`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: Size = Size::new(48, 64);
    const MAP: Size = Size::new(12, 16);
    const ALL: [Decoder; 4] = [
        Decoder::Msra,
        Decoder::Dark { taps: BLUR_TAPS },
        Decoder::Udp { taps: BLUR_TAPS },
        Decoder::UdpOffsets { taps: BLUR_TAPS },
    ];

    fn one(decoder: Decoder, map: &[f32], offset: f32) -> Option<Keypoint> {
        let mut values = map.to_vec();
        values.resize(MAP.pixels() * decoder.maps(), offset);
        let maps = Heatmaps::new(&values, MAP).expect("maps");
        decoder.decode(&maps, INPUT, 1).expect("one keypoint")[0]
    }

    #[test]
    fn maps_without_a_place_give_none_in_every_decoder() {
        for decoder in ALL {
            for value in [0.0, -1.0, f32::NAN, f32::INFINITY] {
                assert_eq!(one(decoder, &[value; 192], 0.0), None, "{decoder}: {value}");
            }
            let mut map = [0.0; 192];
            map[100] = 0.9;
            assert!(one(decoder, &map, 0.0).is_some(), "{decoder}");
            map[191] = f32::NAN;
            assert_eq!(one(decoder, &map, 0.0), None, "{decoder}: one NaN");
        }
    }

    #[test]
    fn an_offset_that_leads_beyond_the_map_is_dropped() {
        let mut map = [0.0; 192];
        map[0] = 0.9;
        let offsets = Decoder::UdpOffsets { taps: BLUR_TAPS };
        let of = |offset| {
            let keypoint = one(offsets, &map, offset).expect("a keypoint");
            (keypoint.x / 48.0 * 11.0, keypoint.y / 64.0 * 15.0)
        };
        // The reach is 0.0546875 * 16 = 0.875 pixels.
        let near = of(1.0);
        assert!((near.0 - 0.875).abs() < 1e-9 && (near.1 - 0.875).abs() < 1e-9);
        for far in [100.0, -10.0, f32::NAN, f32::INFINITY] {
            assert_eq!(of(far), (0.0, 0.0), "{far}");
        }
    }

    #[test]
    fn a_flat_map_has_its_keypoint_on_the_map() {
        for decoder in ALL {
            let keypoint = one(decoder, &[0.25; 192], 0.0).expect("a keypoint");
            assert!(
                keypoint.x.abs() < 6.0 && keypoint.y.abs() < 6.0,
                "{decoder}: {keypoint:?}"
            );
            assert!((keypoint.score - 0.25).abs() < 1e-6);
        }
    }

    #[test]
    fn a_map_that_the_blur_leaves_nothing_of_keeps_its_pixel() {
        let mut map = [-1.0; 192];
        map[6 * 12 + 5] = 0.5;
        for decoder in [Decoder::Dark { taps: 11 }, Decoder::Udp { taps: 11 }] {
            let keypoint = one(decoder, &map, 0.0).expect("a keypoint");
            let plain = decoder.on_input([5.0, 6.0], 0.5, MAP, INPUT);
            assert_eq!(keypoint, plain, "{decoder}");
        }
    }

    #[test]
    fn people_stand_where_their_boxes_are_and_counts_are_checked() {
        let mut values = vec![0.0; 2 * 192];
        values[8 * 12 + 6] = 0.75;
        let placement = Placement {
            center: [100.0, 200.0],
            scale: [48.0, 64.0],
        };
        let people = Decoder::Msra
            .people(&values, MAP, INPUT, 1, &[placement, placement])
            .expect("two people");
        let expected = Keypoint {
            x: 100.0,
            y: 200.0,
            score: 0.75,
        };
        assert_eq!(people, [vec![Some(expected)], vec![None]]);
        let error = Decoder::Msra.people(&values, MAP, INPUT, 3, &[placement]);
        assert_eq!(
            error.expect_err("two maps").to_string(),
            "the network has 2 heatmaps, and 3 keypoints take 3; the weights and the skeleton are of different tasks"
        );
    }

    #[test]
    fn names_are_read_as_they_are_printed() {
        for decoder in ALL {
            assert_eq!(decoder.to_string().parse(), Ok(decoder));
        }
        assert!(
            "rle"
                .parse::<Decoder>()
                .expect_err("unknown")
                .contains("udp-offsets")
        );
    }
}
