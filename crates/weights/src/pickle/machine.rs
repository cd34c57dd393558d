//! The stack and the memo of a pickle, with no more of the values than the check needs.

use std::collections::HashMap;

use pytorch_reader::OpCode;

use super::input::Input;
use super::is_known;

/// Values that a pickle may make, marks and copies into the memo included: they take memory that
/// their file does not. The largest checkpoints make some hundred thousand.
const MAX_VALUES: usize = 4 << 20;

/// What the check needs to know of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// Text, which may become the name of an import.
    Text(&'a str),
    /// Something that was imported and may be called.
    Import,
    /// Anything else.
    Other,
}

#[derive(Debug, Default)]
pub(super) struct Machine<'a> {
    stack: Vec<Value<'a>>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<usize, Value<'a>>,
    made: usize,
}

impl<'a> Machine<'a> {
    /// Runs one pickle up to its end.
    pub(super) fn run(&mut self, input: &mut Input<'a>) -> Result<(), String> {
        loop {
            let byte = input.take(1)?[0];
            let operation = OpCode::try_from(byte)
                .map_err(|byte| format!("0x{byte:02x} is no operation of a pickle"))?;
            if operation == OpCode::Stop {
                return self.pop().map(drop);
            }
            self.step(operation, input)?;
        }
    }

    fn step(&mut self, operation: OpCode, input: &mut Input<'a>) -> Result<(), String> {
        use OpCode as Op;
        match operation {
            Op::Proto => drop(input.take(1)?),
            Op::Frame => drop(input.take(8)?),

            Op::None | Op::NewTrue | Op::NewFalse => self.push(Value::Other)?,
            Op::EmptyTuple | Op::EmptyList | Op::EmptyDict | Op::EmptySet => {
                self.push(Value::Other)?;
            }
            Op::Int | Op::Long | Op::Float | Op::PersId => {
                input.line()?;
                self.push(Value::Other)?;
            }
            Op::BinInt1 => self.sized(input, 1)?,
            Op::BinInt2 => self.sized(input, 2)?,
            Op::BinInt => self.sized(input, 4)?,
            Op::BinFloat => self.sized(input, 8)?,
            Op::Long1 | Op::ShortBinBytes => {
                input.counted(1).and_then(|_| self.push(Value::Other))?
            }
            Op::Long4 | Op::BinBytes => input.counted(4).and_then(|_| self.push(Value::Other))?,
            Op::BinBytes8 | Op::ByteArray8 => {
                input.counted(8).and_then(|_| self.push(Value::Other))?;
            }
            Op::Unicode => {
                let line = input.line()?;
                self.push_text(line)?;
            }
            Op::ShortBinUnicode | Op::ShortBinString => {
                let text = input.counted(1)?;
                self.push_text(text)?;
            }
            Op::BinUnicode | Op::BinString => {
                let text = input.counted(4)?;
                self.push_text(text)?;
            }
            Op::BinUnicode8 => {
                let text = input.counted(8)?;
                self.push_text(text)?;
            }

            Op::Mark => {
                self.count()?;
                self.marks.push(self.stack.len());
            }
            Op::Pop if self.mark_on_top() => drop(self.marks.pop()),
            Op::Pop => drop(self.pop()?),
            Op::PopMark => self.pop_to_mark()?,
            Op::Dup => {
                let top = self.top()?;
                self.push(top)?;
            }
            Op::Tuple | Op::List | Op::Dict | Op::FrozenSet => {
                self.pop_to_mark()?;
                self.push(Value::Other)?;
            }
            Op::Tuple1 => self.replace(1)?,
            Op::Tuple2 => self.replace(2)?,
            Op::Tuple3 => self.replace(3)?,
            // What changes a container leaves it on the stack.
            Op::Append => self.replace(2)?,
            Op::SetItem => self.replace(3)?,
            Op::Appends | Op::SetItems | Op::AddItems => {
                self.pop_to_mark()?;
                self.replace(1)?;
            }

            Op::Put => {
                let slot = input.decimal()?;
                self.memorise(slot)?;
            }
            Op::BinPut => {
                let slot = input.number(1)?;
                self.memorise(slot)?;
            }
            Op::LongBinPut => {
                let slot = input.number(4)?;
                self.memorise(slot)?;
            }
            Op::Memoize => self.memorise(self.memo.len())?,
            Op::Get => {
                let slot = input.decimal()?;
                self.recall(slot)?;
            }
            Op::BinGet => {
                let slot = input.number(1)?;
                self.recall(slot)?;
            }
            Op::LongBinGet => {
                let slot = input.number(4)?;
                self.recall(slot)?;
            }

            Op::Global => {
                let (module, name) = (input.text_line()?, input.text_line()?);
                self.import(module, name)?;
            }
            Op::StackGlobal => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    return Err("the pickle imports something whose name is no text".into());
                };
                self.import(module, name)?;
            }
            Op::BinPersId => self.replace(1)?,
            // Calls, and objects of a class: arguments above what is called.
            Op::Reduce | Op::NewObj => {
                self.pop()?;
                let Value::Import = self.pop()? else {
                    return Err("the pickle calls something that it did not import".into());
                };
                self.push(Value::Other)?;
            }
            // A state above the object that takes it.
            Op::Build => self.replace(2)?,

            other => {
                return Err(format!("the pickle's operation {other:?} is none of a state_dict"));
            }
        }
        Ok(())
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), String> {
        self.count()?;
        self.stack.push(value);
        Ok(())
    }

    /// A number of `bytes` bytes.
    fn sized(&mut self, input: &mut Input<'a>, bytes: usize) -> Result<(), String> {
        input.take(bytes)?;
        self.push(Value::Other)
    }

    /// Text whose escapes are not resolved cannot be the name of an import.
    fn push_text(&mut self, text: &'a [u8]) -> Result<(), String> {
        let plain = std::str::from_utf8(text).ok().filter(|text| !text.contains('\\'));
        self.push(plain.map_or(Value::Other, Value::Text))
    }

    fn count(&mut self) -> Result<(), String> {
        self.made += 1;
        if self.made > MAX_VALUES {
            return Err(format!("the pickle makes more than {MAX_VALUES} values"));
        }
        Ok(())
    }

    fn mark_on_top(&self) -> bool {
        self.marks.last() == Some(&self.stack.len())
    }

    fn top(&self) -> Result<Value<'a>, String> {
        match self.stack.last() {
            Some(value) if !self.mark_on_top() => Ok(*value),
            _ => Err("the pickle takes a value that is not there".into()),
        }
    }

    fn pop(&mut self) -> Result<Value<'a>, String> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<(), String> {
        self.stack.truncate(self.marks.pop().ok_or("the pickle closes what it did not open")?);
        Ok(())
    }

    /// `count` values become one.
    fn replace(&mut self, count: usize) -> Result<(), String> {
        for _ in 0..count {
            self.pop()?;
        }
        self.push(Value::Other)
    }

    fn memorise(&mut self, slot: usize) -> Result<(), String> {
        let top = self.top()?;
        self.count()?;
        self.memo.insert(slot, top);
        Ok(())
    }

    fn recall(&mut self, slot: usize) -> Result<(), String> {
        let value = self.memo.get(&slot).copied();
        self.push(value.ok_or_else(|| format!("the pickle's memo has no {slot}"))?)
    }

    fn import(&mut self, module: &str, name: &str) -> Result<(), String> {
        if !is_known(module, name) {
            return Err(format!(
                "the pickle imports `{module}.{name}`; expected nothing but tensors and plain \
                 containers (save a `state_dict`, or convert the file to safetensors)"
            ));
        }
        self.push(Value::Import)
    }
}
