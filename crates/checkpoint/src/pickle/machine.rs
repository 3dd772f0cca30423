use std::collections::HashMap;

use super::global::Global;
use super::opcode as op;
use super::reader::Reader;
use super::value::{ArrayParts, DtypeParts, ForeignParts, StorageParts, TensorParts, Value};
use crate::error::shown;

/// The most opcodes a file may have, which bounds what the machine keeps; the 2,075 tensors of the largest HRNet
/// take 70,053.
const STEPS: usize = 1 << 20;

/// A pickle that has run.
pub(crate) struct Run<'a> {
    pub(crate) machine: Machine<'a>,
    pub(crate) result: Value<'a>,
    /// The offset behind its last byte.
    pub(crate) end: usize,
}

/// Runs a pickle.
#[derive(Default)]
pub(crate) struct Machine<'a> {
    stack: Vec<Value<'a>>,
    marks: Vec<usize>,
    memo: HashMap<usize, Value<'a>>,
    tuples: Vec<Vec<Value<'a>>>,
    pub(super) lists: Vec<Vec<Value<'a>>>,
    dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    pub(super) dtypes: Vec<DtypeParts<'a>>,
    pub(super) arrays: Vec<ArrayParts>,
    pub(super) storages: Vec<StorageParts<'a>>,
    pub(super) tensors: Vec<TensorParts>,
    pub(super) foreign: Vec<ForeignParts<'a>>,
}

impl<'a> Machine<'a> {
    /// Runs the pickle that begins at byte `start` and gives the machine with its one result, and where it ends.
    pub(crate) fn run(bytes: &'a [u8], start: usize) -> Result<Run<'a>, String> {
        let mut machine = Self::default();
        let mut reader = Reader::new(bytes, start);
        for _ in 0..STEPS {
            let offset = reader.offset();
            let at = |error: String| format!("pickle at byte {offset}: {error}");
            let opcode = reader.byte().map_err(at)?;
            if opcode == op::STOP {
                let result = machine.pop().map_err(at)?;
                return Ok(Run {
                    machine,
                    result,
                    end: reader.offset(),
                });
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

    pub(crate) fn list(&self, index: usize) -> &[Value<'a>] {
        &self.lists[index]
    }

    pub(crate) fn dict(&self, index: usize) -> &[(Value<'a>, Value<'a>)] {
        &self.dicts[index]
    }

    pub(crate) fn dtype(&self, index: usize) -> DtypeParts<'a> {
        self.dtypes[index]
    }

    pub(crate) fn storage(&self, index: usize) -> StorageParts<'a> {
        self.storages[index]
    }

    /// The storages the pickle refers to, each time it does.
    pub(crate) fn storages(&self) -> &[StorageParts<'a>] {
        &self.storages
    }

    pub(crate) fn tensor(&self, index: usize) -> TensorParts {
        self.tensors[index]
    }

    pub(crate) fn array(&self, index: usize) -> ArrayParts {
        self.arrays[index]
    }

    pub(crate) fn foreign(&self, index: usize) -> &ForeignParts<'a> {
        &self.foreign[index]
    }

    /// The names that the pickle refers to and that are not known, each time it does.
    pub(crate) fn foreigners(&self) -> &[ForeignParts<'a>] {
        &self.foreign
    }

    fn step(&mut self, opcode: u8, reader: &mut Reader<'a>) -> Result<(), String> {
        match opcode {
            op::PROTO => match reader.byte()? {
                2..=5 => Ok(()),
                other => Err(format!("protocol {other}: 2 to 5 are read")),
            },
            op::FRAME => reader.take(8).map(|_| ()),
            op::NONE => self.push(Value::None),
            op::NEWTRUE => self.push(Value::Bool(true)),
            op::NEWFALSE => self.push(Value::Bool(false)),
            op::BINFLOAT => reader.take(8).and_then(|_| self.push(Value::Note)),
            op::INT | op::BININT | op::BININT1 | op::BININT2 | op::LONG1 | op::LONG4 => self.integer(opcode, reader),
            op::BINUNICODE | op::SHORT_BINUNICODE | op::BINUNICODE8 => {
                let bytes = sized(opcode, reader)?;
                self.push(Value::Text(bytes))
            }
            op::BINBYTES
            | op::SHORT_BINBYTES
            | op::BINBYTES8
            | op::BYTEARRAY8
            | op::BINSTRING
            | op::SHORT_BINSTRING => {
                let bytes = sized(opcode, reader)?;
                self.push(Value::Bytes(bytes))
            }
            op::NEXT_BUFFER | op::READONLY_BUFFER => Err(
                "data in a buffer outside of the pickle (protocol 5's out-of-band buffers), so it is not in the file: \
                 write the file again without `buffer_callback`"
                    .into(),
            ),
            op::MARK => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            op::POP => self.pop().map(|_| ()),
            op::POP_MARK => self.take_to_mark().map(|_| ()),
            op::EMPTY_TUPLE => self.make_tuple(self.stack.len()),
            op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => {
                let count = usize::from(opcode - op::TUPLE1) + 1;
                let start = self.below_top(count)?;
                self.make_tuple(start)
            }
            op::TUPLE => {
                let start = self.pop_mark()?;
                self.make_tuple(start)
            }
            op::EMPTY_SET => self.push(Value::Note),
            op::FROZENSET => {
                self.take_to_mark()?;
                self.push(Value::Note)
            }
            op::ADDITEMS => {
                self.take_to_mark()?;
                match self.top()? {
                    Value::Note | Value::Foreign(_) => Ok(()),
                    _ => Err("items for what is no set".into()),
                }
            }
            op::EMPTY_LIST => {
                self.lists.push(Vec::new());
                self.push(Value::List(self.lists.len() - 1))
            }
            op::APPEND => {
                let start = self.below_top(1)?;
                self.append(start)
            }
            op::APPENDS => {
                let start = self.pop_mark()?;
                self.append(start)
            }
            op::EMPTY_DICT => {
                let dict = self.new_dict(Vec::new());
                self.push(dict)
            }
            op::SETITEM => {
                let start = self.below_top(2)?;
                self.set_items(start)
            }
            op::SETITEMS => {
                let start = self.pop_mark()?;
                self.set_items(start)
            }
            op::GLOBAL => {
                let (module, name) = (reader.line()?, reader.line()?);
                let named = self.named(module, name);
                self.push(named)
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    return Err("a name that is no text".into());
                };
                let named = self.named(module, name);
                self.push(named)
            }
            op::REDUCE | op::NEWOBJ => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                self.call(callable, arguments)
            }
            op::NEWOBJ_EX => {
                let (_keywords, arguments, callable) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(callable, arguments)
            }
            op::OBJ => {
                let items = self.take_to_mark()?;
                let (callable, arguments) = items.split_first().ok_or("an object of no class")?;
                let (callable, arguments) = (*callable, self.new_tuple(arguments.to_vec()));
                self.call(callable, arguments)
            }
            op::INST => {
                let (module, name) = (reader.line()?, reader.line()?);
                let (arguments, callable) = (self.take_to_mark()?, self.named(module, name));
                let arguments = self.new_tuple(arguments);
                self.call(callable, arguments)
            }
            op::BUILD => self.build(),
            op::BINPERSID => self.persistent(),
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

    pub(super) fn push(&mut self, value: Value<'a>) -> Result<(), String> {
        self.stack.push(value);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Result<Value<'a>, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err("the stack is empty".into());
        }
        Ok(self.stack.pop().expect("not empty, checked above"))
    }

