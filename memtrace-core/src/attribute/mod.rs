//! Stage attribute.

pub mod python;
