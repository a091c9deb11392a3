//! Stage export: a [`crate::model::Snapshot`] for other machines.
//!
//! In: one immutable snapshot. Out: ids that mean the same in every run ([`site_id()`]).

pub mod site_id;

pub use site_id::site_id;
