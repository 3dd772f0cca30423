//! Canonical names taken apart: where in an HRNet a tensor is, and what it is there.

/// A place in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A convolution before the first stage, from 1.
    Stem(usize),
    /// A bottleneck of the first stage.
    Stage1 { block: usize },
    /// The convolution that makes a branch of what comes before stage `number + 1`.
    Transition { number: usize, branch: usize },
    /// A basic block.
    Block {
        stage: usize,
        module: usize,
        branch: usize,
        block: usize,
    },
    /// A convolution of the exchange from one branch to another; towards lower resolution there are several steps.
    Fuse {
        stage: usize,
        module: usize,
        output: usize,
        from: usize,
        step: Option<usize>,
    },
    /// The head's bottleneck at the end of a branch.
    Widen { branch: usize },
    /// The head's convolution from a branch to the next.
    Lower { branch: usize },
    /// The head's last convolution.
    Last,
    /// The linear layer.
    Classifier,
}

/// The layer at that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// The only one.
    Only,
    /// A block's convolution or its batch norm, from 1.
    Numbered(usize),
    /// Those of a bottleneck's shortcut.
    Shortcut,
    /// Squeeze-and-excitation's first linear layer.
    Squeeze,
    /// Its second.
    Excite,
}

/// A layer's kind, with what the parameter does in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    ConvWeight,
    BnWeight,
    BnBias,
    BnMean,
    BnVariance,
    LinearWeight,
    LinearBias,
}

/// The place, layer and parameter of a canonical name, or `None` for a name that no HRNet has.
pub(super) fn parse(canonical: &str) -> Option<(Place, Layer, Parameter)> {
    let path: Vec<&str> = canonical.split('.').collect();
    let [module @ .., parameter] = path.as_slice() else {
        return None;
    };
    Some(match module {
        ["classifier"] => (Place::Classifier, Layer::Only, linear(parameter)?),
        [leaf] => {
            let (number, parameter) = numbered(leaf, parameter)?;
            (Place::Stem(number), Layer::Only, parameter)
        }
        ["layer1", block, rest @ ..] => {
            let (layer, parameter) = in_block(rest, parameter)?;
            (Place::Stage1 { block: index(block)? }, layer, parameter)
        }
        [stage, module, "branches", branch, block, rest @ ..] => {
            let (layer, parameter) = in_block(rest, parameter)?;
            let place = Place::Block {
                stage: after("stage", stage)?,
                module: index(module)?,
                branch: index(branch)?,
                block: index(block)?,
            };
            (place, layer, parameter)
        }
        ["incre_modules", branch, "0", rest @ ..] => {
            let (layer, parameter) = in_block(rest, parameter)?;
            (
                Place::Widen {
                    branch: index(branch)?,
                },
                layer,
                parameter,
            )
        }
        [place @ .., part] => (alone(place)?, Layer::Only, sequential(part, parameter)?),
        [] => return None,
    })
}

/// A convolution with batch norm outside of blocks.
fn alone(path: &[&str]) -> Option<Place> {
    Some(match path {
        [stage, module, "fuse_layers", output, from, step @ ..] => Place::Fuse {
            stage: after("stage", stage)?,
            module: index(module)?,
            output: index(output)?,
            from: index(from)?,
            step: match step {
                [] => None,
                [step] => Some(index(step)?),
                _ => return None,
            },
        },
        ["downsamp_modules", branch] => Place::Lower {
            branch: index(branch)?,
        },
        ["final_layer"] => Place::Last,
        // A branch that is new has one more sequence around its convolution.
        [transition, branch] | [transition, branch, "0"] => Place::Transition {
            number: after("transition", transition)?,
            branch: index(branch)?,
        },
        _ => return None,
    })
}

fn in_block(path: &[&str], parameter: &str) -> Option<(Layer, Parameter)> {
    Some(match path {
        ["se", "fc1"] => (Layer::Squeeze, linear(parameter)?),
        ["se", "fc2"] => (Layer::Excite, linear(parameter)?),
        ["downsample", part] => (Layer::Shortcut, sequential(part, parameter)?),
        [leaf] => {
            let (number, parameter) = numbered(leaf, parameter)?;
            (Layer::Numbered(number), parameter)
        }
        _ => return None,
    })
}

fn numbered(leaf: &str, parameter: &str) -> Option<(usize, Parameter)> {
    match after("conv", leaf) {
        Some(number) => Some((number, conv(parameter)?)),
        None => Some((after("bn", leaf)?, batch_norm(parameter)?)),
    }
}

/// In PyTorch's sequences the convolution is part 0, the batch norm part 1.
fn sequential(part: &str, parameter: &str) -> Option<Parameter> {
    match part {
        "0" => conv(parameter),
        "1" => batch_norm(parameter),
        _ => None,
    }
}

fn conv(parameter: &str) -> Option<Parameter> {
    (parameter == "weight").then_some(Parameter::ConvWeight)
}

fn batch_norm(parameter: &str) -> Option<Parameter> {
    Some(match parameter {
        "weight" => Parameter::BnWeight,
        "bias" => Parameter::BnBias,
        "running_mean" => Parameter::BnMean,
        "running_var" => Parameter::BnVariance,
        _ => return None,
    })
}

fn linear(parameter: &str) -> Option<Parameter> {
    Some(match parameter {
        "weight" => Parameter::LinearWeight,
        "bias" => Parameter::LinearBias,
        _ => return None,
    })
}

fn after(word: &str, text: &str) -> Option<usize> {
    index(text.strip_prefix(word)?)
}

fn index(text: &str) -> Option<usize> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrnet::{HrnetSpec, ParamKind, Shape};

    #[test]
    fn every_name_of_a_graph_is_taken_apart() {
        let spec = HrnetSpec::imagenet([64, 128, 256, 512]).with_se();
        let graph = spec.graph(Shape::square(1, 224)).expect("a graph");
        for param in graph.params() {
            let (_, _, parameter) = parse(&param.name).unwrap_or_else(|| panic!("{}", param.name));
            let kind = match parameter {
                Parameter::ConvWeight => ParamKind::ConvWeight,
                Parameter::BnWeight => ParamKind::BnWeight,
                Parameter::BnBias => ParamKind::BnBias,
                Parameter::BnMean => ParamKind::BnMean,
                Parameter::BnVariance => ParamKind::BnVariance,
                Parameter::LinearWeight => ParamKind::LinearWeight,
                Parameter::LinearBias => ParamKind::LinearBias,
            };
            assert_eq!(kind, param.kind, "{}", param.name);
        }
    }

    #[test]
    fn other_names_are_not() {
        for name in [
            "",
            "conv1",
            "conv1.bias",
            "conv.weight",
            "layer1.0.conv1.bias",
            "stage2.0.fuse_layers.0.1.2.0.0.weight",
            "fc.weight",
            "downsamp_modules.0.2.weight",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
