//! Python functions by number: a name and a file, kept once however many code objects and processes have them.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::limits::FUNCTION_NAMES;

/// A function and the file that it is in.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FunctionName {
    /// Qualified as far as the interpreter has it.
    pub function: Arc<str>,
    /// As the interpreter has it.
    pub file: Arc<str>,
}

/// The table. Number 0 stands for all functions beyond the limit.
#[derive(Debug)]
pub struct FunctionNames {
    names: Vec<FunctionName>,
    numbers: HashMap<FunctionName, u32>,
}

impl Default for FunctionNames {
    fn default() -> Self {
        let beyond = FunctionName { function: "(too many functions)".into(), file: "".into() };
        Self { names: vec![beyond], numbers: HashMap::new() }
    }
}

impl FunctionNames {
    /// The number of a function, given out on first sight.
    pub fn intern(&mut self, function: &Arc<str>, file: &Arc<str>) -> u32 {
        let name = FunctionName { function: Arc::clone(function), file: Arc::clone(file) };
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        if self.names.len() >= FUNCTION_NAMES {
            return 0;
        }
        let number = self.names.len() as u32;
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }

    /// The function with this number.
    #[must_use]
    pub fn get(&self, number: u32) -> &FunctionName {
        self.names.get(number as usize).unwrap_or(&self.names[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_keeps_its_number_and_another_file_makes_another() {
        let mut names = FunctionNames::default();
        let (f, a, b) = ("f".into(), "a.py".into(), "b.py".into());
        let first = names.intern(&f, &a);
        assert_eq!(names.intern(&f, &a), first);
        assert_ne!(names.intern(&f, &b), first);
        assert_eq!(&*names.get(first).file, "a.py");
    }

    #[test]
    fn a_number_that_was_never_given_out_is_no_panic() {
        assert_eq!(&*FunctionNames::default().get(77).file, "");
    }
}
