//! The words that PaddleClas's names are made of. Each of its three generations has a table of them and names units by a
//! function of its own; names are put together alike.

use hrnet::ParamKind;
use hrnet::place::{Gate, Layer, Role, Unit};

/// The words of one generation.
pub(super) struct Words {
    /// The name of a unit that has parameters.
    pub(super) unit: fn(Unit) -> Option<String>,
    /// Between the name of a block and the number of its convolution.
    pub(super) conv: &'static str,
    /// Behind the name of a block, for the convolution on its shortcut.
    pub(super) shortcut: &'static str,
    /// Before the name of a block, for the linear layers of its squeeze-and-excitation.
    pub(super) gate: &'static str,
    /// Behind the name of a block, for the first of these layers.
    pub(super) squeeze: &'static str,
    /// Behind the name of a block, for the second.
    pub(super) excite: &'static str,
    /// The end of a name: what the parameter is in its layer.
    pub(super) suffix: fn(ParamKind) -> &'static str,
}

impl Words {
    /// Returns the name of a parameter of the node with this role in a unit; `None` for a node without parameters.
    pub(super) fn name(&self, unit: Unit, role: Role, kind: ParamKind) -> Option<String> {
        let (name, suffix) = ((self.unit)(unit)?, (self.suffix)(kind));
        let gate = |layer: &str| format!("{}{name}{layer}{suffix}", self.gate);
        Some(match role {
            Role::Conv(Layer::Only) | Role::BatchNorm(Layer::Only) | Role::Linear => name + suffix,
            Role::Conv(Layer::Numbered(number)) | Role::BatchNorm(Layer::Numbered(number)) => {
                let conv = if unit == Unit::Stem { "_" } else { self.conv };
                format!("{name}{conv}{number}{suffix}")
            }
            Role::Conv(Layer::Shortcut) | Role::BatchNorm(Layer::Shortcut) => name + self.shortcut + suffix,
            Role::Gate(Gate::Squeeze) => gate(self.squeeze),
            Role::Gate(Gate::Excite) => gate(self.excite),
            Role::Gate(Gate::Pool | Gate::Relu | Gate::Sigmoid | Gate::Scale)
            | Role::Relu(_)
            | Role::Upsample
            | Role::Add
            | Role::AddRelu
            | Role::GlobalPool
            | Role::FinalConv => return None,
        })
    }
}
