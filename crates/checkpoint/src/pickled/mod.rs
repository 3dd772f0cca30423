//! The tensors of a pickle, of Paddle's and of PyTorch's alike: dictionaries of them are looked for in what the pickle
//! holds, one is taken, and its tensors are read.

mod groups;
mod split;

use std::collections::{BTreeSet, HashMap, HashSet};

use bytes::Bytes;

use crate::content::{Content, Fault};
use crate::error::shown;
use crate::numpy::{self, extents};
use crate::pickle::{Machine, Run, TensorParts, Value};
use crate::{Tensor, sets, strided};
use groups::Groups;

/// The bytes of each storage by its key: what PyTorch keeps outside of its pickle.
pub(crate) type Storages = HashMap<Vec<u8>, Bytes>;

/// Paddle's table of parameter names, kept beside the tensors.
const NAME_TABLE: &[u8] = b"StructuredToParameterName@@";
/// The most unreadable tensors that are reported one by one: each try is work, and a small file could cause much of it.
const UNREAD: usize = 256;
/// The most unknown names that are reported.
const UNKNOWN: usize = 100;

/// A pickle and what it refers to.
pub(crate) struct Source<'a> {
    /// The bytes it was run on, in which its arrays are.
    pub(crate) bytes: &'a Bytes,
    pub(crate) run: &'a Run<'a>,
    pub(crate) storages: &'a Storages,
    /// The bytes of the whole file.
    pub(crate) file_bytes: usize,
}

/// The content that was read from a pickle, and the keys of its storages.
pub(crate) struct Taken {
    pub(crate) content: Content,
    pub(crate) storages: HashSet<Vec<u8>>,
}

impl Source<'_> {
    /// The set of tensors that is asked for, or the likeliest.
    ///
    /// # Errors
    /// If there is none, none of its tensors can be read, or there is more of it than the file has room for.
    pub(crate) fn content(&self, wanted: Option<&str>) -> Result<Taken, Fault> {
        let machine = &self.run.machine;
        let groups = Groups::find(machine, self.run.result);
        let choice = sets::choose(&groups.all(), wanted).map_err(|unfound| Fault::Set {
            wanted: wanted.unwrap_or_default().to_owned(),
            known: unfound.known,
        })?;
        let Some(choice) = choice else {
            return Err(groups::nothing(machine, self.run.result).into());
        };
        let items = groups.items(choice.group);
        let mut reading = Reading::new(self);
        for (key, value) in items {
            match key {
                Value::Text(NAME_TABLE | split::TABLE) | Value::Bytes(NAME_TABLE | split::TABLE) => {}
                Value::Text(name) | Value::Bytes(name) => {
                    reading.add(name, *value, |name| choice.part.has(name))?;
                }
                _ => {}
            }
        }
        split::join(&mut reading.content.tensors, machine, items)?;
        let mut content = reading.content;
        if let (true, Some((name, reason))) = (content.tensors.is_empty(), content.unread.first_key_value()) {
            return Err(format!("tensor `{}`: {reason}", shown(name.as_bytes())).into());
        }
        content.unknown = unknown(machine);
        content.set = choice.key;
        content.other_sets = choice.others;
        Ok(Taken {
            content,
            storages: reading.used,
        })
    }
}

/// The tensors of a set as they are read.
struct Reading<'s> {
    source: &'s Source<'s>,
    content: Content,
    /// Keys of the storages that were read.
    used: HashSet<Vec<u8>>,
    failures: usize,
    /// The rest of the elements that a file of its size may hold: a small file with one array under many names would otherwise
    /// cause much work.
    elements_left: usize,
}

impl<'s> Reading<'s> {
    fn new(source: &'s Source<'s>) -> Self {
        Self {
            source,
            content: Content::default(),
            used: HashSet::new(),
            failures: 0,
            elements_left: source.file_bytes,
        }
    }

