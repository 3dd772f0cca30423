//! Which network to use: claimed accuracy against time measured here.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use harness::{NetworkCase, Noise, Times};
use hrnet::{Precision, Size};
use registry::{ClaimedAccuracy, TaskKind, Variant, Zoo};

use crate::Input;
use crate::cells::{Cell, Model};

/// The limits that a network must meet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wish {
    /// The longest 90th percentile of a batch, ns.
    pub max_p90_ns: Option<f64>,
    /// The least claimed accuracy, 0 to 1: top-1 of classifiers, AP of pose networks. A variant without a claim does not meet it.
    pub min_accuracy: Option<f64>,
}

/// The networks to choose among.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Query {
    /// Their task.
    pub task: TaskKind,
    /// Images or people per batch; `None` for the smallest that was measured.
    pub batch: Option<usize>,
    /// Size of the input; `None` for each variant's own.
    pub size: Option<Size>,
}

/// A variant in a precision, at its fastest here.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The variant.
    pub variant: String,
    /// The published accuracy of its weights, 0 to 1, in f32 whatever the precision here: top-1 of a classifier, AP of a pose
    /// network. `None` if nobody published one.
    pub accuracy: Option<f64>,
    /// The same as it is usually written, `76.9 %` or an AP of `74.9`, or that there is none.
    pub claimed: String,
    /// The images of the accuracy, if they are not ImageNet's validation images: AP on different data cannot be compared.
    pub data: Option<String>,
    /// The cell that was measured, perhaps under the name of a variant with the same network.
    pub case: NetworkCase,
    /// Median time of a batch, ns.
    pub median_ns: f64,
    /// Interval of the median, ns.
    pub interval_ns: Option<(f64, f64)>,
    /// The 90th percentile of all samples, ns; if they are too few for one, the slowest.
    pub p90_ns: f64,
    /// `p90_ns` is the 90th percentile, not the slowest sample.
    pub enough: bool,
    /// The weights that ran: `seeded:N`, or the name and digest of a file.
    pub weights: String,
    /// True if a debug build was measured, which is compiled with fewer optimisations.
    pub is_debug_build: bool,
    /// Number of samples.
    pub samples: usize,
    /// The reason to doubt the time; `None` if it was measured on a quiet machine, or the records do not say.
    pub noise: Option<Noise>,
    /// No other choice is as fast by the median, as accurate on the same data and of as many bits, and better in one of these. A
    /// choice without a claimed accuracy is never the best and beats no other.
    pub best: bool,
}

/// The text in place of an accuracy that nobody published.
const UNPUBLISHED: &str = "no published accuracy";

/// The difference that rounding may make: shares come from fractions and from percents.
const ROUNDING: f64 = 1e-9;

impl Choice {
    /// Returns `true` if the choice meets the limits.
    pub fn fits(&self, wish: Wish) -> bool {
        let accurate = |least| self.accuracy.is_some_and(|accuracy| accuracy + ROUNDING >= least);
        wish.max_p90_ns.is_none_or(|most| self.p90_ns <= most) && wish.min_accuracy.is_none_or(accurate)
    }

    /// Returns `true` if it is at least as good as the other in time, claimed accuracy and bits, and better in one. Medians are
    /// compared, because the slowest of few runs depends on the machine. Bits count because an accuracy is claimed for 32 of them.
    fn beats(&self, other: &Self) -> bool {
        let (Some(accuracy), Some(others)) = (self.accuracy, other.accuracy) else {
            return false;
        };
        if self.data != other.data {
            return false;
        }
        let bits = |choice: &Self| choice.case.precision.bits();
        let as_good = self.median_ns <= other.median_ns && accuracy >= others && bits(self) >= bits(other);
        as_good && (self.median_ns < other.median_ns || accuracy > others || bits(self) > bits(other))
    }
}

/// Returns every variant of the query in each precision that was measured, at its fastest by the median: the fastest of all
/// first.
pub fn choices(input: &Input, query: Query) -> Vec<Choice> {
    all(&Model::new(input), query)
}

/// Returns the sizes of input at which this program's engines ran networks of a task, the smallest first.
pub fn measured_sizes(input: &Input, task: TaskKind) -> Vec<Size> {
    let model = Model::new(input);
    let sizes: BTreeSet<Size> = model.ours(task).map(|(case, _)| case.crop).collect();
    sizes.into_iter().collect()
}

/// Returns the choices of a task at the smallest batch that was measured.
pub(crate) fn of(model: &Model, task: TaskKind) -> Vec<Choice> {
    let query = Query {
        task,
        ..Query::default()
    };
    all(model, query)
}

