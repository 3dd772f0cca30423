//! PaddleClas's names of 2021 and since: a unit `P` of convolution and batch norm has `P.conv.weight` and
//! `P.bn.{weight, bias, _mean, _variance}`.

use hrnet::ParamKind;
use hrnet::place::Unit;

use super::words::Words;

pub(super) const WORDS: Words = Words {
    unit,
    conv: ".conv",
    shortcut: ".conv_down",
    gate: "",
    squeeze: ".se.fc_squeeze",
    excite: ".se.fc_excitation",
    suffix,
};

fn suffix(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::ConvWeight => ".conv.weight",
        ParamKind::ConvBias => ".conv.bias",
        ParamKind::BnWeight => ".bn.weight",
        ParamKind::BnBias => ".bn.bias",
        ParamKind::BnMean => ".bn._mean",
        ParamKind::BnVariance => ".bn._variance",
        ParamKind::LinearWeight => ".weight",
        ParamKind::LinearBias => ".bias",
    }
}

fn unit(unit: Unit) -> Option<String> {
    Some(match unit {
        Unit::Stem => "conv_layer1".into(),
        Unit::StageOne { block } => format!("layer1.{block}"),
        Unit::Transition { number: 1, branch } => format!("conv_tr1_{}", branch + 1),
        Unit::Transition { number, .. } => format!("conv_tr{number}"),
        Unit::Block {
            stage,
            module,
            branch,
            block,
        } => format!("st{stage}.stage_func_list.{module}.basic_block_list.{branch}.{block}"),
        Unit::ExchangeTerm {
            stage,
            module,
            output,
            from,
            step,
        } => {
            let index = fuse_index(stage, output, from) + step.unwrap_or(0);
            format!("st{stage}.stage_func_list.{module}.fuse_func.residual_func_list.{index}")
        }
        Unit::ExchangeOutput { .. } => return None,
        Unit::HeadBlock { branch } => format!("last_cls.func_list.{branch}"),
        Unit::HeadDown { from } => format!("cls_head_conv_list.{from}"),
        Unit::HeadFinal => "conv_last".into(),
        Unit::Classifier => "fc".into(),
        Unit::Heatmaps => return None,
    })
}

/// Returns the index of the first layer from branch `from` to `output` in Paddle's flat list, which runs over outputs, then
/// over the other branches: one layer from each lower-resolution branch, one per step from each higher one.
fn fuse_index(branches: usize, output: usize, from: usize) -> usize {
    let layers = |output: usize, from: usize| {
        if from < output {
            output - from
        } else {
            usize::from(from != output)
        }
    };
    let outputs_before: usize = (0..output)
        .flat_map(|o| (0..branches).map(move |f| layers(o, f)))
        .sum();
    let branches_before: usize = (0..from).map(|f| layers(output, f)).sum();
    outputs_before + branches_before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flat_fuse_list_of_four_branches_is_in_order() {
        let flat: Vec<usize> = [
            (0, 1),
            (0, 2),
            (0, 3),
            (1, 0),
            (1, 2),
            (1, 3),
            (2, 0),
            (2, 1),
            (2, 3),
            (3, 0),
            (3, 1),
            (3, 2),
        ]
        .map(|(output, from)| fuse_index(4, output, from))
        .to_vec();
        assert_eq!(flat, [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 13, 15]);
    }
}
