//! The names that publishers give the tensors: one file a scheme, which names a parameter by its place in the network.

mod detect;
mod mmpose;
mod mmpretrain;
mod paddle;
mod paddle_2020;
mod paddle_static;
mod timm;
mod words;

use hrnet::place::{Layer, Role, Unit};
use hrnet::{ParamKind, Place};

pub(crate) use detect::{Scheme, schemes};

/// A naming scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// PaddleClas's of 2021 and since (`legendary_models`).
    Paddle,
    /// PaddleClas's of 2020, which PaddleHub's copies have.
    Paddle2020,
    /// Those of Paddle's static graphs of 2019.
    PaddleStatic,
    /// The original repository's, which timm kept; our canonical names.
    Timm,
    /// OpenMMLab's, in `mmpretrain` and the older `mmcls`.
    Mmpretrain,
    /// OpenMMLab's of pose networks, in `mmpose` 1.
    Mmpose,
    /// The same in `mmpose` 0.
    Mmpose0,
}

impl Naming {
    /// Every scheme.
    pub const ALL: [Self; 7] = [
        Self::Paddle,
        Self::Paddle2020,
        Self::PaddleStatic,
        Self::Timm,
        Self::Mmpretrain,
        Self::Mmpose,
        Self::Mmpose0,
    ];

    /// Those of classifiers: mmpose's are of pose networks alone.
    pub const OF_CLASSIFIERS: [Self; 5] = [
        Self::Paddle,
        Self::Paddle2020,
        Self::PaddleStatic,
        Self::Timm,
        Self::Mmpretrain,
    ];

    /// Those of pose networks.
    pub const OF_POSE: [Self; 3] = [Self::Timm, Self::Mmpose, Self::Mmpose0];