pub(crate) fn all(model: &Model, query: Query) -> Vec<Choice> {
    let measured = model.ours(query.task).map(|(case, _)| case.batch);
    let Some(batch) = query.batch.or_else(|| measured.min()) else {
        return Vec::new();
    };
    let in_each = |variant: &Variant| {
        let crop = query.size.unwrap_or(variant.preprocess.size());
        Precision::ALL.map(|precision| choice(model, variant, (precision, batch, crop)))
    };
    let variants = of_task(model.input.zoo, query.task);
    let mut choices: Vec<Choice> = variants.flat_map(in_each).flatten().collect();
    let best: Vec<bool> = choices
        .iter()
        .map(|choice| choice.accuracy.is_some() && !choices.iter().any(|other| other.beats(choice)))
        .collect();
    for (choice, best) in choices.iter_mut().zip(best) {
        choice.best = best;
    }
    choices.sort_by(|a, b| {
        let rest = || (Reverse(a.best), &a.variant).cmp(&(Reverse(b.best), &b.variant));
        a.median_ns.total_cmp(&b.median_ns).then_with(rest)
    });
    choices
}

/// Returns the variants of a task, in the manifest's order.
pub(crate) fn of_task(zoo: &Zoo, task: TaskKind) -> impl Iterator<Item = &Variant> {
    zoo.variants
        .iter()
        .filter(move |variant| variant.task.kind() == task)
}

/// The 90th percentile, or the slowest of too few samples: it is above their 90th percentile, so it does not flatter.
fn p90(times: &Times) -> f64 {
    times.p90_ns.unwrap_or(times.max_ns)
}

/// Returns the variant at its fastest in the wanted precision, batch and crop.
fn choice(model: &Model, variant: &Variant, wanted: (Precision, usize, Size)) -> Option<Choice> {
    let zoo = model.input.zoo;
    let fastest = |name: &str| {
        let cells = model.cells_of(name).filter_map(|cell| {
            let (case, times) = cell.measured()?;
            let is_wanted = (case.precision, case.batch, case.crop) == wanted;
            (is_wanted && !model.is_peer(&case.backend)).then_some((cell, case, times))
        });
        cells.min_by(|(_, _, a), (_, _, b)| a.median_ns.total_cmp(&b.median_ns))
    };
    let (cell, case, times) = fastest(&variant.name).or_else(|| fastest(&zoo.network_of(variant).name))?;
    let claimed = zoo.claimed_accuracy(variant);
    let in_words = |claimed: ClaimedAccuracy| match variant.task.kind() {
        TaskKind::Classes => claimed.to_string(),
        TaskKind::Pose => claimed.in_points(),
    };
    Some(Choice {
        variant: variant.name.clone(),
        accuracy: claimed.map(|claimed| claimed.share),
        claimed: claimed.map_or(UNPUBLISHED.into(), in_words),
        data: claimed.and_then(|claimed| claimed.column.data.clone()),
        case: case.clone(),
        median_ns: times.median_ns,
        interval_ns: times.interval,
        p90_ns: p90(times),
        enough: times.p90_ns.is_some(),
        weights: cell.record().provenance.weights.clone(),
        is_debug_build: cell
            .records
            .iter()
            .any(|record| record.provenance.is_debug_build()),
        samples: times.samples,
        noise: cell.records.iter().find_map(|record| record.noise()),
        best: false,
    })
}

/// An engine of somebody else's that runs a choice's network faster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Faster<'a> {
    pub(crate) case: &'a NetworkCase,
    /// Median time of a batch, ns.
    pub(crate) median_ns: f64,
}

