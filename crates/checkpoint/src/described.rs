//! The network that the shapes of a file's tensors describe.

use hrnet::place::{Gate, Layer, Role, Unit};
use hrnet::{Classifier, Head, Heatmaps, HrnetSpec, ParamKind, StageOneSpec};

use crate::TensorFile;
use crate::heads::FoundHead;
use crate::naming::Scheme;

/// The most stages of a network that is recognized; published ones have 4.
const MOST_STAGES: usize = 8;

/// A network as a file's tensors describe it: by the names that are there and their shapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The network: a pose network if the file has the convolution of its heatmaps, else a classifier. What the file does not say
    /// of a classifier's head is as in the published HRNet-C networks.
    pub spec: HrnetSpec,
    /// True if the file has the layer that computes the outputs, which decides the number of classes or heatmaps.
    pub has_head: bool,
}

impl Described {
    /// Returns the head that the file has.
    pub(crate) fn head(&self) -> Option<FoundHead> {
        let head = match &self.spec.head {
            Head::Classifier(head) => FoundHead::Classifier(head.classes),
            Head::Heatmaps(head) => FoundHead::Heatmaps(head.maps),
            Head::Pyramid(_) => return None,
        };
        self.has_head.then_some(head)
    }
}

impl TensorFile {
    /// Returns the network whose tensors the file has, by one convolution of each block; `None` if they are not an HRNet's.
    /// [`TensorFile::bind`] finds out if all tensors are there.
    pub fn described(&self) -> Option<Described> {
        let file = Shapes {
            scheme: self.scheme().ok()?,
            file: self,
        };
        let modules: Vec<usize> = (2..=MOST_STAGES)
            .map(|stage| file.count(|module| block(stage, module, 0, 0)))
            .take_while(|modules| *modules > 0)
            .collect();
        // Each stage adds a branch, so the last one has as many as its number.
        let branches = modules.len() + 1;
        let widths = (0..branches).map(|branch| file.width(block(branches, 0, branch, 0)));
        let heatmaps = file.heatmaps();
        let classes = file.first_side(Unit::Classifier, Role::Linear, ParamKind::LinearBias);
        Some(Described {
            spec: HrnetSpec {
                stem: file.width(Unit::Stem)?,
                stage1: StageOneSpec {
                    blocks: file.count(|block| Unit::StageOne { block }),
                    mid: file.width(Unit::StageOne { block: 0 })?,
                },
                widths: widths.collect::<Option<_>>()?,
                blocks: file.count(|last| block(2, 0, 0, last)),
                modules,
                se_reduction: file.se_reduction(),
                head: match heatmaps {
                    Some(heatmaps) => heatmaps.into(),
                    None => file.classifier(branches, classes).into(),
                },
            },
            has_head: heatmaps.is_some() || classes.is_some(),
        })
    }
}

/// Returns a basic block of a branch.
fn block(stage: usize, module: usize, branch: usize, block: usize) -> Unit {
    Unit::Block {
        stage,
        module,
        branch,
        block,
    }
}

/// The shapes of a file's tensors, by their places in a network.
struct Shapes<'a> {
    scheme: Scheme,
    file: &'a TensorFile,
}

