//! OpenMMLab's names: the original's below `backbone`, others for the head. A unit of convolution and batch norm in
//! the `neck` has `conv.weight` and `bn.{weight, bias, running_mean, running_var}`.

use hrnet::ParamKind;
use hrnet::place::{Role, Unit};

/// Returns the name of a parameter of the node with this role in a unit.
pub(super) fn name(unit: Unit, role: Role, kind: ParamKind) -> String {
    let (leaf, layer) = (kind.name(), layer(kind));
    match unit {
        Unit::HeadBlock { branch } => format!("neck.increase_layers.{branch}.0.{role}.{leaf}"),
        Unit::HeadDown { from } => format!("neck.downsample_layers.{from}.{layer}.{leaf}"),
        Unit::HeadFinal => format!("neck.final_layer.{layer}.{leaf}"),
        Unit::Classifier => format!("head.{layer}.{leaf}"),
        Unit::Heatmaps => format!("head.{role}.{leaf}"),
        Unit::Stem
        | Unit::StageOne { .. }
        | Unit::Transition { .. }
        | Unit::Block { .. }
        | Unit::ExchangeTerm { .. }
        | Unit::ExchangeOutput { .. } => format!("backbone.{}", unit.at(role).param_name(kind)),
    }
}

/// Returns the name of the layer that has such a parameter, in the neck and the head.
fn layer(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::ConvWeight | ParamKind::ConvBias => "conv",
        ParamKind::BnWeight | ParamKind::BnBias | ParamKind::BnMean | ParamKind::BnVariance => "bn",
        ParamKind::LinearWeight | ParamKind::LinearBias => "fc",
    }
}
