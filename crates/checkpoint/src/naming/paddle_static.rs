//! The names of Paddle's static graphs of 2019, all in one flat space: a unit `P` of convolution and batch norm has
//! `P_weights` and `P_bn_{scale, offset, mean, variance}`.

use super::place::{Layer, Parameter, Place};

/// The name of the tensor that is this parameter of this layer there.
pub(super) fn name(place: Place, layer: Layer, parameter: Parameter) -> String {
    let unit = unit(place, layer);
    match parameter {
        Parameter::ConvWeight | Parameter::LinearWeight => format!("{unit}_weights"),
        Parameter::BnWeight => format!("{unit}_bn_scale"),
        Parameter::BnBias => format!("{unit}_bn_offset"),
        Parameter::BnMean => format!("{unit}_bn_mean"),
        Parameter::BnVariance => format!("{unit}_bn_variance"),
        Parameter::LinearBias => format!("{unit}_offset"),
    }
}

fn unit(place: Place, layer: Layer) -> String {
    let place = self::place(place);
    match layer {
        Layer::Only => place,
        Layer::Numbered(number) => format!("{place}_conv{number}"),
        Layer::Shortcut => format!("{place}_downsample"),
        Layer::Squeeze => format!("fc{place}_sqz"),
        Layer::Excite => format!("fc{place}_exc"),
    }
}

/// The name of a place; here all count from 1.
pub(super) fn place(place: Place) -> String {
    match place {
        Place::Stem(number) => format!("layer1_{number}"),
        Place::Stage1 { block } => format!("layer2_{}", block + 1),
        Place::Transition { number, branch } => format!("tr{number}_layer_{}", branch + 1),
        Place::Block {
            stage,
            module,
            branch,
            block,
        } => format!(
            "st{stage}_{}_branch_layer_{}_{}",
            module + 1,
            branch + 1,
            block + 1
        ),
        Place::Fuse {
            stage,
            module,
            output,
            from,
            step,
        } => {
            let step = step.map_or_else(String::new, |step| format!("_{}", step + 1));
            format!("st{stage}_{}_layer_{}_{}{step}", module + 1, output + 1, from + 1)
        }
        // PaddleClas joins `cls_head` and `conv_` without a bar.
        Place::Widen { branch } => format!("cls_headconv_{}", branch + 1),
        Place::Lower { branch } => format!("cls_head_add{}", branch + 1),
        Place::Last => "cls_head_last_conv".into(),
        Place::Classifier => "fc".into(),
    }
}
