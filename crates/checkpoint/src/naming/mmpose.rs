//! mmpose's names: the original's below `backbone`, and the head's last convolution below `head`, as in mmpose 1, or below
//! `keypoint_head`, as in mmpose 0.

use hrnet::ParamKind;
use hrnet::place::{Role, Unit};

use super::mmpretrain;

/// The head's name in mmpose 1.
pub(super) const HEAD: &str = "head";

/// The head's name in mmpose 0.
pub(super) const OLD_HEAD: &str = "keypoint_head";

/// Returns the name of a parameter of the node with this role in a unit, in a network whose head has this name. The units of a
/// classifier's head, which mmpose lacks, have mmpretrain's names.
pub(super) fn name(head: &str, unit: Unit, role: Role, kind: ParamKind) -> String {
    match unit {
        Unit::Heatmaps => format!("{head}.{}", unit.at(role).param_name(kind)),
        Unit::Stem
        | Unit::StageOne { .. }
        | Unit::Transition { .. }
        | Unit::Block { .. }
        | Unit::ExchangeTerm { .. }
        | Unit::ExchangeOutput { .. }
        | Unit::HeadBlock { .. }
        | Unit::HeadDown { .. }
        | Unit::HeadFinal
        | Unit::Classifier => mmpretrain::name(unit, role, kind),
    }
}
