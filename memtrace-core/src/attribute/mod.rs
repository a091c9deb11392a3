//! Stage attribute.
