//! The calls that a pickle asks for: each makes what it would have given, and nothing is called.

use super::machine::Machine;
use super::value::{DtypeParts, Global, StorageParts, TensorParts, Value};
use crate::error::shown;

impl<'a> Machine<'a> {
    /// Makes what a call would have given, for the calls that are known.
    pub(super) fn reduce(&mut self) -> Result<(), String> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let (Value::Global(callable), Value::Tuple(arguments)) = (callable, arguments) else {
            return Err("a call of what is no known name, or without arguments".into());
        };
        let made = match (callable, self.tuple(arguments)) {
            (Global::Reconstruct, [Value::Global(Global::NdArray), ..]) => {
                self.arrays.push(None);
                Value::Array(self.arrays.len() - 1)
            }
            (Global::Scalar, [Value::Dtype(_), _]) => Value::Note,
            (Global::Dtype, [Value::Text(code) | Value::Bytes(code), ..]) => {
                let code: &'a [u8] = code;
                self.dtypes.push(DtypeParts { code, order: b"=" });
                Value::Dtype(self.dtypes.len() - 1)
            }
            (Global::Encode, [Value::Text(text), Value::Text(b"latin1" | b"latin-1")]) => Value::Latin1(text),
            (Global::OrderedDict, []) => self.new_dict(Vec::new()),
            (Global::OrderedDict, [Value::List(pairs)]) => {
                let pairs = *pairs;
                self.dict_of_pairs(pairs)?
            }
            (Global::Tuple, [Value::Tuple(items)]) => Value::Tuple(*items),
            (
                Global::RebuildTensor,
                [
                    Value::Storage(storage),
                    Value::Int(offset),
                    Value::Tuple(shape),
                    Value::Tuple(strides),
                    ..,
                ],
            ) => {
                let (storage, offset, shape, strides) = (*storage, *offset, *shape, *strides);
                self.tensors.push(TensorParts {
                    storage,
                    offset,
                    shape,
                    strides,
                });
                Value::Tensor(self.tensors.len() - 1)
            }
            (Global::RebuildParameter, [tensor @ Value::Tensor(_), ..]) => *tensor,
            (callable, arguments) => {
                return Err(format!(
                    "a call of {callable:?} with {} other arguments",
                    arguments.len()
                ));
            }
        };
        self.push(made)
    }

    /// The dictionary of a list of pairs, Python 2's way. The list is used up: were it not, every call of a small
    /// file could copy it anew.
    fn dict_of_pairs(&mut self, pairs: usize) -> Result<Value<'a>, String> {
        let pairs = std::mem::take(&mut self.lists[pairs]);
        let items = pairs.into_iter().map(|pair| {
            let items = match pair {
                Value::Tuple(items) => self.tuple(items),
                Value::List(items) => self.list(items),
                _ => &[],
            };
            match items {
                [key, value] => Ok((*key, *value)),
                _ => Err("an ordered dictionary of what are no pairs".to_owned()),
            }
        });
        let items = items.collect::<Result<_, _>>()?;
        Ok(self.new_dict(items))
    }

    /// Gives the object on the stack its state.
    pub(super) fn build(&mut self) -> Result<(), String> {
        let (state, object) = (self.pop()?, self.top()?);
        match (object, state) {
            (Value::Array(array), Value::Tuple(state)) => self.arrays[array] = Some(state),
            (Value::Dtype(dtype), Value::Tuple(state)) => match self.tuple(state) {
                [_, Value::Text(order) | Value::Bytes(order), ..] => {
                    let order: &'a [u8] = order;
                    self.dtypes[dtype].order = order;
                }
                _ => return Err("a dtype's state without its byte order".into()),
            },
            // PyTorch notes the versions of a network's modules at its ordered dictionary.
            (Value::Dict(_), Value::Dict(_)) => {}
            _ => return Err("a state for what has none".into()),
        }
        Ok(())
    }

    /// Makes the storage that a tuple names, PyTorch's way of keeping elements outside of the pickle.
    pub(super) fn persistent(&mut self) -> Result<(), String> {
        let Value::Tuple(id) = self.pop()? else {
            return Err("a persistent object that no tuple names".into());
        };
        let storage = match self.tuple(id) {
            [
                Value::Text(b"storage") | Value::Bytes(b"storage"),
                Value::Global(Global::Storage(dtype)),
                Value::Text(key) | Value::Bytes(key),
                Value::Text(_) | Value::Bytes(_) | Value::None,
                Value::Int(elements),
                view @ ..,
            ] => match view {
                [] | [Value::None] => StorageParts {
                    dtype: *dtype,
                    key,
                    elements: *elements,
                },
                _ => {
                    return Err("a storage that is part of another, which PyTorch 0.3 wrote: refused".into());
                }
            },
            [Value::Text(kind) | Value::Bytes(kind), ..] => {
                return Err(format!(
                    "a persistent `{}`, which is no storage of numbers that are read",
                    shown(kind)
                ));
            }
            _ => return Err("a persistent object that is no storage".into()),
        };
        self.storages.push(storage);
        self.push(Value::Storage(self.storages.len() - 1))
    }
}
