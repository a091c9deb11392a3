//! What a client may take, each with its arithmetic.

use std::time::Duration;

/// Limits of the server. The default is what users get; tests shorten the times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Connections at the same time. Two Prometheus servers and some people with curl need fewer than ten. With the
    /// buffer below and the text they share, 32 hold under 1 MiB.
    pub connections: usize,
    /// Time for the request's head. On any network that a scrape works on, a head is one packet.
    pub head_time: Duration,
    /// Time for the whole exchange, sending included: Prometheus' own default is 10 s.
    pub exchange_time: Duration,
    /// Bytes of the request's head. Prometheus sends under 400; hyper's buffer cannot be under 8 KiB.
    pub head_bytes: usize,
    /// Header lines.
    pub headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 32,
            head_time: Duration::from_secs(5),
            exchange_time: Duration::from_secs(10),
            head_bytes: 8 * 1024,
            headers: 64,
        }
    }
}
