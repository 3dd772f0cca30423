//! A model before it is encoded: its inputs, its outputs and its notes.

use std::fmt;

use prost::Message;

use crate::proto::{self, ModelProto, Note, ValueInfo};

/// An ONNX model.
#[derive(Clone, Debug, PartialEq)]
pub struct Model(pub(crate) ModelProto);

impl Model {
    /// Returns the bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    /// Returns its operator set.
    pub fn opset(&self) -> i64 {
        self.0.opset_import.first().map_or(0, |set| set.version)
    }

    /// Returns its inputs.
    pub fn inputs(&self) -> Vec<Port> {
        let graph = self.0.graph.iter();
        graph.flat_map(|graph| &graph.input).map(Port::of).collect()
    }

    /// Returns its outputs.
    pub fn outputs(&self) -> Vec<Port> {
        let graph = self.0.graph.iter();
        graph.flat_map(|graph| &graph.output).map(Port::of).collect()
    }

    /// Notes `value` under `key` in the model's `metadata_props`, in place of what was there.
    pub fn note(&mut self, key: &str, value: impl Into<String>) {
        let notes = &mut self.0.metadata_props;
        notes.retain(|note| note.key != key);
        notes.push(Note {
            key: key.into(),
            value: value.into(),
        });
    }
}

/// An input or output of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its extents: numbers, or names of those that are free.
    pub extents: Vec<String>,
}

impl Port {
    fn of(info: &ValueInfo) -> Self {
        let tensor = info.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        // Images and results are f32 in every model that is written here.
        debug_assert!(tensor.is_none_or(|tensor| tensor.elem_type == proto::FLOAT));
        let dimensions = tensor.and_then(|tensor| tensor.shape.as_ref());
        let extent = |dimension: &proto::Dimension| match (&dimension.param, dimension.value) {
            (Some(name), _) => name.clone(),
            (None, Some(extent)) => extent.to_string(),
            (None, None) => "?".into(),
        };
        let extents = dimensions.iter().flat_map(|shape| &shape.dim).map(extent);
        Self {
            name: info.name.clone(),
            extents: extents.collect(),
        }
    }

    /// Returns the names of the extents that are free.
    pub fn free(&self) -> impl Iterator<Item = &str> {
        let is_name = |extent: &&String| extent.parse::<u64>().is_err();
        self.extents.iter().filter(is_name).map(String::as_str)
    }
}

impl fmt::Display for Port {
    /// `images float32 [batch, 3, 224, 224]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} float32 [{}]", self.name, self.extents.join(", "))
    }
}
