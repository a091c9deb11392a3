//! Stage aggregate.
