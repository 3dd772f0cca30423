//! The names of Paddle's static graphs of 2019, all in one flat space: a unit `P` of convolution and batch norm has
//! `P_weights` and `P_bn_{scale, offset, mean, variance}`.

use hrnet::ParamKind;
use hrnet::place::Unit;

use super::words::Words;

pub(super) const WORDS: Words = Words {
    unit,
    conv: "_conv",
    shortcut: "_downsample",
    gate: "fc",
    squeeze: "_sqz",
    excite: "_exc",
    suffix,
};

fn suffix(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::ConvWeight | ParamKind::LinearWeight => "_weights",
        ParamKind::BnWeight => "_bn_scale",
        ParamKind::BnBias => "_bn_offset",
        ParamKind::BnMean => "_bn_mean",
        ParamKind::BnVariance => "_bn_variance",
        ParamKind::ConvBias | ParamKind::LinearBias => "_offset",
    }
}

/// Returns the name of a unit that has parameters; here all numbers count from 1.
pub(super) fn unit(unit: Unit) -> Option<String> {
    Some(match unit {
        Unit::Stem => "layer1".into(),
        Unit::StageOne { block } => format!("layer2_{}", block + 1),
        Unit::Transition { number, branch } => format!("tr{number}_layer_{}", branch + 1),
        Unit::Block {
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
        Unit::ExchangeTerm {
            stage,
            module,
            output,
            from,
            step,
        } => {
            let step = step.map_or_else(String::new, |step| format!("_{}", step + 1));
            format!("st{stage}_{}_layer_{}_{}{step}", module + 1, output + 1, from + 1)
        }
        Unit::ExchangeOutput { .. } => return None,
        // PaddleClas joins `cls_head` and `conv_` without a bar.
        Unit::HeadBlock { branch } => format!("cls_headconv_{}", branch + 1),
        Unit::HeadDown { from } => format!("cls_head_add{}", from + 1),
        Unit::HeadFinal => "cls_head_last_conv".into(),
        Unit::Classifier => "fc".into(),
        Unit::Heatmaps => return None,
    })
}
