//! The definition of HRNet: a [`HrnetSpec`] in plain numbers becomes an immutable [`Graph`]. Every other crate walks the graph
//! to count, run, export or print it.
//!
//! The graph is unfused: convolution, batch norm, ReLU and addition are nodes of their own, named as in the
//! original HRNet checkpoints (which timm kept). Nothing here touches a file, a clock or the network.
//!
//! ```
//! use hrnet::{HrnetSpec, Shape};
//!
//! # fn main() -> Result<(), hrnet::SpecError> {
//! let graph = HrnetSpec::imagenet([18, 36, 72, 144]).graph(Shape::square(1, 224))?;
//! let profile = graph.profile();
//! assert_eq!(profile.trainable().0, 21_295_164);
//! assert_eq!(profile.macs().0, 4_283_537_072);
//! assert_eq!(graph.output_shape(), Shape::new(1, 1000, 1, 1));
//! # Ok(())
//! # }
//! ```
//!
//! The [`Head`] decides what a network computes: logits, feature maps or heatmaps.
//!
//! ```
//! use hrnet::{Heatmaps, HrnetSpec, Shape};
//!
//! # fn main() -> Result<(), hrnet::SpecError> {
//! let pose = HrnetSpec::imagenet([32, 64, 128, 256]).with_head(Heatmaps::new(17));
//! let graph = pose.graph(Shape::new(1, 3, 256, 192))?;
//! assert_eq!(graph.outputs()[0].name, "heatmaps");
//! assert_eq!(graph.output_shape(), Shape::new(1, 17, 64, 48));
//! # Ok(())
//! # }
//! ```

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod builder;
mod counting;
mod features;
mod fold;
mod graph;
mod head;
mod network;
mod param;
mod part;
pub mod place;
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
pub use fold::{FoldedConv, ScaleShift};
pub use graph::{Conv, Graph, Interpolation, Linear, Node, NodeId, Op, Output, OutputKind, Upsample};
pub use head::{Classifier, Head, Heatmaps, Pyramid, UnknownStride};
pub use network::SpecError;
pub use param::{Param, ParamKind};
pub use part::Part;
pub use place::Place;
pub use precision::{Precision, UnknownPrecision};
pub use profile::{Macs, NodeProfile, OpCounts, Params, Profile};
pub use seeded::SeededWeights;
pub use shape::{ParseSizeError, Shape, Size};
pub use spec::{HrnetSpec, StageOneSpec};
pub use traffic::Traffic;
pub use weights::{WeightError, WeightSource};
