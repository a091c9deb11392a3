//! The tests, by what they are about.

mod python_lines;
mod python_memory;
mod python_version;
