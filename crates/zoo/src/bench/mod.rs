//! Shared by `zoo bench` and `cargo bench`: the cells, and how a cell is prepared for timing.

mod campaign;
mod canary;
mod desk;
mod errand;
mod forecast;
mod gains;
mod inputs;
#[cfg(feature = "criterion")]
mod keypoints;
mod peers;
mod prepare;
pub(crate) mod race;
mod resume;
mod runner;
#[cfg(feature = "criterion")]
mod suite;
pub(crate) mod told;

use harness::{Case, NetworkCase, PreprocessCase};
use hrnet::{Precision, Size};
use registry::{Variant, Zoo};

use crate::{Exit, Failure};

pub(crate) use campaign::{Campaign, Done, Plan, Task};
pub(crate) use canary::{handover_ns, peak, peaks};
pub(crate) use errand::Errand;
pub(crate) use forecast::{Basis, Expected};
pub(crate) use gains::{gains, slow};
pub(crate) use inputs::crop;
#[cfg(feature = "criterion")]
pub use keypoints::pose;
pub use peers::peers;
pub(crate) use peers::{ADVICE, NETWORKS};
pub(crate) use prepare::{REFERENCE, Workshop};
pub(crate) use resume::resume;
pub(crate) use runner::provenance;
#[cfg(feature = "criterion")]
pub use suite::{network, preprocess};

/// The sizes that preprocessing is timed at: short side after resizing, side of the crop.
pub const SIZES: [(usize, usize); 3] = [(256, 224), (320, 288), (384, 352)];

/// The sizes that crops of persons are timed at.
pub const PERSONS: [Size; 2] = [Size::new(256, 192), Size::new(384, 288)];

/// The size that classifiers are compared at, where no other is asked for.
pub(crate) const CLASSIFIED: Size = Size::square(224);

/// The batch sizes of the reference page.
pub const BATCHES: [usize; 3] = [1, 4, 8];

/// The axes whose product are the network cells.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Variants, by name.
    pub variants: Vec<String>,
    /// Number formats.
    pub precisions: Vec<Precision>,
    /// Images a batch.
    pub batches: Vec<usize>,
    /// Sizes of the input; without any, 224x224 for classifiers and each pose network's own.
    pub sizes: Vec<Size>,
    /// Backends and peers, by name, each for the precisions it takes; none for the default of each precision that has
    /// one.
    pub backends: Vec<String>,
    /// Threads of a session.
    pub threads: Vec<usize>,
    /// True if variants that share a network are each measured under their own names.
    pub twins: bool,
}

impl Matrix {
    /// The cells, smallest batch first; variants that share a network are measured once, unless twins are asked for.
    pub fn cases(&self, zoo: &Zoo) -> Vec<Case> {
        let variants = if self.twins {
            named(zoo, &self.variants).collect()
        } else {
            distinct(zoo, &self.variants)
        };
        // `None` for the usual size of each.
        let sizes: Vec<Option<Size>> = match self.sizes.as_slice() {
            [] => vec![None],
            sizes => sizes.iter().copied().map(Some).collect(),
        };
        let mut cases = Vec::new();
        for batch in &self.batches {
            for precision in &self.precisions {
                for size in &sizes {
                    for variant in &variants {
                        for backend in self.backends_for(*precision) {
                            cases.extend(self.threads.iter().map(|threads| {
                                Case::Network(NetworkCase {
                                    variant: variant.name.clone(),
                                    precision: *precision,
                                    batch: *batch,
                                    crop: size.unwrap_or_else(|| usual_size(variant)),
                                    backend: backend.to_owned(),
                                    threads: *threads,
                                })
                            }));
                        }
                    }
                }
            }
        }
        cases
    }

    /// Refuses more than so many cells.
    ///
    /// # Errors
    /// With the length of each axis.
    pub(crate) fn check(&self, most: usize) -> Result<(), Failure> {
        let axes = [
            ("variants", self.variants.len()),
            ("precisions", self.precisions.len()),
            ("batches", self.batches.len()),
            ("sizes", self.sizes.len().max(1)),
            ("backends", self.backends.len().max(1)),
            ("thread counts", self.threads.len()),
        ];
        let cells = axes
            .iter()
            .fold(1_usize, |product, (_, axis)| product.saturating_mul(*axis));
        if cells <= most {
            return Ok(());
        }
        let axes = axes.map(|(name, axis)| format!("{axis} {name}"));
        let what = format!(
            "{} make {cells} cells, and {most} are the most at once",
            axes.join(" x ")
        );
        Err(Failure::new(Exit::Usage, what).help("several runs may append to one file of records"))
    }

    fn backends_for(&self, precision: Precision) -> Vec<&str> {
        if self.backends.is_empty() {
            let first = runtime::default_backend(precision).ok();
            return first.iter().map(|backend| backend.name()).collect();
        }
        let names = self.backends.iter().map(String::as_str);
        names
            .filter(|name| matches!(crate::peers::runs(name, precision), Ok(true)))
            .collect()
    }
}

/// Returns the variants of these names in the manifest's order.
fn named<'a>(zoo: &'a Zoo, names: &[String]) -> impl Iterator<Item = &'a Variant> {
    zoo.variants
        .iter()
        .filter(|variant| names.contains(&variant.name))
}

/// Returns the variants of these names whose networks differ, the first name of each.
pub(crate) fn distinct<'a>(zoo: &'a Zoo, names: &[String]) -> Vec<&'a Variant> {
    let mut found: Vec<&Variant> = Vec::new();
    for variant in named(zoo, names) {
        if found.iter().all(|other| !share_network(zoo, other, variant)) {
            found.push(variant);
        }
    }
    found
}

/// Returns whether two variants have the same network, which is measured once.
fn share_network(zoo: &Zoo, one: &Variant, other: &Variant) -> bool {
    zoo.network_of(one).name == zoo.network_of(other).name
}

/// Returns the size of a cell's input if no other is asked for.
fn usual_size(variant: &Variant) -> Size {
    match variant.is_classifier() {
        true => CLASSIFIED,
        false => variant.preprocess.size(),
    }
}

/// Every preprocessing cell: decoding, then each size, precision and batch, then the crops of a person.
pub fn preprocess_cases() -> Vec<Case> {
    let mut cases = vec![PreprocessCase::Decode];
    for (resize, crop) in SIZES {
        for precision in Precision::FLOATS {
            cases.extend(BATCHES.map(|batch| PreprocessCase::Batch {
                resize,
                crop,
                precision,
                batch,
            }));
        }
    }
    cases.extend(PERSONS.map(|size| PreprocessCase::Person { size }));
    cases.into_iter().map(Case::Preprocess).collect()
}

/// The machine's hardware threads.
pub(crate) fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
