//! The one definition of HRNet: a [`HrnetSpec`] in plain numbers becomes an immutable [`Graph`] that every other
//! crate walks, to count, to run, to export or to print it.
//!
//! The graph is unfused: convolution, batch norm, ReLU and addition are nodes of their own, named as in the
//! original HRNet checkpoints (which timm kept). Nothing here touches a file, a clock or the network.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod builder;
mod counting;
mod features;
mod fold;
mod graph;
mod network;
mod param;
mod part;
mod precision;
mod profile;
mod seeded;
mod shape;
mod spec;
mod traffic;
mod weights;

pub use builder::{GraphBuilder, GraphError};
pub use counting::CountingRule;
pub use features::{Feature, Features, UnknownFeatures};
pub use fold::{FoldedConv, affine};
pub use graph::{Conv, Graph, Linear, Node, NodeId, Op};
pub use network::SpecError;
pub use param::{Param, ParamKind};
pub use part::Part;
pub use precision::{Precision, UnknownPrecision};
pub use profile::{Macs, NodeProfile, OpCounts, Params, Profile};
pub use seeded::SeededWeights;
pub use shape::Shape;
pub use spec::{HeadSpec, HrnetSpec, StageOneSpec};
pub use traffic::Traffic;
pub use weights::{WeightError, WeightSource};
