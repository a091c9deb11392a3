//! What a code object is called, where it was written, and which line an instruction of it runs.
//!
//! In: the address of a code object that a frame named. Out: a [`CodeObject`], complete, or an error; and a
//! [`CodeIdentity`] that notices when the address was given to another code object.
//! It refuses an object whose type is not called `code`, or that changed while it was read.
//!
//! Invariant: the fields of one `CodeObject` were all read from the same code object.

use std::sync::Arc;

use super::error::CodeError;
use super::lines::{LineFormat, LineTable};
use super::object::{self, BYTES_DATA, BYTES_SUBCLASS, OBJECT_SIZE, OBJECT_TYPE};
use super::offsets::Instructions;
use super::runtime::PythonRuntime;
use super::string;
use crate::limits::LINE_TABLE_BYTES;
use crate::world::{MemoryReader, Unreadable};

/// Bytes of one code unit, since 3.6.
const UNIT_BYTES: u64 = 2;

/// A code object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CodeObject {
    /// `co_qualname` from 3.11 on (`Shop.checkout`), `co_name` before (`checkout`).
    pub function: Arc<str>,
    /// `co_filename`.
    pub file: Arc<str>,
    /// `co_firstlineno`; 0 when it is not a line.
    pub first_line: u32,
    /// Lines of the instructions; empty when the table is larger than [`LINE_TABLE_BYTES`].
    pub lines: LineTable,
    /// Tells this code object from a later one at the same address.
    pub identity: CodeIdentity,
    position: Position,
}

/// What [`memtrace_common::record::PythonFrame::instruction`] is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Position {
    /// 3.8 and 3.9: bytes from the start.
    Bytes,
    /// 3.10: code units from the start.
    Units,
    /// From 3.11 on: an address; the code starts at this one.
    Address(u64),
}

/// What distinguishes a code object from another one that took its place: code objects are freed (`exec`, notebooks,
/// reloads) and their memory is used again, often by the next code object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CodeIdentity {
    /// Where the code object is.
    pub address: u64,
    type_address: u64,
    first_line: i32,
    /// Address of `co_code` to 3.10, how many code units there are from 3.11 on.
    instructions: u64,
    line_table: u64,
    file: u64,
    function: u64,
    /// Names are interned, so they have a hash, which outlives the address of the `str`.
    function_hash: u64,
    /// `co_version`, 0 before 3.12.
    version: u32,
}

impl CodeIdentity {
    /// True when the same code object is still at its address. False as well when it cannot be read. It takes two reads.
    #[must_use]
    pub fn still_same(&self, reader: &dyn MemoryReader, runtime: &PythonRuntime) -> bool {
        Self::read(reader, runtime, self.address).is_ok_and(|identity| identity == *self)
    }

    fn read(reader: &dyn MemoryReader, runtime: &PythonRuntime, address: u64) -> Result<Self, Unreadable> {
        let offsets = &runtime.offsets.code;
        let mut bytes = vec![0; offsets.header_bytes()];
        object::read(reader, address, &mut bytes)?;
        let function = object::word_at(&bytes, offsets.function);
        let instructions = match offsets.instructions {
            Instructions::Bytes(offset) => offset,
            Instructions::Inline(_) => OBJECT_SIZE as u16,
        };
        Ok(Self {
            address,
            type_address: object::word_at(&bytes, OBJECT_TYPE as u16),
            first_line: object::int_at(&bytes, offsets.first_line),
            instructions: object::word_at(&bytes, instructions),
            line_table: object::word_at(&bytes, offsets.line_table),
            file: object::word_at(&bytes, offsets.file),
            function,
            function_hash: string::read_hash(reader, function)?,
            version: offsets.version.map_or(0, |offset| object::int_at(&bytes, offset).cast_unsigned()),
        })
    }
}

