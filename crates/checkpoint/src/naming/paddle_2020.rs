//! PaddleClas's names of 2020, when networks were first built layer by layer: a unit `P` of convolution and batch norm
//! has `P._conv.weight` and `P._batch_norm.{weight, bias, _mean, _variance}`. PaddleHub's copies have them too.

use super::paddle_static;
use super::place::{Layer, Parameter, Place};

/// The name of the tensor that is this parameter of this layer there.
pub(super) fn name(place: Place, layer: Layer, parameter: Parameter) -> String {
    let unit = unit(place, layer);
    match parameter {
        Parameter::ConvWeight => format!("{unit}._conv.weight"),
        Parameter::BnWeight => format!("{unit}._batch_norm.weight"),
        Parameter::BnBias => format!("{unit}._batch_norm.bias"),
        Parameter::BnMean => format!("{unit}._batch_norm._mean"),
        Parameter::BnVariance => format!("{unit}._batch_norm._variance"),
        Parameter::LinearWeight => format!("{unit}.weight"),
        Parameter::LinearBias => format!("{unit}.bias"),
    }
}

fn unit(place: Place, layer: Layer) -> String {
    let place = self::place(place);
    match layer {
        Layer::Only => place,
        Layer::Numbered(number) => format!("{place}.conv{number}"),
        Layer::Shortcut => format!("{place}.conv_down"),
        Layer::Squeeze => format!("{place}.se.squeeze"),
        Layer::Excite => format!("{place}.se.excitation"),
    }
}

/// Most modules carry the static name of what is in them, counted from 1.
fn place(place: Place) -> String {
    let name = paddle_static::place(place);
    match place {
        Place::Stem(_) => format!("conv_{name}"),
        Place::Stage1 { .. } => format!("la1.bb_{name}"),
        Place::Transition { number, .. } => format!("tr{number}.transition_{name}"),
        Place::Block { stage, module, .. } => {
            format!("st{stage}.stage_st{stage}_{}.branches_func.bb_{name}", module + 1)
        }
        Place::Fuse { stage, module, .. } => {
            format!(
                "st{stage}.stage_st{stage}_{}.fuse_func.residual_{name}",
                module + 1
            )
        }
        Place::Widen { branch } => format!("last_cls.conv_cls_head_conv_{}", branch + 1),
        Place::Lower { .. } => name,
        Place::Last => "conv_last".into(),
        Place::Classifier => "out".into(),
    }
}
