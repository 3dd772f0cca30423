use std::collections::HashMap;

use super::opcode as op;
use super::reader::Reader;
use crate::error::shown;

/// The most opcodes a file may have, which bounds what the machine keeps; the 2,075 tensors of the largest HRNet
/// take 70,053.
const STEPS: usize = 1 << 20;

/// A value on the pickle's stack; compound ones are indices into the machine's arenas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// Text in UTF-8, which whoever reads it checks: most of a protocol 2 file is [`Value::Latin1`].
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    /// Bytes written as UTF-8 text, each character one byte: protocol 2's way.
    Latin1(&'a [u8]),
    Tuple(usize),
    Dict(usize),
    Dtype(usize),
    Array(usize),
    Global(Global),
}

/// The names a weight file may refer to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Global {
    /// `numpy.core.multiarray._reconstruct`: an array to be filled.
    Reconstruct,
    /// `numpy.ndarray`, the class it makes.
    NdArray,
    /// `numpy.dtype`.
    Dtype,
    /// `_codecs.encode`: text to bytes.
    Encode,
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `builtins.tuple`, in which Paddle wraps a tensor's name and array.
    Tuple,
}

impl Global {
    fn find(module: &[u8], name: &[u8]) -> Result<Self, String> {
        Ok(match (module, name) {
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"_reconstruct") => Self::Reconstruct,
            (b"numpy", b"ndarray") => Self::NdArray,
            (b"numpy", b"dtype") => Self::Dtype,
            (b"_codecs", b"encode") => Self::Encode,
            (b"collections", b"OrderedDict") => Self::OrderedDict,
            (b"builtins" | b"__builtin__", b"tuple") => Self::Tuple,
            _ => {
                return Err(format!(
                    "the file refers to `{}.{}`, which weights do not need: refused",
                    shown(module),
                    shown(name)
                ));
            }
        })
    }
}

/// What NumPy's `dtype` was made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DtypeParts<'a> {
    /// Kind and size, as in `f4`.
    pub(crate) code: &'a [u8],
    /// `<`, `>`, `|` or `=`.
    pub(crate) order: &'a [u8],
}

/// Runs a pickle.
#[derive(Default)]
pub(crate) struct Machine<'a> {
    stack: Vec<Value<'a>>,
    marks: Vec<usize>,
    memo: HashMap<usize, Value<'a>>,
    tuples: Vec<Vec<Value<'a>>>,
    dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    dtypes: Vec<DtypeParts<'a>>,
    /// The state of each array, a tuple, once it is filled.
    arrays: Vec<Option<usize>>,
}

impl<'a> Machine<'a> {
    /// Runs the pickle in these bytes and gives the machine with its one result.
    pub(crate) fn run(bytes: &'a [u8]) -> Result<(Self, Value<'a>), String> {
        let mut machine = Self::default();
        let mut reader = Reader::new(bytes);
        for _ in 0..STEPS {
            let offset = reader.offset();
            let at = |error: String| format!("pickle at byte {offset}: {error}");
            let opcode = reader.byte().map_err(at)?;
            if opcode == op::STOP {
                let result = machine.pop().map_err(at)?;
                return Ok((machine, result));
            }
            machine.step(opcode, &mut reader).map_err(at)?;
        }
        Err(format!(
            "pickle at byte {}: more than {STEPS} opcodes, which no weights need: refused",
            reader.offset()
        ))
    }

    pub(crate) fn tuple(&self, index: usize) -> &[Value<'a>] {
        &self.tuples[index]
    }

    pub(crate) fn dict(&self, index: usize) -> &[(Value<'a>, Value<'a>)] {
        &self.dicts[index]
    }