    /// Adds the tensor under this name, if it is of the set. What a training run noted beside its tensors, such as the
    /// epoch, is passed over; a tensor that cannot be read is noted with the reason, for it may not be needed.
    fn add(&mut self, name: &[u8], value: Value, is_of_set: impl Fn(&str) -> bool) -> Result<(), String> {
        if is_note(value) {
            return Ok(());
        }
        let at = |reason: String| format!("tensor `{}`: {reason}", shown(name));
        let text = std::str::from_utf8(name).map_err(|_| at("a name that is not UTF-8".to_owned()))?;
        if !is_of_set(text) {
            return Ok(());
        }
        match self.tensor(value) {
            Ok(tensor) => {
                self.elements_left = self
                    .elements_left
                    .checked_sub(tensor.elements())
                    .ok_or_else(|| at("more elements than the file has bytes".into()))?;
                if self.content.tensors.insert(text.to_owned(), tensor).is_some() {
                    return Err(at("there are two of that name".into()));
                }
            }
            Err(reason) => {
                if !matches!(value, Value::Foreign(_)) {
                    self.failures += 1;
                }
                if self.failures > UNREAD {
                    return Err(at(format!("{reason}, and {UNREAD} others cannot be read either")));
                }
                self.content.unread.insert(text.to_owned(), reason);
            }
        }
        Ok(())
    }

    fn tensor(&mut self, value: Value) -> Result<Tensor, String> {
        let machine = &self.source.run.machine;
        match value {
            Value::Tensor(tensor) => self.view(machine.tensor(tensor)),
            Value::Array(array) => numpy::tensor(self.source.bytes, machine, array),
            Value::Tuple(pair) => match machine.tuple(pair) {
                [Value::Text(_) | Value::Bytes(_), Value::Array(array)] => {
                    numpy::tensor(self.source.bytes, machine, *array)
                }
                _ => Err("a tuple that is no (name, array) pair".into()),
            },
            Value::Foreign(foreign) => {
                let foreign = machine.foreign(foreign);
                let (module, name) = (shown(foreign.module), shown(foreign.name));
                Err(format!("made by `{module}.{name}`, which is not read"))
            }
            _ => Err("neither a tensor nor an array".into()),
        }
    }

    /// PyTorch's tensor: a view of a storage.
    fn view(&mut self, parts: TensorParts) -> Result<Tensor, String> {
        let machine = &self.source.run.machine;
        let storage = machine.storage(parts.storage);
        let class = storage.class;
        let dtype = class.dtype.ok_or_else(|| {
            format!(
                "numbers of `torch.{}`, which are not read: none is a floating-point format of weights",
                class.name
            )
        })?;
        if storage.is_part {
            return Err("a storage that is part of another, as PyTorch 0.3 wrote, which is not read".into());
        }
        let key = || shown(storage.key);
        let bytes = self
            .source
            .storages
            .get(storage.key)
            .ok_or_else(|| format!("its storage `{}` is not in the file", key()))?;
        let needed = usize::try_from(storage.elements)
            .ok()
            .and_then(|count| count.checked_mul(class.bytes));
        if needed != Some(bytes.len()) {
            return Err(format!(
                "its storage `{}` has {} bytes where {} elements of {dtype} are declared",
                key(),
                bytes.len(),
                storage.elements,
            ));
        }
        let offset = usize::try_from(parts.offset).map_err(|_| format!("an offset of {}", parts.offset))?;
        let shape = extents(machine.tuple(parts.shape))?;
        let strides = extents(machine.tuple(parts.strides))?;
        let elements = strided::elements(bytes, class.bytes, offset, &shape, &strides)?;
        if !self.used.contains(storage.key) {
            self.used.insert(storage.key.to_vec());
        }
        Tensor::from_bytes(dtype, shape, elements)
    }
}

/// Returns true if a value can only be a note of a training run.
fn is_note(value: Value) -> bool {
    matches!(
        value,
        Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Text(_)
            | Value::Bytes(_)
            | Value::Latin1(_)
            | Value::Note
            | Value::Dict(_)
            | Value::List(_)
            | Value::Dtype(_)
            | Value::Global(_)
    )
}

/// The names that are not known, each once.
fn unknown(machine: &Machine) -> Vec<String> {
    let names = machine
        .foreigners()
        .iter()
        .map(|foreign| (foreign.module, foreign.name));
    let names: BTreeSet<(&[u8], &[u8])> = names.collect();
    names
        .into_iter()
        .take(UNKNOWN)
        .map(|(module, name)| format!("{}.{}", shown(module), shown(name)))
        .collect()
}
