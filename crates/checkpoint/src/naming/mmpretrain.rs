//! OpenMMLab's names: the original's below `backbone`, others for the head. A unit of convolution and batch norm in
//! the `neck` has `conv.weight` and `bn.{weight, bias, running_mean, running_var}`.

use super::place::{Parameter, Place};

/// The name of the tensor with this canonical name, which is this parameter of a layer there.
pub(super) fn name(canonical: &str, place: Place, parameter: Parameter) -> String {
    match place {
        Place::Widen { .. } => canonical.replacen("incre_modules", "neck.increase_layers", 1),
        Place::Lower { branch } => unit(&format!("neck.downsample_layers.{branch}"), parameter),
        Place::Last => unit("neck.final_layer", parameter),
        Place::Classifier => canonical.replacen("classifier", "head.fc", 1),
        Place::Stem(_)
        | Place::Stage1 { .. }
        | Place::Transition { .. }
        | Place::Block { .. }
        | Place::Fuse { .. } => format!("backbone.{canonical}"),
    }
}

fn unit(place: &str, parameter: Parameter) -> String {
    let parameter = match parameter {
        Parameter::ConvWeight => "conv.weight",
        Parameter::BnWeight => "bn.weight",
        Parameter::BnBias => "bn.bias",
        Parameter::BnMean => "bn.running_mean",
        Parameter::BnVariance => "bn.running_var",
        Parameter::LinearWeight => "weight",
        Parameter::LinearBias => "bias",
    };
    format!("{place}.{parameter}")
}