    pub(crate) fn dtype(&self, index: usize) -> DtypeParts<'a> {
        self.dtypes[index]
    }

    /// The state tuple an array was filled with.
    pub(crate) fn array(&self, index: usize) -> Option<&[Value<'a>]> {
        self.arrays[index].map(|state| self.tuple(state))
    }

    fn step(&mut self, opcode: u8, reader: &mut Reader<'a>) -> Result<(), String> {
        match opcode {
            op::PROTO => match reader.byte()? {
                2..=4 => Ok(()),
                other => Err(format!("protocol {other}: 2, 3 and 4 are read")),
            },
            op::FRAME => reader.take(8).map(|_| ()),
            op::NONE => self.push(Value::None),
            op::NEWTRUE => self.push(Value::Bool(true)),
            op::NEWFALSE => self.push(Value::Bool(false)),
            op::INT | op::BININT | op::BININT1 | op::BININT2 | op::LONG1 => self.integer(opcode, reader),
            op::BINUNICODE | op::SHORT_BINUNICODE | op::BINUNICODE8 => {
                let bytes = sized(opcode, reader)?;
                self.push(Value::Text(bytes))
            }
            op::BINBYTES | op::SHORT_BINBYTES | op::BINBYTES8 | op::BINSTRING | op::SHORT_BINSTRING => {
                let bytes = sized(opcode, reader)?;
                self.push(Value::Bytes(bytes))
            }
            op::MARK => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            op::EMPTY_TUPLE => self.make_tuple(self.stack.len()),
            op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => {
                let count = usize::from(opcode - op::TUPLE1) + 1;
                let start = self
                    .stack
                    .len()
                    .checked_sub(count)
                    .ok_or("a tuple of more than the stack holds")?;
                self.make_tuple(start)
            }
            op::TUPLE => {
                let start = self.pop_mark()?;
                self.make_tuple(start)
            }
            op::EMPTY_DICT => self.make_dict(),
            op::SETITEM => {
                let start = self
                    .stack
                    .len()
                    .checked_sub(2)
                    .ok_or("an item of more than the stack holds")?;
                self.set_items(start)
            }
            op::SETITEMS => {
                let start = self.pop_mark()?;
                self.set_items(start)
            }
            op::GLOBAL => {
                let (module, name) = (reader.line()?, reader.line()?);
                self.push(Value::Global(Global::find(module, name)?))
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    return Err("a name that is no text".into());
                };
                self.push(Value::Global(Global::find(module, name)?))
            }
            op::REDUCE => self.reduce(),
            op::BUILD => self.build(),
            op::BINPUT => reader.length::<1>().and_then(|index| self.memoize(index)),
            op::LONG_BINPUT => reader.length::<4>().and_then(|index| self.memoize(index)),
            op::MEMOIZE => self.memoize(self.memo.len()),
            op::BINGET => reader.length::<1>().and_then(|index| self.recall(index)),
            op::LONG_BINGET => reader.length::<4>().and_then(|index| self.recall(index)),
            other => Err(format!(
                "opcode 0x{other:02x}, which weights do not need: refused"
            )),
        }
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), String> {
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value<'a>, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err("the stack is empty".into());
        }
        Ok(self.stack.pop().expect("not empty, checked above"))
    }

    fn pop_mark(&mut self) -> Result<usize, String> {
        self.marks.pop().ok_or_else(|| "no mark on the stack".into())
    }

    fn memoize(&mut self, index: usize) -> Result<(), String> {
        let top = *self.stack.last().ok_or("the stack is empty")?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: usize) -> Result<(), String> {
        let value = *self
            .memo
            .get(&index)
            .ok_or_else(|| format!("memo {index} was never written"))?;
        self.push(value)
    }

    fn integer(&mut self, opcode: u8, reader: &mut Reader<'a>) -> Result<(), String> {
        let value = match opcode {
            op::BININT => i64::from(i32::from_le_bytes(reader.array()?)),
            op::BININT1 => i64::from(reader.byte()?),
            op::BININT2 => i64::from(u16::from_le_bytes(reader.array()?)),
            op::INT => match reader.line()? {
                b"00" => return self.push(Value::Bool(false)),
                b"01" => return self.push(Value::Bool(true)),
                digits => std::str::from_utf8(digits)
                    .ok()
                    .and_then(|digits| digits.parse().ok())
                    .ok_or_else(|| format!("`{}` is no integer", shown(digits)))?,
            },
            _ => {
                let length = reader.length::<1>()?;
                let bytes = reader.take(length)?;
                if length > 8 {
                    return Err(format!("an integer of {length} bytes"));
                }
                // Two's complement: the top byte's sign fills what is left.
                let sign = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) {
                    0xFF
                } else {
                    0
                };
                let mut wide = [sign; 8];
                wide[..length].copy_from_slice(bytes);
                i64::from_le_bytes(wide)
            }
        };
        self.push(Value::Int(value))
    }

    fn make_tuple(&mut self, start: usize) -> Result<(), String> {
        if start < self.marks.last().copied().unwrap_or(0) {
            return Err("a tuple that reaches below a mark".into());
        }
        let items = self.stack.split_off(start);
        self.tuples.push(items);
        self.push(Value::Tuple(self.tuples.len() - 1))
    }

    fn make_dict(&mut self) -> Result<(), String> {
        self.dicts.push(Vec::new());
        self.push(Value::Dict(self.dicts.len() - 1))
    }

    fn set_items(&mut self, start: usize) -> Result<(), String> {
        if start < self.marks.last().copied().unwrap_or(0) {
            return Err("items that reach below a mark".into());
        }
        let items = self.stack.split_off(start);
        let Some(Value::Dict(dict)) = self.stack.last() else {
            return Err("items for what is no dictionary".into());
        };
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err("a key without a value".into());
        }
        self.dicts[*dict].extend(pairs.iter().map(|[key, value]| (*key, *value)));
        Ok(())
    }

    /// Makes what a call would have given, for the calls that are known.
    fn reduce(&mut self) -> Result<(), String> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let (Value::Global(callable), Value::Tuple(arguments)) = (callable, arguments) else {
            return Err("a call of what is no known name, or without arguments".into());
        };
        match (callable, self.tuple(arguments)) {
            (Global::Reconstruct, [Value::Global(Global::NdArray), ..]) => {
                self.arrays.push(None);
                self.push(Value::Array(self.arrays.len() - 1))
            }
            (Global::Dtype, [Value::Text(code) | Value::Bytes(code), ..]) => {
                let code: &'a [u8] = code;
                self.dtypes.push(DtypeParts { code, order: b"=" });
                self.push(Value::Dtype(self.dtypes.len() - 1))
            }
            (Global::Encode, [Value::Text(text), Value::Text(b"latin1" | b"latin-1")]) => {
                let text: &'a [u8] = text;
                self.push(Value::Latin1(text))
            }
            (Global::OrderedDict, []) => self.make_dict(),
            (Global::Tuple, [Value::Tuple(items)]) => {
                let items = *items;
                self.push(Value::Tuple(items))
            }
            (callable, arguments) => Err(format!(
                "a call of {callable:?} with {} other arguments",
                arguments.len()
            )),
        }
    }

    /// Gives the object on the stack its state.
    fn build(&mut self) -> Result<(), String> {
        let state = self.pop()?;
        let (Some(object), Value::Tuple(state)) = (self.stack.last().copied(), state) else {
            return Err("a state that is no tuple".into());
        };
        match (object, self.tuple(state)) {
            (Value::Array(array), _) => self.arrays[array] = Some(state),
            (Value::Dtype(dtype), [_, Value::Text(order) | Value::Bytes(order), ..]) => {
                let order: &'a [u8] = order;
                self.dtypes[dtype].order = order;
            }
            _ => return Err("a state for what has none".into()),
        }
        Ok(())
    }
}

/// The bytes of an opcode that states their length first.
fn sized<'a>(opcode: u8, reader: &mut Reader<'a>) -> Result<&'a [u8], String> {
    let length = match opcode {
        op::SHORT_BINUNICODE | op::SHORT_BINBYTES | op::SHORT_BINSTRING => reader.length::<1>()?,
        op::BINUNICODE | op::BINBYTES | op::BINSTRING => reader.length::<4>()?,
        _ => reader.length::<8>()?,
    };
    reader.take(length)
}
