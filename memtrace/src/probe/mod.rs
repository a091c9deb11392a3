//! Where probes go.
