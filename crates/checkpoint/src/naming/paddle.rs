//! PaddleClas's names: a unit `P` of convolution and batch norm has `P.conv.weight` and `P.bn.{weight, bias, _mean,
//! _variance}`.

/// The Paddle name of the tensor with this canonical name.
pub(super) fn name(canonical: &str) -> String {
    let (module, parameter) = canonical.rsplit_once('.').unwrap_or(("", canonical));
    let parameter = match parameter {
        "running_mean" => "_mean",
        "running_var" => "_variance",
        other => other,
    };
    let path: Vec<&str> = module.split('.').collect();
    match path.as_slice() {
        ["classifier"] => format!("fc.{parameter}"),
        [block @ .., "se", "fc1"] => format!("{}.se.fc_squeeze.{parameter}", self::block(block)),
        [block @ .., "se", "fc2"] => format!("{}.se.fc_excitation.{parameter}", self::block(block)),
        _ => {
            let (unit, part) = unit(&path);
            format!("{unit}.{part}.{parameter}")
        }
    }
}

/// The unit of a convolution or batch norm, and which of the two it is.
fn unit(path: &[&str]) -> (String, &'static str) {
    match path {
        [conv] => match conv.strip_prefix("conv") {
            Some(index) => (format!("conv_layer1_{index}"), "conv"),
            None => (format!("conv_layer1_{}", conv.trim_start_matches("bn")), "bn"),
        },
        [module @ .., "downsample", part] => (format!("{}.conv_down", block(module)), sequential(part)),
        [module @ .., leaf] if leaf.starts_with("conv") => (format!("{}.{leaf}", block(module)), "conv"),
        [module @ .., leaf] if leaf.starts_with("bn") => {
            (format!("{}.{}", block(module), leaf.replace("bn", "conv")), "bn")
        }
        [module @ .., part] => (layer(module), sequential(part)),
        [] => (String::new(), "conv"),
    }
}

/// In PyTorch's sequences the convolution is part 0, the batch norm part 1.
const fn sequential(part: &str) -> &'static str {
    if matches!(part.as_bytes(), b"0") {
        "conv"
    } else {
        "bn"
    }
}

/// A bottleneck or basic block.
fn block(path: &[&str]) -> String {
    match path {
        [stage, module, "branches", branch, index] => {
            format!(
                "{}.basic_block_list.{branch}.{index}",
                stage_module(stage, module)
            )
        }
        ["incre_modules", branch, _] => format!("last_cls.func_list.{branch}"),
        other => other.join("."),
    }
}

/// A convolution with batch norm outside of blocks.
fn layer(path: &[&str]) -> String {
    match path {
        ["transition1", "0"] => "conv_tr1_1".into(),
        ["transition1", ..] => "conv_tr1_2".into(),
        [transition, ..] if transition.starts_with("transition") => {
            format!("conv_tr{}", transition.trim_start_matches("transition"))
        }
        [stage, module, "fuse_layers", output, from, step @ ..] => {
            let index = fuse_index(
                number(stage.trim_start_matches("stage")),
                number(output),
                number(from),
            );
            let step = step.first().map_or(0, |step| number(step));
            format!(
                "{}.fuse_func.residual_func_list.{}",
                stage_module(stage, module),
                index + step
            )
        }
        ["downsamp_modules", index] => format!("cls_head_conv_list.{index}"),
        ["final_layer"] => "conv_last".into(),
        other => other.join("."),
    }
}

fn stage_module(stage: &str, module: &str) -> String {
    format!("st{}.stage_func_list.{module}", stage.trim_start_matches("stage"))
}

/// Where the first layer from branch `from` to `output` stands in Paddle's flat list, which runs over outputs, then
/// over the other branches: one layer from each lower-resolution branch, one a step from each higher one.
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

fn number(text: &str) -> usize {
    text.parse().expect("graphs number their modules")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use hrnet::{HrnetSpec, Shape};

    #[test]
    fn names_are_those_of_paddleclas() {
        for (canonical, paddle) in [
            ("conv1.weight", "conv_layer1_1.conv.weight"),
            ("bn2.running_mean", "conv_layer1_2.bn._mean"),
            ("layer1.3.conv2.weight", "layer1.3.conv2.conv.weight"),
            ("layer1.0.downsample.0.weight", "layer1.0.conv_down.conv.weight"),
            ("layer1.0.downsample.1.bias", "layer1.0.conv_down.bn.bias"),
            ("transition1.0.0.weight", "conv_tr1_1.conv.weight"),
            ("transition1.1.0.1.running_var", "conv_tr1_2.bn._variance"),
            ("transition2.2.0.0.weight", "conv_tr2.conv.weight"),
            ("transition3.3.0.1.weight", "conv_tr3.bn.weight"),
            (
                "stage4.2.fuse_layers.3.0.2.0.weight",
                "st4.stage_func_list.2.fuse_func.residual_func_list.12.conv.weight",
            ),
            (
                "stage3.1.branches.2.3.bn2.running_var",
                "st3.stage_func_list.1.basic_block_list.2.3.conv2.bn._variance",
            ),
            (
                "incre_modules.0.0.downsample.1.running_mean",
                "last_cls.func_list.0.conv_down.bn._mean",
            ),
            ("downsamp_modules.2.0.weight", "cls_head_conv_list.2.conv.weight"),
            ("final_layer.1.bias", "conv_last.bn.bias"),
            ("classifier.weight", "fc.weight"),
            (
                "stage2.0.branches.1.0.se.fc1.bias",
                "st2.stage_func_list.0.basic_block_list.1.0.se.fc_squeeze.bias",
            ),
            (
                "incre_modules.3.0.se.fc2.weight",
                "last_cls.func_list.3.se.fc_excitation.weight",
            ),
        ] {
            assert_eq!(name(canonical), paddle);
        }
    }

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

    #[test]
    fn whole_networks_map_to_distinct_names() {
        let plain = HrnetSpec::imagenet([18, 36, 72, 144]);
        let se = HrnetSpec::imagenet([64, 128, 256, 512]).with_se();
        for (spec, count) in [(plain, 1627), (se, 2075)] {
            let graph = spec.graph(Shape::square(1, 224)).expect("a graph");
            let names: BTreeSet<String> = graph.params().map(|param| name(&param.name)).collect();
            assert_eq!(names.len(), count);
        }
    }
}