impl CodeObject {
    /// The line that the interpreter is at, from 1, or `None` when CPython gives the instruction none. `instruction` is
    /// what the frame had: [`memtrace_common::record::PythonFrame::instruction`].
    #[must_use]
    pub fn line_of(&self, instruction: u64) -> Option<u32> {
        let unit = match self.position {
            // `f_lasti` is an `int` in the low half.
            Position::Bytes => i64::from((instruction as u32).cast_signed().div_euclid(2)),
            Position::Units => i64::from((instruction as u32).cast_signed()),
            Position::Address(start) => instruction.wrapping_sub(start).cast_signed().div_euclid(2),
        };
        if unit == -1 {
            // The frame has not started: CPython says the first line (`PyCode_Addr2Line`).
            return (self.first_line != 0).then_some(self.first_line);
        }
        self.lines.line_at(u32::try_from(unit).ok()?)
    }
}

/// Reads the code object at an address.
///
/// # Errors
/// When there is none (any more), or it is not well-formed.
pub fn read_code(
    reader: &dyn MemoryReader,
    runtime: &PythonRuntime,
    code_address: u64,
) -> Result<CodeObject, CodeError> {
    let identity = CodeIdentity::read(reader, runtime, code_address)?;
    if !object::is_pointer(identity.type_address) || !object::is_code_type(reader, identity.type_address)? {
        return Err(CodeError::NotCode { address: code_address });
    }
    let (code_units, position) = instructions_of(reader, runtime, &identity)?;
    let table = read_line_table(reader, identity.line_table)?;
    let code = CodeObject {
        function: string::read_string(reader, &runtime.offsets, identity.function)?,
        file: string::read_string(reader, &runtime.offsets, identity.file)?,
        first_line: u32::try_from(identity.first_line).unwrap_or(0),
        lines: LineTable::decode(
            LineFormat::of(runtime.version),
            &table,
            identity.first_line,
            u32::try_from(code_units).unwrap_or(u32::MAX),
        ),
        identity,
        position,
    };
    if identity.still_same(reader, runtime) {
        Ok(code)
    } else {
        Err(CodeError::Changed { address: code_address })
    }
}

/// How many code units there are, and how a frame names one of them.
fn instructions_of(
    reader: &dyn MemoryReader,
    runtime: &PythonRuntime,
    identity: &CodeIdentity,
) -> Result<(u64, Position), CodeError> {
    match runtime.offsets.code.instructions {
        Instructions::Inline(offset) => {
            Ok((identity.instructions, Position::Address(identity.address + u64::from(offset))))
        }
        Instructions::Bytes(_) => {
            let code_units = read_bytes_size(reader, identity.instructions)? / UNIT_BYTES;
            // `f_lasti` counts bytes to 3.9 and code units in 3.10.
            let position = if runtime.version.minor < 10 { Position::Bytes } else { Position::Units };
            Ok((code_units, position))
        }
    }
}

/// The size of a `bytes` object, which is checked to be one.
fn read_bytes_size(reader: &dyn MemoryReader, address: u64) -> Result<u64, CodeError> {
    let type_address = object::read_word(reader, address, OBJECT_TYPE)?;
    if !object::type_has_flags(reader, type_address, BYTES_SUBCLASS)? {
        return Err(CodeError::WrongType { address, expected: "bytes" });
    }
    Ok(object::read_word(reader, address, OBJECT_SIZE)?)
}

/// The line table's bytes; none when there are more than the limit: a table that was cut could name wrong lines.
fn read_line_table(reader: &dyn MemoryReader, address: u64) -> Result<Vec<u8>, CodeError> {
    let size = read_bytes_size(reader, address)?;
    let Some(size) = usize::try_from(size).ok().filter(|size| *size <= LINE_TABLE_BYTES) else {
        return Ok(Vec::new());
    };
    let mut table = vec![0; size];
    object::read(reader, address + BYTES_DATA, &mut table)?;
    Ok(table)
}

#[cfg(test)]
mod tests;