impl Shapes<'_> {
    /// Returns the shape of a tensor.
    fn shape(&self, unit: Unit, role: Role, kind: ParamKind) -> Option<&[usize]> {
        let Scheme { naming, prefix } = &self.scheme;
        let name = format!("{prefix}{}", naming.name_of(&unit.at(role), kind));
        Some(&self.file.tensors.get(&name)?.shape)
    }

    /// Returns the first side of a tensor: the output channels of a convolution, the length of a bias.
    fn first_side(&self, unit: Unit, role: Role, kind: ParamKind) -> Option<usize> {
        self.shape(unit, role, kind)?.first().copied()
    }

    /// Returns the head of a pose network, if the file has one.
    fn heatmaps(&self) -> Option<Heatmaps> {
        match self.shape(Unit::Heatmaps, Role::FinalConv, ParamKind::ConvWeight)? {
            [maps, _, kernel, _] => Some(Heatmaps {
                maps: *maps,
                kernel: *kernel,
            }),
            _ => None,
        }
    }

    /// Returns the head of a classifier, as far as the file has it.
    fn classifier(&self, branches: usize, classes: Option<usize>) -> Classifier {
        let usual = Classifier::imagenet();
        let mids = (0..branches).map(|branch| self.width(Unit::HeadBlock { branch }));
        let features = self.first_side(Unit::HeadFinal, Role::Conv(Layer::Only), ParamKind::ConvWeight);
        Classifier {
            mids: mids.collect::<Option<_>>().unwrap_or(usual.mids),
            features: features.unwrap_or(usual.features),
            classes: classes.unwrap_or(usual.classes),
        }
    }

    /// Returns the output channels of the first convolution of a block.
    fn width(&self, block: Unit) -> Option<usize> {
        self.first_side(block, Role::Conv(Layer::Numbered(1)), ParamKind::ConvWeight)
    }

    /// Counts these blocks, from index 0 to the first that is not there.
    fn count(&self, block: impl Fn(usize) -> Unit) -> usize {
        (0..)
            .take_while(|index| self.width(block(*index)).is_some())
            .count()
    }

    /// Returns the ratio of a bottleneck's channels to those between its two linear layers, if it has squeeze-and-excitation.
    fn se_reduction(&self) -> Option<usize> {
        let first = Unit::StageOne { block: 0 };
        let reduced = self.first_side(first, Role::Gate(Gate::Squeeze), ParamKind::LinearBias)?;
        let channels = self.first_side(first, Role::BatchNorm(Layer::Numbered(3)), ParamKind::BnWeight)?;
        channels.checked_div(reduced)
    }
}

#[cfg(test)]
mod tests {
    use hrnet::{SeededWeights, Shape};

    use super::*;
    use crate::{Layout, Naming, write_safetensors};

    fn small() -> HrnetSpec {
        HrnetSpec {
            stage1: StageOneSpec { blocks: 1, mid: 4 },
            modules: vec![1, 2, 1],
            blocks: 2,
            head: Head::Classifier(Classifier {
                mids: vec![2, 4, 6, 8],
                features: 24,
                classes: 5,
            }),
            stem: 6,
            ..HrnetSpec::imagenet([4, 8, 16, 32])
        }
    }

    fn written(spec: &HrnetSpec, naming: Naming) -> TensorFile {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("w.safetensors");
        let graph = spec.graph(Shape::square(1, 32)).expect("a graph");
        write_safetensors(&path, &graph, &SeededWeights::new(0), &Layout::new(naming)).expect("written");
        let bytes = std::fs::read(&path).expect("read");
        crate::parse(&path, bytes.into()).expect("tensors")
    }

    #[test]
    fn a_network_is_described_by_its_tensors_under_any_names() {
        let mut specs = [1, 5, 21_841].map(|classes| small().with_classes(classes));
        specs[0].se_reduction = Some(4);
        let pose = [(1, 17), (3, 51)].map(|(kernel, maps)| small().with_head(Heatmaps { maps, kernel }));
        let classifiers = specs.iter().map(|spec| (spec, &Naming::OF_CLASSIFIERS[..]));
        let pose = pose.iter().map(|spec| (spec, &Naming::OF_POSE[..]));
        for (spec, namings) in classifiers.chain(pose) {
            for naming in namings {
                let described = written(spec, *naming).described().expect("an HRNet");
                assert_eq!(described.spec, *spec, "{naming:?}");
                assert!(described.has_head);
            }
        }
    }

    #[test]
    fn a_backbone_alone_has_no_classifier_and_other_tensors_are_no_network() {
        let mut file = written(&small(), Naming::Mmpretrain);
        file.tensors.retain(|name, _| name.starts_with("backbone."));
        let described = file.described().expect("an HRNet");
        assert!(!described.has_head);
        assert_eq!(described.spec.modules, small().modules);
        assert_eq!(described.spec.head, HrnetSpec::imagenet([1; 4]).head);
        file.tensors.retain(|name, _| name.contains("conv1"));
        assert!(
            file.described().is_some(),
            "one convolution of each block is enough"
        );
        file.tensors
            .retain(|name, _| !name.contains("stage4.0.branches.3"));
        assert_eq!(file.described(), None, "a branch without a width");
        file.tensors.clear();
        assert_eq!(file.described(), None);
    }
}
