//! Places for the texts beside points: near their point, never over one another, a point or the edge.

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Area {
    /// Returns `true` if two areas share a pixel.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.left < other.left + other.width
            && other.left < self.left + self.width
            && self.top < other.top + other.height
            && other.top < self.top + self.height
    }

    /// Returns `true` if another area lies wholly in this one.
    pub fn contains(&self, other: &Self) -> bool {
        self.left <= other.left
            && self.top <= other.top
            && other.left + other.width <= self.left + self.width
            && other.top + other.height <= self.top + self.height
    }

    /// The point of the area that is nearest to a position.
    pub(crate) fn nearest(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (
            x.clamp(self.left, self.left + self.width),
            y.clamp(self.top, self.top + self.height),
        )
    }

    /// Returns `true` if a line from one position to another passes through the area.
    fn crossed_by(&self, from: (f64, f64), to: (f64, f64)) -> bool {
        (0..=32).map(|i| f64::from(i) / 32.0).any(|t| {
            let (x, y) = (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1));
            x > self.left && x < self.left + self.width && y > self.top && y < self.top + self.height
        })
    }
}

/// Directions a label may lie in, best first: right, left, above, below, then between.
const DIRECTIONS: [(f64, f64); 16] = [
    (1.0, 0.0),
    (-1.0, 0.0),
    (0.0, -1.0),
    (0.0, 1.0),
    (0.7, -0.7),
    (0.7, 0.7),
    (-0.7, -0.7),
    (-0.7, 0.7),
    (0.92, -0.38),
    (0.92, 0.38),
    (-0.92, -0.38),
    (-0.92, 0.38),
    (0.38, -0.92),
    (0.38, 0.92),
    (-0.38, -0.92),
    (-0.38, 0.92),
];

/// Free pixels between a point's marker and its label.
const GAP: f64 = 5.0;
/// The distance that a search moves outwards at a time.
const STEP: f64 = 7.0;

/// A place for each label, given as width and height, beside the point at the same index, whose marker has `radius`. Points
/// beyond the last label have none and are kept free.
///
/// The most crowded points choose first; each takes the nearest free place whose line to the point crosses no label,
/// or, in a crowd that leaves none, the nearest free place. A label for which the plot has no room at all gets none.
pub fn place(plot: Area, points: &[(f64, f64)], sizes: &[(f64, f64)], radius: f64) -> Vec<Option<Area>> {
    let crowd = |index: usize| -> usize {
        let (x, y) = points[index];
        points
            .iter()
            .filter(|(ox, oy)| (x - ox).abs() < 90.0 && (y - oy).abs() < 40.0)
            .count()
    };
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|index| (std::cmp::Reverse(crowd(*index)), *index));
    let mut scene = Scene {
        plot,
        radius,
        points,
        placed: vec![None; sizes.len()],
    };
    for index in order {
        scene.placed[index] = scene
            .search(index, sizes[index], Scene::clear)
            .or_else(|| scene.search(index, sizes[index], Scene::free));
    }
    scene.placed
}

/// Upper edges of texts of one height that stand below one another within `span`: each as near to where it is wanted as the
/// others let it, none over another. Where there is no room for all, they stand as far apart as there is.
pub(crate) fn stack(wanted: &[f64], height: f64, span: (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]).then(a.cmp(b)));
    let height = height.min((span.1 - span.0) / wanted.len().max(1) as f64);
    let mut placed = vec![0.0; wanted.len()];
    let mut free = span.0;
    for index in &order {
        placed[*index] = wanted[*index].max(free);
        free = placed[*index] + height;
    }
    // What was pushed out below goes back up.
    let mut free = span.1;
    for index in order.iter().rev() {
        placed[*index] = placed[*index].min(free - height);
        free = placed[*index];
    }
    placed
}

/// The marks on the plot so far.
struct Scene<'a> {
    plot: Area,
    radius: f64,
    points: &'a [(f64, f64)],
    placed: Vec<Option<Area>>,
}

impl Scene<'_> {
    /// The nearest area around a point that is wanted.
    fn search(
        &self,
        index: usize,
        size: (f64, f64),
        wanted: fn(&Self, &Area, (f64, f64)) -> bool,
    ) -> Option<Area> {
        let point = self.points[index];
        let rings = ((self.plot.width + self.plot.height) / STEP) as u32;
        (0..rings).find_map(|ring| {
            let distance = self.radius + GAP + f64::from(ring) * STEP;
            let candidates = DIRECTIONS
                .iter()
                .map(|direction| beside(point, size, *direction, distance));
            candidates.into_iter().find(|area| wanted(self, area, point))
        })
    }

    /// Returns `true` if the area lies in the plot and over neither a marker nor a label.
    fn free(&self, area: &Area, _: (f64, f64)) -> bool {
        let marker = |(x, y): &(f64, f64)| Area {
            left: x - self.radius,
            top: y - self.radius,
            width: 2.0 * self.radius,
            height: 2.0 * self.radius,
        };
        self.plot.contains(area)
            && self.points.iter().all(|point| !marker(point).overlaps(area))
            && self.placed.iter().flatten().all(|other| !other.overlaps(area))
    }

    /// Returns `true` if it is free and no line between a point and its label crosses a label.
    fn clear(&self, area: &Area, point: (f64, f64)) -> bool {
        let lines = self.points.iter().zip(&self.placed);
        let mut lines = lines.filter_map(|(point, label)| label.map(|label| (*point, label.nearest(*point))));
        self.free(area, point)
            && self
                .placed
                .iter()
                .flatten()
                .all(|other| !other.crossed_by(point, area.nearest(point)))
            && lines.all(|(from, to)| !area.crossed_by(from, to))
    }
}

