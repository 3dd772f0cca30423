//! Recognition of the naming schemes in a file, below any wrappers that a training script had around the network.

use super::Naming;

/// A naming scheme with the prefix under which a file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    pub(crate) naming: Naming,
    /// The prefix of every name of the network: wrappers such as `module.` or `model.backbone.`, or nothing.
    pub(crate) prefix: String,
}

/// Beginnings of the parts of names within a network: a first convolution below one of them belongs to a block.
const WITHIN: [&str; 12] = [
    "layer",
    "stage",
    "transition",
    "branches",
    "fuse_layers",
    "incre_modules",
    "downsamp_modules",
    "increase_layers",
    "downsample",
    "block",
    "neck",
    "head",
];

/// The most networks in one file that are told apart; it bounds the work that a crafted file makes.
const MOST: usize = 32;

/// The longest prefix that is accepted as wrappers, in bytes.
const LONGEST: usize = 100;

/// Returns the schemes by which the names are made, each with its prefix, the shortest prefix first.
pub(crate) fn schemes(names: &[&str]) -> Vec<Scheme> {
    let mut found: Vec<Scheme> = Vec::new();
    for naming in Naming::ALL {
        let sign = naming.sign();
        let prefixes = names.iter().filter_map(|name| name.strip_suffix(sign.as_str()));
        for prefix in prefixes.filter(|prefix| is_wrapper(prefix)) {
            found.push(Scheme {
                naming,
                prefix: prefix.to_owned(),
            });
        }
    }
    found.sort_by(|a, b| (a.prefix.len(), &a.prefix).cmp(&(b.prefix.len(), &b.prefix)));
    found.dedup();
    found.truncate(MOST);
    settle_backbones(&mut found, names);
    settle_openmmlab(&mut found, names);
    found
}

/// Decides between OpenMMLab's networks, which have the original's names below `backbone.`, and the original's networks in a
/// wrapper of that name: OpenMMLab's have the head beside the backbone.
fn settle_backbones(found: &mut Vec<Scheme>, names: &[&str]) {
    let mut gone = Vec::new();
    for scheme in found.iter().filter(|scheme| scheme.naming == Naming::Mmpretrain) {
        let backbone = format!("{}backbone.", scheme.prefix);
        let is_wrapper = ["classifier.", "incre_modules.", "final_layer."]
            .iter()
            .any(|head| {
                let head = format!("{backbone}{head}");
                names.iter().any(|name| name.starts_with(&head))
            });
        if is_wrapper {
            let of_openmmlab = [Naming::Mmpretrain, Naming::Mmpose, Naming::Mmpose0];
            gone.extend(of_openmmlab.map(|naming| Scheme {
                naming,
                prefix: scheme.prefix.clone(),
            }));
        } else {
            gone.push(Scheme {
                naming: Naming::Timm,
                prefix: backbone,
            });
        }
    }
    found.retain(|scheme| !gone.contains(scheme));
}

/// Decides between OpenMMLab's programs, whose networks have one trunk, by the name of the head.
fn settle_openmmlab(found: &mut Vec<Scheme>, names: &[&str]) {
    found.retain(|scheme| {
        let has = |head: &str| {
            let head = format!("{}{head}.", scheme.prefix);
            names.iter().any(|name| name.starts_with(&head))
        };
        let of_pose = match (has("keypoint_head.final_layer"), has("head.final_layer")) {
            (true, _) => Some(Naming::Mmpose0),
            (false, true) => Some(Naming::Mmpose),
            (false, false) => None,
        };
        match scheme.naming {
            Naming::Mmpretrain | Naming::Mmpose | Naming::Mmpose0 => {
                scheme.naming == of_pose.unwrap_or(Naming::Mmpretrain)
            }
            Naming::Paddle | Naming::Paddle2020 | Naming::PaddleStatic | Naming::Timm => true,
        }
    });
}

/// Returns true if a prefix can be wrappers around the network, each followed by a dot.
fn is_wrapper(prefix: &str) -> bool {
    if prefix.is_empty() {
        return true;
    }
    let Some(parts) = prefix.strip_suffix('.').filter(|parts| parts.len() <= LONGEST) else {
        return false;
    };
    // Errors print it.
    let is_word =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_control() || c.is_whitespace());
    parts
        .split('.')
        .all(|part| is_word(part) && !WITHIN.iter().any(|within| part.starts_with(within)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Vec<(Naming, String)> {
        schemes(names)
            .into_iter()
            .map(|scheme| (scheme.naming, scheme.prefix))
            .collect()
    }

    #[test]
    fn wrappers_around_a_network_are_recognized() {
        for prefix in [
            "",
            "module.",
            "_orig_mod.",
            "module._orig_mod.",
            "model.",
            "backbone.model.",
            "net.",
            "1.",
            "student.encoder.",
        ] {
            let names = [
                "conv1.weight",
                "layer1.0.conv1.weight",
                "stage2.0.branches.0.0.conv1.weight",
            ]
            .map(|name| format!("{prefix}{name}"));
            let names: Vec<&str> = names.iter().map(String::as_str).chain(["n_averaged"]).collect();
            assert_eq!(found(&names), [(Naming::Timm, prefix.to_owned())], "{prefix}");
            let paddle = format!("{prefix}conv_layer1_1.conv.weight");
            assert_eq!(
                found(&[&paddle, "epoch"]),
                [(Naming::Paddle, prefix.to_owned())],
                "{prefix}"
            );
        }
    }

    #[test]
    fn a_block_is_no_network() {
        assert_eq!(
            found(&["layer1.0.conv1.weight", "stage2.0.branches.0.0.conv1.weight"]),
            []
        );
        assert_eq!(found(&["myconv1.weight", ".conv1.weight"]), []);
    }

    #[test]
    fn the_original_below_a_backbone_is_not_openmmlabs() {
        let conv = "backbone.conv1.weight";
        assert_eq!(
            found(&[conv, "head.fc.weight"]),
            [(Naming::Mmpretrain, String::new())]
        );
        assert_eq!(
            found(&[conv, "backbone.classifier.weight", "loss.weight"]),
            [(Naming::Timm, "backbone.".to_owned())]
        );
        assert_eq!(
            found(&[
                "module.backbone.conv1.weight",
                "module.neck.final_layer.conv.weight"
            ]),
            [(Naming::Mmpretrain, "module.".to_owned())]
        );
    }

    #[test]
    fn several_networks_have_several_prefixes() {
        assert_eq!(
            found(&["teacher.conv1.weight", "conv1.weight"]),
            [
                (Naming::Timm, String::new()),
                (Naming::Timm, "teacher.".to_owned())
            ]
        );
    }
}
