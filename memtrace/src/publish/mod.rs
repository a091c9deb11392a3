//! From figures to people and programs, on a thread of its own: symbols can take seconds to read, and a reader of
//! stdout as long as it likes. The pipeline goes on meanwhile.
//!
//! In: a [`Draft`]. Out: a snapshot, printed, and as metrics. It refuses a second draft while it is busy with one:
//! the next report then covers a longer interval.

mod draft;
mod output;
mod publisher;
mod source;
mod symbols;

pub use draft::{Draft, DraftFrame, DraftProcess, DraftSite};
pub use publisher::{Message, Publisher, Publishing, Summary};
