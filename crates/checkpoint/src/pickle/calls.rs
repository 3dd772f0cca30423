//! The calls that a pickle asks for: each makes what it would have given, and nothing is called.

use super::global::Global;
use super::machine::Machine;
use super::value::{ArrayParts, DtypeParts, StorageParts, TensorParts, Value};

impl<'a> Machine<'a> {
    /// Puts on the stack what a call would have given: of a known name what it makes of its arguments, of any other a
    /// value that only remembers the name.
    pub(super) fn call(&mut self, callable: Value<'a>, arguments: Value<'a>) -> Result<(), String> {
        let Value::Tuple(tuple) = arguments else {
            return Err("a call without a tuple of arguments".into());
        };
        let made = match callable {
            Value::Global(callable) => match self.known(callable, tuple)? {
                Some(made) => made,
                None => self.estranged(callable, tuple),
            },
            Value::Foreign(callable) => self.unknown(callable, tuple),
            _ => return Err("a call of what is no name".into()),
        };
        self.push(made)
    }

    /// Returns the value that a known name makes of these arguments; `None` for arguments that it does not have in weight files.
    fn known(&mut self, callable: Global, arguments: usize) -> Result<Option<Value<'a>>, String> {
        let made = match (callable, self.tuple(arguments)) {
            (Global::Reconstruct, [Value::Global(Global::NdArray), ..]) => self.new_array(ArrayParts::Hollow),
            (Global::FromBuffer, [_, _, _, _, ..]) => self.new_array(ArrayParts::Buffer(arguments)),
            (Global::Scalar, _) => Value::Note,
            (Global::Dtype, [Value::Text(code) | Value::Bytes(code), ..]) => {
                let code: &'a [u8] = code;
                self.dtypes.push(DtypeParts { code, order: b"=" });
                Value::Dtype(self.dtypes.len() - 1)
            }
            (Global::Encode, [Value::Text(text), Value::Text(b"latin1" | b"latin-1")]) => Value::Latin1(text),
            (Global::OrderedDict, []) | (Global::DefaultDict, _) => self.new_dict(Vec::new()),
            (Global::OrderedDict, [Value::List(pairs)]) => {
                let pairs = *pairs;
                self.dict_of_pairs(pairs)?
            }
            (Global::Tuple, [Value::Tuple(items)]) => Value::Tuple(*items),
            (Global::RebuildTensor, arguments) => match view(arguments) {
                Some(parts) => {
                    self.tensors.push(parts);
                    Value::Tensor(self.tensors.len() - 1)
                }
                None => return Ok(None),
            },
            (Global::RebuildParameter, [tensor @ (Value::Tensor(_) | Value::Foreign(_)), ..]) => *tensor,
            // One level alone: a crafted file could nest as many as it has opcodes.
            (
                Global::RebuildFromType,
                [
                    Value::Global(inner @ (Global::RebuildTensor | Global::RebuildParameter)),
                    Value::Global(Global::TensorClass),
                    Value::Tuple(arguments),
                    ..,
                ],
            ) => return self.known(*inner, *arguments),
            _ => return Ok(None),
        };
        Ok(Some(made))
    }

    fn new_array(&mut self, parts: ArrayParts) -> Value<'a> {
        self.arrays.push(parts);
        Value::Array(self.arrays.len() - 1)
    }

    /// Stands for the value of a known name called with arguments that weights do not have. It is named after the first unknown
    /// argument, such as the class of a storage, else after the name itself.
    fn estranged(&mut self, callable: Global, arguments: usize) -> Value<'a> {
        let named = self.tuple(arguments).iter().find_map(|argument| match argument {
            Value::Foreign(foreign) => Some(*foreign),
            _ => None,
        });
        let named = named.map(|foreign| &self.foreign[foreign]);
        let (module, name) = named.map_or(callable.names(), |foreign| (foreign.module, foreign.name));
        self.new_foreign(module, name)
    }

    /// Stands for the value of a call of an unknown name. If the call only makes an object of a class, the value is its name; if it
    /// would return one of its arguments, the value is that argument: PyTorch's tensors of TPUs, and Paddle's of static graphs,
    /// which are pickled as the program text `data` with an array of that name. Other texts are only text.
    fn unknown(&mut self, callable: usize, arguments: usize) -> Value<'a> {
        let callable = &self.foreign[callable];
        let makes_objects = matches!(callable.module, b"copyreg" | b"copy_reg");
        let (module, name) = match self.tuple(arguments) {
            // The class, what it is built on, and the content of that.
            [_, _, dict @ Value::Dict(_)] if makes_objects => return *dict,
            [Value::Foreign(class), ..] if makes_objects => {
                let class = &self.foreign[*class];
                (class.module, class.name)
            }
            // Counts by name; the copy would make much work of a small file.
            [dict @ Value::Dict(_)] if (callable.module, callable.name) == COUNTER => return *dict,
            [array @ (Value::Array(_) | Value::Tensor(_)), ..]
                if is_of_device(callable.module, callable.name) =>
            {
                return *array;
            }
            [Value::Text(b"data"), Value::Dict(names)] if callable.name == b"eval" => {
                match self.dict(*names) {
                    [(Value::Text(b"data"), array @ Value::Array(_))] => return *array,
                    _ => (callable.module, callable.name),
                }
            }
            _ => (callable.module, callable.name),
        };
        self.new_foreign(module, name)
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

    /// Gives the object on the stack its state. Only arrays and their formats have one that matters: what else there
    /// is are notes, such as the versions of modules that PyTorch keeps at a network's dictionary.
    pub(super) fn build(&mut self) -> Result<(), String> {
        let (state, object) = (self.pop()?, self.top()?);
        match (object, state) {
            (Value::Array(array), Value::Tuple(state)) => self.arrays[array] = ArrayParts::State(state),
            (Value::Dtype(dtype), Value::Tuple(state)) => {
                let order: &'a [u8] = match self.tuple(state) {
                    [_, Value::Text(order) | Value::Bytes(order), ..] => order,
                    _ => b"?",
                };
                self.dtypes[dtype].order = order;
            }
            _ => {}
        }
        Ok(())
    }

    /// Makes what stands outside of the pickle: a storage, PyTorch's way of keeping elements, or a class with its source
    /// code beside it.
    pub(super) fn persistent(&mut self) -> Result<(), String> {
        let Value::Tuple(id) = self.pop()? else {
            let outside = self.new_foreign(OUTSIDE, b"object");
            return self.push(outside);
        };
        let storage = match self.tuple(id) {
            [
                Value::Text(b"storage") | Value::Bytes(b"storage"),
                Value::Global(Global::Storage(class)),
                Value::Text(key) | Value::Bytes(key),
                _,
                Value::Int(elements),
                part @ ..,
            ] => StorageParts {
                class: *class,
                key,
                elements: *elements,
                is_part: !matches!(part, [] | [Value::None]),
            },
            [Value::Text(_) | Value::Bytes(_), class @ Value::Foreign(_), ..] => {
                let class = *class;
                return self.push(class);
            }
            _ => {
                let outside = self.new_foreign(OUTSIDE, b"object");
                return self.push(outside);
            }
        };
        self.storages.push(storage);
        self.push(Value::Storage(self.storages.len() - 1))
    }
}

/// Counts by name: no tensor is in it, but notes of training runs are.
const COUNTER: (&[u8], &[u8]) = (b"collections", b"Counter");
/// Returns true if a function returns the tensor or array in its first argument, on another device.
fn is_of_device(module: &[u8], name: &[u8]) -> bool {
    module == b"torch._utils"
        && matches!(
            name,
            b"_rebuild_xla_tensor"
                | b"_rebuild_device_tensor_from_numpy"
                | b"_rebuild_device_tensor_from_cpu_tensor"
        )
}

/// The name of a value that no file could hold.
const OUTSIDE: &[u8] = b"persistent";

/// The parts of a tensor that is a view of a storage.
fn view(arguments: &[Value]) -> Option<TensorParts> {
    match arguments {
        [
            Value::Storage(storage),
            Value::Int(offset),
            Value::Tuple(shape),
            Value::Tuple(strides),
            ..,
        ] => Some(TensorParts {
            storage: *storage,
            offset: *offset,
            shape: *shape,
            strides: *strides,
        }),
        _ => None,
    }
}
