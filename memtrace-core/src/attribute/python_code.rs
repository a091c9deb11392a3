//! The code objects that a process' stacks named, read on first sight: a code object can be freed at any time, and
//! its address used again.

use hashbrown::HashMap;
use memtrace_common::record::PythonFrame;

use super::names::FunctionNames;
use super::python::{CodeObject, PythonRuntime, read_code};
use crate::limits::CODE_OBJECTS;
use crate::model::FrameRef;
use crate::world::MemoryReader;

/// A process' Python code.
#[derive(Debug)]
pub struct PythonCode {
    /// How to read it.
    pub runtime: PythonRuntime,
    codes: HashMap<u64, (CodeObject, u32)>,
}

impl PythonCode {
    /// Of an interpreter of which no code was read yet.
    #[must_use]
    pub fn new(runtime: PythonRuntime) -> Self {
        Self { runtime, codes: HashMap::new() }
    }

    /// Function and line of a frame.
    pub fn resolve(
        &mut self,
        reader: &dyn MemoryReader,
        names: &mut FunctionNames,
        frame: PythonFrame,
    ) -> FrameRef {
        if !self.codes.contains_key(&frame.code) {
            let code = match read_code(reader, &self.runtime, frame.code) {
                Ok(code) => code,
                Err(error) => return FrameRef::Unknown { address: frame.code, reason: error.reason() },
            };
            if self.codes.len() >= CODE_OBJECTS {
                // All of it: what is still in use comes back with its next new stack.
                self.codes.clear();
            }
            let function = names.intern(&code.function, &code.file);
            self.codes.insert(frame.code, (code, function));
        }
        let (code, function) = &self.codes[&frame.code];
        FrameRef::Python { function: *function, line: code.line_of(frame.instruction).unwrap_or(0) }
    }

    /// Forgets the code objects whose address was given to another one. True when there were any: then stacks that
    /// look like known ones may be others, and are to be sent anew.
    pub fn forget_replaced(&mut self, reader: &dyn MemoryReader) -> bool {
        let before = self.codes.len();
        self.codes.retain(|_, (code, _)| code.identity.still_same(reader, &self.runtime));
        self.codes.len() != before
    }
}