/// Returns the fastest peer on the page that runs the choice's network faster, at the same batch and size and in at least as many
/// bits.
pub(crate) fn faster<'a>(model: &Model<'a>, choice: &Choice) -> Option<Faster<'a>> {
    let ours = &choice.case;
    let alike = |case: &NetworkCase| {
        (case.batch, case.crop) == (ours.batch, ours.crop) && case.precision.bits() >= ours.precision.bits()
    };
    let peers = model.cells_of(&ours.variant).filter_map(Cell::measured);
    let peers = peers.filter(|(case, times)| {
        model.is_peer(&case.backend) && alike(case) && times.median_ns < choice.median_ns
    });
    peers
        .map(|(case, times)| Faster {
            case,
            median_ns: times.median_ns,
        })
        .min_by(|a, b| a.median_ns.total_cmp(&b.median_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{record, with};

    fn choices(records: &[harness::Record], batch: Option<usize>) -> Vec<Choice> {
        let query = Query {
            batch,
            ..Query::default()
        };
        with(records, |model| all(model, query))
    }

    #[test]
    fn pose_networks_are_chosen_by_ap_at_their_own_size_and_beat_none_of_other_data() {
        let records = [
            record("pose_hrnet_w32_256x192/f32/bs1/256x192/cpu/t2", &[50; 50]),
            record("pose_hrnet_w32_384x288/f32/bs1/384x288/cpu/t2", &[110; 50]),
            // Slower than those and lower in AP, but of animals.
            record("pose_hrnet_w32_ap10k_256x256/f32/bs1/crop256/cpu/t2", &[120; 50]),
            record("pose_hrnet_w48_256x192/f32/bs1/crop64/cpu/t2", &[1; 50]),
            record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[44; 50]),
        ];
        let found = with(&records, |model| of(model, TaskKind::Pose));
        let best = found.iter().filter(|choice| choice.best);
        let best: Vec<(&str, &str)> = best.map(|choice| (&*choice.variant, &*choice.claimed)).collect();
        assert_eq!(
            best,
            [
                ("pose_hrnet_w32_256x192_udp", "76.2"),
                ("pose_hrnet_w32_384x288_udp", "76.8"),
                ("pose_hrnet_w32_ap10k_256x256", "72.2")
            ]
        );
        assert_eq!(
            found.len(),
            3 + 3 + 1,
            "those that share a network are choices of their own"
        );
        assert_eq!(found[0].data.as_deref(), Some("COCO val2017"));
        let classes = with(&records, |model| of(model, TaskKind::Classes));
        assert!(classes.iter().all(|choice| choice.data.is_none()) && classes.len() == 3);
    }

    #[test]
    fn each_variant_is_at_its_fastest_and_the_best_are_marked() {
        let records = [
            record("HRNet_W18_C/f32/bs1/crop224/candle/t2", &[500; 50]),
            record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[50; 50]),
            record("HRNet_W18_C/f32/bs1/crop224/openvino/t2", &[1; 50]),
            record("HRNet_W18_C/int8/bs1/crop224/cpu/t2", &[1; 50]),
            record("HRNet_W18_C/i16/bs1/crop224/cpu/t2", &[30; 50]),
            record("HRNet_W18_C/bf16/bs1/crop224/cpu/t2", &[400; 50]),
            record("HRNet_W18_C/f32/bs4/crop224/cpu/t2", &[9; 50]),
            record("HRNet_W18_C/f32/bs1/crop288/cpu/t2", &[2; 50]),
            record("HRNet_W30_C/f32/bs1/crop224/cpu/t2", &[80; 50]),
            record("HRNet_W48_C/f32/bs1/crop224/cpu/t2", &[99; 5]),
        ];
        let found = choices(&records, None);
        let told: Vec<String> = found
            .iter()
            .map(|choice| {
                let (best, enough) = (
                    if choice.best { "*" } else { "" },
                    if choice.enough { "" } else { "<=" },
                );
                let (name, precision, ms) = (&choice.variant, choice.case.precision, choice.p90_ns / 1e6);
                format!("{best}{name} {precision} {enough}{ms}")
            })
            .collect();
        assert_eq!(
            told,
            [
                "*HRNet_W18_C_ssld int8 1",
                "HRNet_W18_C int8 1",
                "HRNet_W18_C_aug int8 1",
                // Faster in 16 bits than in 32, and slower than in 8, whose claimed accuracy is as high.
                "*HRNet_W18_C_ssld i16 30",
                "HRNet_W18_C i16 30",
                "HRNet_W18_C_aug i16 30",
                "*HRNet_W18_C_ssld f32 50",
                "HRNet_W18_C f32 50",
                "HRNet_W18_C_aug f32 50",
                "HRNet_W30_C f32 80",
                "*HRNet_W48_C_ssld f32 <=99",
                "HRNet_W48_C f32 <=99",
                "HRNet_W18_C bf16 400",
                "HRNet_W18_C_aug bf16 400",
                "HRNet_W18_C_ssld bf16 400",
            ]
        );
        assert!(
            found.iter().all(|choice| choice.case.backend == "cpu"),
            "peers are no choice of ours"
        );
        assert_eq!(choices(&records, Some(4)).len(), 3);
        assert_eq!(choices(&records, Some(8)), []);
        assert_eq!(choices(&[], None), []);
    }

    #[test]
    fn one_slow_run_makes_no_network_worse_than_a_slower_one() {
        let mut disturbed = [50; 10];
        disturbed[3] = 500;
        let records = [
            record("HRNet_W30_C/f32/bs1/crop224/cpu/t2", &disturbed),
            record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[60; 10]),
        ];
        let found = choices(&records, None);
        assert_eq!((found[0].variant.as_str(), found[0].best), ("HRNet_W30_C", true));
        assert_eq!(found[0].p90_ns, 500e6, "but it keeps no limit that it broke");
        let plain = found
            .iter()
            .find(|choice| choice.variant == "HRNet_W18_C")
            .expect("W18");
        assert!(!plain.best, "slower and less accurate");
    }

    #[test]
    fn the_small_networks_are_choices_though_another_publication_claims_their_accuracy() {
        let records = [
            record("hrnet_w18_small/f32/bs1/crop224/cpu/t2", &[13; 8]),
            record("hrnet_w18_small_v2/f32/bs1/crop224/cpu/t2", &[22; 8]),
            record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[34; 8]),
        ];
        let found = choices(&records, None);
        let best = found.iter().filter(|choice| choice.best);
        let best: Vec<(&str, &str)> = best.map(|choice| (&*choice.variant, &*choice.claimed)).collect();
        assert_eq!(
            best,
            [
                ("hrnet_w18_small_gluon", "73.9 %"),
                ("hrnet_w18_small_v2_gluon", "78.2 %"),
                ("HRNet_W18_C_ssld", "81.6 %")
            ]
        );
    }

    #[test]
    fn a_network_without_a_claim_is_a_choice_that_is_never_the_best() {
        let text = r#"
            schema = 1
            extends = "builtin"
            [[variant]]
            name = "mine"
            network = { widths = [20, 40, 80, 160] }
            preprocess = "paddle-224"
            license = "MIT"
        "#;
        let zoo = Zoo::parse(text, std::path::Path::new("zoo.toml")).expect("a manifest");
        let records = [
            record("mine/f32/bs1/crop224/cpu/t2", &[5; 8]),
            record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[34; 8]),
        ];
        let found = of(
            &Model::new(&crate::testing::input(&zoo, &records)),
            TaskKind::Classes,
        );
        let mine = &found[0];
        assert_eq!(
            (&*mine.variant, &*mine.claimed),
            ("mine", "no published accuracy")
        );
        assert!(!mine.best && mine.fits(Wish::default()));
        assert!(
            !mine.fits(Wish {
                min_accuracy: Some(0.0),
                ..Wish::default()
            }),
            "an unknown accuracy meets no limit"
        );
        assert!(
            found
                .iter()
                .any(|choice| choice.best && choice.variant == "HRNet_W18_C_ssld")
        );
    }

    #[test]
    fn another_engine_is_faster_only_in_as_many_bits_and_noise_stays_with_a_choice() {
        let mut noisy = record(
            "HRNet_W18_C/f32/bs1/crop224/cpu/t2",
            &[50, 80, 50, 20, 20, 80, 50],
        );
        noisy.process = Some(0);
        let records = [
            noisy,
            record("HRNet_W18_C/int8/bs1/crop224/cpu/t2", &[30; 8]),
            record("HRNet_W18_C/f32/bs1/crop224/openvino/t2", &[60; 8]),
            record("HRNet_W18_C/bf16/bs1/crop224/openvino/t1", &[28; 8]),
            record("HRNet_W18_C/int8/bs1/crop224/mnn/t2", &[20; 8]),
            record("HRNet_W18_C/int8/bs4/crop224/mnn/t2", &[2; 8]),
        ];
        with(&records, |model| {
            let found = of(model, TaskKind::Classes);
            let of = |precision| {
                let mut choices = found.iter();
                let choice = choices
                    .find(|choice| choice.case.precision == precision)
                    .expect("measured");
                (
                    faster(model, choice).map(|other| (&*other.case.backend, other.median_ns)),
                    choice.noise.is_some(),
                )
            };
            assert_eq!(of(Precision::Int8), (Some(("mnn", 20e6)), false));
            assert_eq!(
                of(Precision::F32),
                (None, true),
                "faster in fewer bits is another question"
            );
        });
    }

    #[test]
    fn a_wish_is_met_at_its_edges() {
        let records = [record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[60; 30])];
        let found = choices(&records, None);
        let plain = found
            .iter()
            .find(|choice| choice.variant == "HRNet_W18_C")
            .expect("W18");
        let wish = |ms: f64, top1: f64| Wish {
            max_p90_ns: Some(ms * 1e6),
            min_accuracy: Some(top1),
        };
        assert!(plain.fits(wish(60.0, 0.769)) && plain.fits(Wish::default()));
        assert!(plain.fits(wish(60.0, 76.9 / 100.0)) && plain.fits(wish(60.0, 0.01 * 76.9)));
        assert!(!plain.fits(wish(59.9, 0.769)) && !plain.fits(wish(60.0, 0.77)));
    }
}
