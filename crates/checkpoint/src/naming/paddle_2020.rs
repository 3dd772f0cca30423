//! PaddleClas's names of 2020, when networks were first built layer by layer: a unit `P` of convolution and batch norm
//! has `P._conv.weight` and `P._batch_norm.{weight, bias, _mean, _variance}`. PaddleHub's copies have them too.

use hrnet::ParamKind;
use hrnet::place::Unit;

use super::paddle_static;
use super::words::Words;

pub(super) const WORDS: Words = Words {
    unit,
    conv: ".conv",
    shortcut: ".conv_down",
    gate: "",
    squeeze: ".se.squeeze",
    excite: ".se.excitation",
    suffix,
};

fn suffix(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::ConvWeight => "._conv.weight",
        ParamKind::ConvBias => "._conv.bias",
        ParamKind::BnWeight => "._batch_norm.weight",
        ParamKind::BnBias => "._batch_norm.bias",
        ParamKind::BnMean => "._batch_norm._mean",
        ParamKind::BnVariance => "._batch_norm._variance",
        ParamKind::LinearWeight => ".weight",
        ParamKind::LinearBias => ".bias",
    }
}

/// Most units carry their static name, below modules that count from 1.
fn unit(unit: Unit) -> Option<String> {
    let name = paddle_static::unit(unit)?;
    Some(match unit {
        Unit::Stem => format!("conv_{name}"),
        Unit::StageOne { .. } => format!("la1.bb_{name}"),
        Unit::Transition { number, .. } => format!("tr{number}.transition_{name}"),
        Unit::Block { stage, module, .. } => {
            format!("st{stage}.stage_st{stage}_{}.branches_func.bb_{name}", module + 1)
        }
        Unit::ExchangeTerm { stage, module, .. } => {
            format!(
                "st{stage}.stage_st{stage}_{}.fuse_func.residual_{name}",
                module + 1
            )
        }
        Unit::ExchangeOutput { .. } => return None,
        Unit::HeadBlock { branch } => format!("last_cls.conv_cls_head_conv_{}", branch + 1),
        Unit::HeadDown { .. } => name,
        Unit::HeadFinal => "conv_last".into(),
        Unit::Classifier => "out".into(),
        Unit::Heatmaps => return None,
    })
}
