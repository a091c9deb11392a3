//! Stage export: a [`crate::model::Snapshot`] for other machines.
//!
//! In: one immutable snapshot. Out: Prometheus' text ([`metrics()`]) and ids that mean the same everywhere
//! ([`site_id()`]). It refuses labels without bound: processes are told apart by comm, never by pid.
//!
//! Invariant: counters never fall while memtrace runs, whatever exits.

mod comm_totals;
pub mod metrics;
pub mod metrics_state;
pub mod site_id;

pub use metrics::metrics;
pub use metrics_state::MetricsState;
pub use site_id::site_id;
