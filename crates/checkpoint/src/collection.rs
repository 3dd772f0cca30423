use crate::Tensor;
use crate::error::shown;
use crate::file::Tensors;
use crate::pickle::Value;

/// The tensors of a pickle by name, as they are found.
pub(crate) struct Collection {
    tensors: Tensors,
    /// What is left of the elements that a file of its size may hold: one array under many names would make much
    /// work of a small file.
    elements_left: usize,
}

impl Collection {
    /// An empty one, for a file of this many bytes.
    pub(crate) fn new(file_bytes: usize) -> Self {
        Self {
            tensors: Tensors::new(),
            elements_left: file_bytes,
        }
    }

    /// Adds the tensor that `read` makes of the value under this key. What a training run noted beside its tensors,
    /// such as the epoch, is passed over.
    pub(crate) fn add(
        &mut self,
        key: Value,
        value: Value,
        read: impl FnOnce(Value) -> Result<Tensor, String>,
    ) -> Result<(), String> {
        let (Value::Text(name) | Value::Bytes(name)) = key else {
            return Err("a tensor name that is no text".into());
        };
        if is_note(value) {
            return Ok(());
        }
        let at = |reason| format!("tensor `{}`: {reason}", shown(name));
        let text = std::str::from_utf8(name).map_err(|_| at("a name that is not UTF-8".to_owned()))?;
        let tensor = read(value).map_err(at)?;
        self.elements_left = self
            .elements_left
            .checked_sub(tensor.elements())
            .ok_or_else(|| at("more elements than the file has bytes".into()))?;
        if self.tensors.insert(text.to_owned(), tensor).is_some() {
            return Err(at("there are two of that name".into()));
        }
        Ok(())
    }

    pub(crate) fn into_tensors(self) -> Tensors {
        self.tensors
    }
}

/// Whether a value can only be a note of a training run.
fn is_note(value: Value) -> bool {
    matches!(
        value,
        Value::None | Value::Bool(_) | Value::Int(_) | Value::Text(_) | Value::Note
    )
}