    /// Returns the scheme's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paddle => "Paddle",
            Self::Paddle2020 => "Paddle of 2020",
            Self::PaddleStatic => "static Paddle",
            Self::Timm => "timm",
            Self::Mmpretrain => "mmpretrain",
            Self::Mmpose => "mmpose",
            Self::Mmpose0 => "mmpose 0",
        }
    }

    /// Returns the tensor by which the scheme is recognised: the first convolution's weight.
    pub(crate) fn sign(self) -> String {
        let first = Unit::Stem.at(Role::Conv(Layer::Numbered(1)));
        self.name_of(&first, ParamKind::ConvWeight)
    }

    /// Returns this scheme's name of a parameter of the node at a place. Parameters of nodes that no HRNet has keep their
    /// canonical names.
    pub fn name_of(self, place: &Place, kind: ParamKind) -> String {
        let name = match place {
            Place::In(unit, role) => self.name_in(*unit, *role, kind),
            Place::Input | Place::Named(_) => None,
        };
        name.unwrap_or_else(|| place.param_name(kind))
    }

    /// The name in a unit of an HRNet; `None` for the canonical one.
    fn name_in(self, unit: Unit, role: Role, kind: ParamKind) -> Option<String> {
        match self {
            Self::Paddle => paddle::WORDS.name(unit, role, kind),
            Self::Paddle2020 => paddle_2020::WORDS.name(unit, role, kind),
            Self::PaddleStatic => paddle_static::WORDS.name(unit, role, kind),
            Self::Timm => None,
            Self::Mmpretrain => Some(mmpretrain::name(unit, role, kind)),
            Self::Mmpose => Some(mmpose::name(mmpose::HEAD, unit, role, kind)),
            Self::Mmpose0 => Some(mmpose::name(mmpose::OLD_HEAD, unit, role, kind)),
        }
    }

    /// Returns true if linear weights are stored `[in, out]` rather than `[out, in]`.
    pub const fn transposes_linear(self) -> bool {
        match self {
            Self::Paddle | Self::Paddle2020 | Self::PaddleStatic => true,
            Self::Timm | Self::Mmpretrain | Self::Mmpose | Self::Mmpose0 => false,
        }
    }

    /// The name of the bias that some networks have at a convolution, for the convolution and the batch norm behind it.
    pub(crate) fn head_bias(self, place: &Place) -> Option<String> {
        match self {
            Self::Timm => timm::head_bias(place),
            Self::Paddle
            | Self::Paddle2020
            | Self::PaddleStatic
            | Self::Mmpretrain
            | Self::Mmpose
            | Self::Mmpose0 => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use hrnet::{Graph, Heatmaps, HrnetSpec, Param, Shape};

    /// Canonical names, and those of PaddleClas (today, in 2020, in its static graphs) and OpenMMLab.
    const NAMES: &[[&str; 5]] = &[
        [
            "conv1.weight",
            "conv_layer1_1.conv.weight",
            "conv_layer1_1._conv.weight",
            "layer1_1_weights",
            "backbone.conv1.weight",
        ],
        [
            "bn2.running_mean",
            "conv_layer1_2.bn._mean",
            "conv_layer1_2._batch_norm._mean",
            "layer1_2_bn_mean",
            "backbone.bn2.running_mean",
        ],
        [
            "layer1.3.conv2.weight",
            "layer1.3.conv2.conv.weight",
            "la1.bb_layer2_4.conv2._conv.weight",
            "layer2_4_conv2_weights",
            "backbone.layer1.3.conv2.weight",
        ],
        [
            "layer1.0.downsample.0.weight",
            "layer1.0.conv_down.conv.weight",
            "la1.bb_layer2_1.conv_down._conv.weight",
            "layer2_1_downsample_weights",
            "backbone.layer1.0.downsample.0.weight",
        ],
        [
            "layer1.0.downsample.1.bias",
            "layer1.0.conv_down.bn.bias",
            "la1.bb_layer2_1.conv_down._batch_norm.bias",
            "layer2_1_downsample_bn_offset",
            "backbone.layer1.0.downsample.1.bias",
        ],
        [
            "transition1.0.0.weight",
            "conv_tr1_1.conv.weight",
            "tr1.transition_tr1_layer_1._conv.weight",
            "tr1_layer_1_weights",
            "backbone.transition1.0.0.weight",
        ],
        [
            "transition1.1.0.1.running_var",
            "conv_tr1_2.bn._variance",
            "tr1.transition_tr1_layer_2._batch_norm._variance",
            "tr1_layer_2_bn_variance",
            "backbone.transition1.1.0.1.running_var",
        ],
        [
            "transition2.2.0.0.weight",
            "conv_tr2.conv.weight",
            "tr2.transition_tr2_layer_3._conv.weight",
            "tr2_layer_3_weights",
            "backbone.transition2.2.0.0.weight",
        ],
        [
            "transition3.3.0.1.weight",
            "conv_tr3.bn.weight",
            "tr3.transition_tr3_layer_4._batch_norm.weight",
            "tr3_layer_4_bn_scale",
            "backbone.transition3.3.0.1.weight",
        ],
        [
            "stage2.0.fuse_layers.0.1.0.weight",
            "st2.stage_func_list.0.fuse_func.residual_func_list.0.conv.weight",
            "st2.stage_st2_1.fuse_func.residual_st2_1_layer_1_2._conv.weight",
            "st2_1_layer_1_2_weights",
            "backbone.stage2.0.fuse_layers.0.1.0.weight",
        ],
        [
            "stage4.2.fuse_layers.3.0.2.0.weight",
            "st4.stage_func_list.2.fuse_func.residual_func_list.12.conv.weight",
            "st4.stage_st4_3.fuse_func.residual_st4_3_layer_4_1_3._conv.weight",
            "st4_3_layer_4_1_3_weights",
            "backbone.stage4.2.fuse_layers.3.0.2.0.weight",
        ],
        [
            "stage3.1.branches.2.3.bn2.running_var",
            "st3.stage_func_list.1.basic_block_list.2.3.conv2.bn._variance",
            "st3.stage_st3_2.branches_func.bb_st3_2_branch_layer_3_4.conv2._batch_norm._variance",
            "st3_2_branch_layer_3_4_conv2_bn_variance",
            "backbone.stage3.1.branches.2.3.bn2.running_var",
        ],
        [
            "incre_modules.0.0.downsample.1.running_mean",
            "last_cls.func_list.0.conv_down.bn._mean",
            "last_cls.conv_cls_head_conv_1.conv_down._batch_norm._mean",
            "cls_headconv_1_downsample_bn_mean",
            "neck.increase_layers.0.0.downsample.1.running_mean",
        ],
        [
            "downsamp_modules.2.0.weight",
            "cls_head_conv_list.2.conv.weight",
            "cls_head_add3._conv.weight",
            "cls_head_add3_weights",
            "neck.downsample_layers.2.conv.weight",
        ],
        [
            "final_layer.1.bias",
            "conv_last.bn.bias",
            "conv_last._batch_norm.bias",
            "cls_head_last_conv_bn_offset",
            "neck.final_layer.bn.bias",
        ],
        [
            "classifier.weight",
            "fc.weight",
            "out.weight",
            "fc_weights",
            "head.fc.weight",
        ],
        [
            "classifier.bias",
            "fc.bias",
            "out.bias",
            "fc_offset",
            "head.fc.bias",
        ],
        [
            "stage2.0.branches.1.0.se.fc1.bias",
            "st2.stage_func_list.0.basic_block_list.1.0.se.fc_squeeze.bias",
            "st2.stage_st2_1.branches_func.bb_st2_1_branch_layer_2_1.se.squeeze.bias",
            "fcst2_1_branch_layer_2_1_sqz_offset",
            "backbone.stage2.0.branches.1.0.se.fc1.bias",
        ],
        [
            "incre_modules.3.0.se.fc2.weight",
            "last_cls.func_list.3.se.fc_excitation.weight",
            "last_cls.conv_cls_head_conv_4.se.excitation.weight",
            "fccls_headconv_4_exc_weights",
            "neck.increase_layers.3.0.se.fc2.weight",
        ],
    ];

    fn gated() -> Graph {
        let spec = HrnetSpec::imagenet([64, 128, 256, 512]).with_se();
        spec.graph(Shape::square(1, 224)).expect("a graph")
    }

    #[test]
    fn names_are_those_of_the_frameworks() {
        let schemes = [
            Naming::Timm,
            Naming::Paddle,
            Naming::Paddle2020,
            Naming::PaddleStatic,
            Naming::Mmpretrain,
        ];
        let params: BTreeMap<String, Param> = gated().params().map(|param| (param.name(), param)).collect();
        for names in NAMES {
            let param = &params[names[0]];
            for (naming, name) in schemes.into_iter().zip(names) {
                assert_eq!(naming.name_of(&param.place, param.kind), *name);
            }
        }
    }

    #[test]
    fn whole_networks_map_to_distinct_names() {
        let plain = HrnetSpec::imagenet([18, 36, 72, 144]).graph(Shape::square(1, 224));
        for (graph, count) in [(plain.expect("a graph"), 1627), (gated(), 2075)] {
            for naming in Naming::OF_CLASSIFIERS {
                let name = |param: Param| naming.name_of(&param.place, param.kind);
                let names: BTreeSet<String> = graph.params().map(name).collect();
                assert_eq!(names.len(), count, "{naming:?}");
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let schemes = schemes(&names);
                assert_eq!(schemes.len(), 1, "{naming:?}: {schemes:?}");
                assert_eq!((schemes[0].naming, schemes[0].prefix.as_str()), (naming, ""));
            }
        }
    }

    /// The CRC-32 of all names of the network with every kind of unit, each followed by a line feed: files out there have them.
    #[test]
    fn all_names_are_as_they_were() {
        let graph = gated();
        for (naming, expected) in [
            (Naming::Paddle, 0xe98a_dcb0),
            (Naming::Paddle2020, 0xb365_42d8),
            (Naming::PaddleStatic, 0x01f1_669a),
            (Naming::Timm, 0x8ebd_7333),
            (Naming::Mmpretrain, 0x99df_65ba),
        ] {
            let names = graph
                .params()
                .map(|param| naming.name_of(&param.place, param.kind));
            let text: String = names.map(|name| name + "\n").collect();
            let found = crc32fast::hash(text.as_bytes());
            assert_eq!(found, expected, "{naming:?}: {found:#x}");
        }
    }

    #[test]
    fn pose_networks_are_told_from_classifiers_by_the_names_in_the_file() {
        let spec = HrnetSpec::imagenet([32, 64, 128, 256]).with_head(Heatmaps::new(17));
        let graph = spec.graph(Shape::new(1, 3, 64, 32)).expect("a graph");
        for (naming, head, stem) in [
            (Naming::Timm, "final_layer", "conv1.weight"),
            (Naming::Mmpose, "head.final_layer", "backbone.conv1.weight"),
            (
                Naming::Mmpose0,
                "keypoint_head.final_layer",
                "backbone.conv1.weight",
            ),
        ] {
            for wrapper in ["", "module."] {
                let name = |param: Param| format!("{wrapper}{}", naming.name_of(&param.place, param.kind));
                let names: BTreeSet<String> = graph.params().map(name).collect();
                assert_eq!(names.len(), graph.params().count(), "{naming:?}");
                for name in [format!("{head}.weight"), format!("{head}.bias"), stem.to_owned()] {
                    assert!(names.contains(&format!("{wrapper}{name}")), "{naming:?}: {name}");
                }
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let schemes = schemes(&names);
                assert_eq!(schemes.len(), 1, "{naming:?}: {schemes:?}");
                assert_eq!((schemes[0].naming, schemes[0].prefix.as_str()), (naming, wrapper));
            }
        }
    }

    #[test]
    fn only_head_convolutions_have_a_bias_that_is_folded() {
        let graph = gated();
        let biases = |naming: Naming, kind: ParamKind| -> Vec<String> {
            let params = graph.params().filter(|param| param.kind == kind);
            params
                .filter_map(|param| naming.head_bias(&param.place))
                .collect()
        };
        let expected = [
            "downsamp_modules.0.0.bias",
            "downsamp_modules.1.0.bias",
            "downsamp_modules.2.0.bias",
            "final_layer.0.bias",
        ];
        assert_eq!(biases(Naming::Timm, ParamKind::ConvWeight), expected);
        assert_eq!(biases(Naming::Timm, ParamKind::BnMean), expected);
        assert_eq!(biases(Naming::Timm, ParamKind::LinearBias), [""; 0]);
        assert_eq!(biases(Naming::Paddle, ParamKind::ConvWeight), [""; 0]);
    }

    #[test]
    fn nodes_of_other_graphs_keep_their_names() {
        for naming in Naming::ALL {
            let mean = naming.name_of(&"stem".into(), ParamKind::BnMean);
            assert_eq!(mean, "stem.running_mean");
        }
    }
}