    pub(super) fn top(&self) -> Result<Value<'a>, String> {
        self.stack
            .last()
            .copied()
            .ok_or_else(|| "the stack is empty".into())
    }

    /// The height of the stack below its topmost values.
    fn below_top(&self, count: usize) -> Result<usize, String> {
        let height = self.stack.len().checked_sub(count);
        height.ok_or_else(|| format!("{count} values of more than the stack holds"))
    }

    fn pop_mark(&mut self) -> Result<usize, String> {
        self.marks.pop().ok_or_else(|| "no mark on the stack".into())
    }

    /// The values down to the topmost mark, which is taken off with them.
    fn take_to_mark(&mut self) -> Result<Vec<Value<'a>>, String> {
        let start = self.pop_mark()?;
        self.take_from(start)
    }

    /// Returns the value of a name: the known item, or only the name.
    fn named(&mut self, module: &'a [u8], name: &'a [u8]) -> Value<'a> {
        Global::find(module, name).map_or_else(|| self.new_foreign(module, name), Value::Global)
    }

    fn memoize(&mut self, index: usize) -> Result<(), String> {
        let top = self.top()?;
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
                let length = if opcode == op::LONG4 {
                    reader.length::<4>()?
                } else {
                    reader.length::<1>()?
                };
                let bytes = reader.take(length)?;
                if length > 8 {
                    return self.push(Value::Note);
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

    /// The values from `start` up, taken off the stack.
    fn take_from(&mut self, start: usize) -> Result<Vec<Value<'a>>, String> {
        if start < self.marks.last().copied().unwrap_or(0) {
            return Err("values that reach below a mark".into());
        }
        Ok(self.stack.split_off(start))
    }

    fn make_tuple(&mut self, start: usize) -> Result<(), String> {
        let items = self.take_from(start)?;
        let tuple = self.new_tuple(items);
        self.push(tuple)
    }

    pub(super) fn new_tuple(&mut self, items: Vec<Value<'a>>) -> Value<'a> {
        self.tuples.push(items);
        Value::Tuple(self.tuples.len() - 1)
    }

    /// Makes a value that is only a name.
    pub(super) fn new_foreign(&mut self, module: &'a [u8], name: &'a [u8]) -> Value<'a> {
        self.foreign.push(ForeignParts {
            module,
            name,
            items: Vec::new(),
        });
        Value::Foreign(self.foreign.len() - 1)
    }

    pub(super) fn new_dict(&mut self, items: Vec<(Value<'a>, Value<'a>)>) -> Value<'a> {
        self.dicts.push(items);
        Value::Dict(self.dicts.len() - 1)
    }

    fn append(&mut self, start: usize) -> Result<(), String> {
        let items = self.take_from(start)?;
        match self.top()? {
            Value::List(list) => self.lists[list].extend(items),
            // A list of a class that is not known, or a bounded one.
            Value::Foreign(_) => {}
            _ => return Err("items for what is no list".into()),
        }
        Ok(())
    }

    fn set_items(&mut self, start: usize) -> Result<(), String> {
        let items = self.take_from(start)?;
        let target = match self.top()? {
            Value::Dict(dict) => &mut self.dicts[dict],
            Value::Foreign(foreign) => &mut self.foreign[foreign].items,
            _ => return Err("items for what is no dictionary".into()),
        };
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err("a key without a value".into());
        }
        target.extend(pairs.iter().map(|[key, value]| (*key, *value)));
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