/// The area of this size whose near side lies at `distance` from the point in a direction.
fn beside((x, y): (f64, f64), (width, height): (f64, f64), (dx, dy): (f64, f64), distance: f64) -> Area {
    let (center_x, center_y) = (
        x + dx * distance + dx * width / 2.0,
        y + dy * distance + dy * height / 2.0,
    );
    // Straight left and right the text is level with its point, straight above and below it is centred.
    Area {
        left: center_x - width / 2.0,
        top: center_y - height / 2.0,
        width,
        height,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLOT: Area = Area {
        left: 60.0,
        top: 40.0,
        width: 800.0,
        height: 450.0,
    };

    /// Asserts what no picture may break, and gives the number of labels that found a place.
    pub(crate) fn check(points: &[(f64, f64)], placed: &[Option<Area>], radius: f64) -> usize {
        let labels: Vec<&Area> = placed.iter().flatten().collect();
        for (index, label) in labels.iter().enumerate() {
            assert!(PLOT.contains(label), "{label:?} leaves the plot");
            for other in &labels[index + 1..] {
                assert!(!label.overlaps(other), "{label:?} lies over {other:?}");
            }
            for (x, y) in points {
                let near = label.nearest((*x, *y));
                assert!(
                    (near.0 - x).abs().max((near.1 - y).abs()) >= radius,
                    "{label:?} lies over a point"
                );
            }
        }
        labels.len()
    }

    #[test]
    fn random_clouds_are_labelled_without_overlap() {
        let mut state = 1_u64;
        let mut random = |below: f64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1_u32 << 31) * below
        };
        for cloud in 0..200 {
            // Half of the clouds are crowded into a corner.
            let spread = if cloud % 2 == 0 { 1.0 } else { 0.15 };
            let points: Vec<(f64, f64)> = (0..20)
                .map(|_| {
                    (
                        PLOT.left + 10.0 + random(780.0) * spread,
                        PLOT.top + 10.0 + random(430.0) * spread,
                    )
                })
                .collect();
            let sizes: Vec<(f64, f64)> = (0..20).map(|_| (30.0 + random(60.0), 16.0)).collect();
            let placed = place(PLOT, &points, &sizes, 6.0);
            assert_eq!(
                check(&points, &placed, 6.0),
                20,
                "cloud {cloud}: every label has a place"
            );
        }
    }

    #[test]
    fn a_lone_label_lies_right_of_its_point_and_turns_at_the_edge() {
        let right = place(PLOT, &[(300.0, 200.0)], &[(50.0, 16.0)], 5.0)[0].expect("a place");
        assert_eq!((right.left, right.top), (310.0, 192.0));
        let left = place(PLOT, &[(850.0, 200.0)], &[(50.0, 16.0)], 5.0)[0].expect("a place");
        assert!(left.left + left.width <= 850.0);
    }

    #[test]
    fn a_point_without_a_label_is_kept_free() {
        let points = [(300.0, 200.0), (320.0, 200.0)];
        let label = place(PLOT, &points, &[(50.0, 16.0)], 5.0)[0].expect("a place");
        assert_eq!(label.left + label.width, 290.0, "it turns to the left");
    }

    #[test]
    fn a_plot_without_room_gives_no_place() {
        let plot = Area {
            left: 0.0,
            top: 0.0,
            width: 40.0,
            height: 40.0,
        };
        assert_eq!(place(plot, &[(20.0, 20.0)], &[(50.0, 16.0)], 5.0), [None]);
    }

    #[test]
    fn stacked_texts_stay_apart_and_in_their_span() {
        assert_eq!(stack(&[50.0, 10.0], 12.0, (0.0, 100.0)), [50.0, 10.0]);
        let crowded = stack(&[95.0, 94.0, 96.0, 10.0], 12.0, (0.0, 100.0));
        assert_eq!(crowded, [76.0, 64.0, 88.0, 10.0]);
        assert_eq!(stack(&[5.0; 4], 12.0, (0.0, 40.0)), [0.0, 10.0, 20.0, 30.0]);
        assert_eq!(stack(&[], 12.0, (0.0, 40.0)), [0.0; 0]);
    }
}
