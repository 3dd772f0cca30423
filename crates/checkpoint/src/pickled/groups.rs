//! The dictionaries of tensors in what a pickle holds, however deep a training script put them.

use std::collections::{HashMap, VecDeque};

use crate::error::shown;
use crate::pickle::{Machine, Value};
use crate::sets::Group;

/// The depth to which dictionaries, lists and tuples are searched.
const DEPTH: usize = 6;
/// The number of them that are searched, the shallow first.
const VISITS: usize = 1 << 16;
/// The most dictionaries of tensors that are kept apart; an optimizer alone has one per parameter.
const MOST: usize = 1 << 13;

type Items<'m> = Vec<(Value<'m>, Value<'m>)>;

/// A dictionary of tensors, or what is like one.
struct Source<'m> {
    items: Items<'m>,
    names: Vec<&'m str>,
}

/// A way to a source.
struct Way {
    path: Vec<String>,
    source: usize,
}

/// The dictionaries of tensors in a pickle, and the ways there.
pub(super) struct Groups<'m> {
    sources: Vec<Source<'m>>,
    ways: Vec<Way>,
}

/// A value that is still to be searched.
struct Place<'m> {
    value: Value<'m>,
    path: Vec<String>,
}

impl<'m> Groups<'m> {
    /// Looks for them, level by level. Each value is looked into once, however many refer to it.
    pub(super) fn find(machine: &Machine<'m>, root: Value<'m>) -> Self {
        let mut groups = Self {
            sources: Vec::new(),
            ways: Vec::new(),
        };
        let mut seen: HashMap<(u8, usize), Option<usize>> = HashMap::new();
        let mut places = VecDeque::from([Place {
            value: root,
            path: Vec::new(),
        }]);
        let mut visits = 0;
        while let Some(Place { value, path }) = places.pop_front() {
            visits += 1;
            if visits > VISITS || groups.ways.len() >= MOST {
                break;
            }
            let Some(identity) = identity(value) else {
                continue;
            };
            if let Some(known) = seen.get(&identity) {
                if let Some(source) = *known {
                    groups.ways.push(Way { path, source });
                }
                continue;
            }
            let source = source(machine, value).map(|source| {
                groups.sources.push(source);
                groups.sources.len() - 1
            });
            seen.insert(identity, source);
            if path.len() < DEPTH {
                let room = VISITS.saturating_sub(places.len());
                places.extend(children(machine, value, &path).take(room));
            }
            if let Some(source) = source {
                groups.ways.push(Way { path, source });
            }
        }
        groups
    }

    pub(super) fn all(&self) -> Vec<Group<'_>> {
        self.ways
            .iter()
            .map(|way| Group {
                path: way.path.clone(),
                source: way.source,
                names: &self.sources[way.source].names,
            })
            .collect()
    }

    /// The names and values of the group of this index.
    pub(super) fn items(&self, group: usize) -> &[(Value<'m>, Value<'m>)] {
        &self.sources[self.ways[group].source].items
    }
}

/// Returns the identity of a value that can hold others.
fn identity(value: Value) -> Option<(u8, usize)> {
    Some(match value {
        Value::Dict(index) => (0, index),
        Value::Foreign(index) => (1, index),
        Value::List(index) => (2, index),
        Value::Tuple(index) => (3, index),
        _ => return None,
    })
}

/// The value as a dictionary of tensors, if one at least is in it.
fn source<'m>(machine: &Machine<'m>, value: Value<'m>) -> Option<Source<'m>> {
    let items: Items<'m> = match value {
        Value::Dict(dict) => machine.dict(dict).to_vec(),
        Value::Foreign(foreign) => machine.foreign(foreign).items.clone(),
        // `list(network.state_dict().items())`.
        Value::List(list) => pairs(machine, machine.list(list))?,
        _ => return None,
    };
    let names = items.iter().filter_map(|(key, value)| match key {
        Value::Text(name) | Value::Bytes(name) if is_tensor(machine, *value) => {
            std::str::from_utf8(name).ok()
        }
        _ => None,
    });
    let names: Vec<&str> = names.collect();
    // A name that is not UTF-8 is told when the tensor is read.
    let any = !names.is_empty()
        || items
            .iter()
            .any(|(key, value)| is_text(*key) && is_tensor(machine, *value));
    any.then_some(Source { items, names })
}

fn is_text(value: Value) -> bool {
    matches!(value, Value::Text(_) | Value::Bytes(_))
}

