//! The keypoints of data sets, as data: names, mirrored partners, links, and the sigmas of object keypoint similarity.
//!
//! All rows are those of mmpose 1.3.2 (`configs/_base_/datasets`), which `tests/decoders.rs` compares them with. Another data set
//! is one file with one constant, and its name in [`ALL`].

mod ap10k;
mod coco;
mod coco_wholebody;
mod mpii;

pub use ap10k::AP10K;
pub use coco::COCO;
pub use coco_wholebody::COCO_WHOLEBODY;
pub use mpii::MPII;

/// All skeletons.
pub const ALL: [&Skeleton; 4] = [&COCO, &COCO_WHOLEBODY, &MPII, &AP10K];

/// The keypoints of a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skeleton {
    /// The data set's name, as the zoo's manifest spells it.
    pub name: &'static str,
    /// The keypoints' names, in the order of a network's heatmaps.
    pub keypoints: &'static [&'static str],
    /// For each keypoint the one that it becomes in a mirror: itself, or that of the other side.
    pub partners: &'static [usize],
    /// Pairs of keypoints that a drawing joins.
    pub links: &'static [[usize; 2]],
    /// For each keypoint how far annotators lie apart, as a share of the square root of a person's area.
    pub sigmas: &'static [f64],
}

/// The side of the body that a keypoint is on, the person's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The person's left.
    Left,
    /// The person's right.
    Right,
    /// Neither.
    Middle,
}

impl Skeleton {
    /// Returns the skeleton of a data set by its name.
    ///
    /// # Errors
    /// If there is none, with the names that there are.
    pub fn named(name: &str) -> Result<&'static Self, String> {
        let found = ALL.into_iter().find(|skeleton| skeleton.name == name);
        found.ok_or_else(|| {
            let names: Vec<String> = ALL.iter().map(|s| format!("`{}`", s.name)).collect();
            format!("there is no skeleton `{name}`; there are {}", names.join(", "))
        })
    }

    /// Returns the side of a keypoint, which its name says.
    ///
    /// # Panics
    /// If the skeleton has no such keypoint.
    pub fn side(&self, keypoint: usize) -> Side {
        let name = self.keypoints[keypoint];
        if name.starts_with("left_") || name.starts_with("L_") {
            Side::Left
        } else if name.starts_with("right_") || name.starts_with("R_") {
            Side::Right
        } else {
            Side::Middle
        }
    }
}

/// Returns the rows of these parts, one part after the other; `N` is the number of all.
const fn joined<T: Copy, const N: usize>(parts: &[&[T]]) -> [T; N] {
    let mut all = [parts[0][0]; N];
    let (mut part, mut next) = (0, 0);
    while part < parts.len() {
        let mut row = 0;
        while row < parts[part].len() {
            all[next] = parts[part][row];
            (row, next) = (row + 1, next + 1);
        }
        part += 1;
    }
    assert!(next == N, "the parts have fewer rows than all");
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_skeleton_goes_together() {
        for skeleton in ALL {
            let count = skeleton.keypoints.len();
            assert_eq!(skeleton.partners.len(), count, "{}", skeleton.name);
            assert_eq!(skeleton.sigmas.len(), count, "{}", skeleton.name);
            for (keypoint, partner) in skeleton.partners.iter().enumerate() {
                assert_eq!(skeleton.partners[*partner], keypoint, "{}", skeleton.name);
                let mirrored = match skeleton.side(keypoint) {
                    Side::Left => Side::Right,
                    Side::Right => Side::Left,
                    Side::Middle => Side::Middle,
                };
                assert_eq!(skeleton.side(*partner), mirrored, "{}", skeleton.name);
            }
            assert!(skeleton.links.iter().flatten().all(|k| *k < count));
            assert!(skeleton.sigmas.iter().all(|sigma| (0.005..0.2).contains(sigma)));
            assert_eq!(Skeleton::named(skeleton.name), Ok(skeleton));
        }
        let error = Skeleton::named("coco17").expect_err("unknown");
        assert!(error.contains("`coco`, `coco-wholebody`"), "{error}");
    }
}
