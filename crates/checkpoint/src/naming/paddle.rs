//! PaddleClas's names of 2021 and since: a unit `P` of convolution and batch norm has `P.conv.weight` and
//! `P.bn.{weight, bias, _mean, _variance}`.

use super::place::{Layer, Parameter, Place};

/// The name of the tensor that is this parameter of this layer there.
pub(super) fn name(place: Place, layer: Layer, parameter: Parameter) -> String {
    let unit = unit(place, layer);
    match parameter {
        Parameter::ConvWeight => format!("{unit}.conv.weight"),
        Parameter::BnWeight => format!("{unit}.bn.weight"),
        Parameter::BnBias => format!("{unit}.bn.bias"),
        Parameter::BnMean => format!("{unit}.bn._mean"),
        Parameter::BnVariance => format!("{unit}.bn._variance"),
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
        Layer::Squeeze => format!("{place}.se.fc_squeeze"),
        Layer::Excite => format!("{place}.se.fc_excitation"),
    }
}

fn place(place: Place) -> String {
    match place {
        Place::Stem(number) => format!("conv_layer1_{number}"),
        Place::Stage1 { block } => format!("layer1.{block}"),
        Place::Transition { number: 1, branch } => format!("conv_tr1_{}", branch + 1),
        Place::Transition { number, .. } => format!("conv_tr{number}"),
        Place::Block {
            stage,
            module,
            branch,
            block,
        } => format!("st{stage}.stage_func_list.{module}.basic_block_list.{branch}.{block}"),
        Place::Fuse {
            stage,
            module,
            output,
            from,
            step,
        } => {
            let index = fuse_index(stage, output, from) + step.unwrap_or(0);
            format!("st{stage}.stage_func_list.{module}.fuse_func.residual_func_list.{index}")
        }
        Place::Widen { branch } => format!("last_cls.func_list.{branch}"),
        Place::Lower { branch } => format!("cls_head_conv_list.{branch}"),
        Place::Last => "conv_last".into(),
        Place::Classifier => "fc".into(),
    }
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