/// The pairs of names and tensors in a list that holds nothing else.
fn pairs<'m>(machine: &Machine<'m>, list: &[Value<'m>]) -> Option<Items<'m>> {
    list.iter()
        .map(|item| match item {
            Value::Tuple(pair) => match machine.tuple(*pair) {
                [name @ (Value::Text(_) | Value::Bytes(_)), value] => Some((*name, *value)),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

/// Returns true if a value is a tensor, or would be if its maker were known.
fn is_tensor(machine: &Machine, value: Value) -> bool {
    match value {
        Value::Tensor(_) | Value::Array(_) => true,
        Value::Tuple(pair) => {
            matches!(
                machine.tuple(pair),
                [Value::Text(_) | Value::Bytes(_), Value::Array(_)]
            )
        }
        Value::Foreign(foreign) => {
            let foreign = machine.foreign(foreign);
            let of_torch = foreign.module == b"torch" || foreign.module.starts_with(b"torch._");
            of_torch && (foreign.name.starts_with(b"_rebuild") || foreign.name.ends_with(b"Storage"))
        }
        _ => false,
    }
}

/// Returns the values within a value, each with its path.
fn children<'c, 'm>(
    machine: &'c Machine<'m>,
    value: Value<'m>,
    path: &'c [String],
) -> Box<dyn Iterator<Item = Place<'m>> + 'c> {
    let place = |key: String, value: Value<'m>| {
        let mut path = path.to_vec();
        path.push(key);
        Place { value, path }
    };
    let items = match value {
        Value::Dict(dict) => machine.dict(dict),
        Value::Foreign(foreign) => machine.foreign(foreign).items.as_slice(),
        Value::List(list) => {
            return Box::new(numbered(machine.list(list)).map(move |(key, value)| place(key, value)));
        }
        Value::Tuple(tuple) => {
            return Box::new(numbered(machine.tuple(tuple)).map(move |(key, value)| place(key, value)));
        }
        _ => return Box::new(std::iter::empty()),
    };
    Box::new(
        items
            .iter()
            .filter(|(_, value)| identity(*value).is_some())
            .filter_map(move |(key, value)| Some(place(key_text(*key)?, *value))),
    )
}

fn numbered<'c, 'm>(items: &'c [Value<'m>]) -> impl Iterator<Item = (String, Value<'m>)> + 'c {
    let holds = |(_, value): &(usize, &Value<'m>)| identity(**value).is_some();
    items
        .iter()
        .enumerate()
        .filter(holds)
        .map(|(index, value)| (index.to_string(), *value))
}

fn key_text(key: Value) -> Option<String> {
    match key {
        Value::Text(key) | Value::Bytes(key) => Some(shown(key)),
        Value::Int(key) => Some(key.to_string()),
        _ => None,
    }
}

/// Returns the reason for which a pickle has no dictionary of tensors, with what it has.
pub(super) fn nothing(machine: &Machine, root: Value) -> String {
    let dict = match root {
        Value::Dict(dict) => dict,
        Value::Foreign(foreign) => {
            let foreign = machine.foreign(foreign);
            return format!(
                "the pickle holds what `{}.{}` makes and no dictionary of tensors; {SAVE}",
                shown(foreign.module),
                shown(foreign.name)
            );
        }
        Value::Tensor(_) | Value::Array(_) => {
            return format!("the pickle holds one tensor and no dictionary of tensors; {SAVE}");
        }
        _ => return format!("the pickle holds no dictionary of tensors; {SAVE}"),
    };
    let items = machine.dict(dict);
    let named = |value: Value| match value {
        Value::Foreign(foreign) => {
            let foreign = machine.foreign(foreign);
            format!(", made by `{}.{}`", shown(foreign.module), shown(foreign.name))
        }
        _ => String::new(),
    };
    let found: Vec<String> = items
        .iter()
        .take(5)
        .map(|(key, value)| match key {
            Value::Text(key) | Value::Bytes(key) => format!("`{}`{}", shown(key), named(*value)),
            _ => "a key that is no text".into(),
        })
        .collect();
    format!(
        "the pickled dictionary holds no tensors, nor does any within it; its keys: {}; {SAVE}",
        if found.is_empty() {
            "none".into()
        } else {
            found.join(", ")
        }
    )
}

/// The advice if there are no tensors.
const SAVE: &str = "in Python, save the network's `state_dict()`";
