//! The HTTP side of `--listen`: `/metrics`, `/healthz` and an index page.
//!
//! In: a listening socket and a function that gives the latest metrics as bytes. Out: answers. It refuses bodies,
//! methods other than GET and HEAD, a second request on a connection, more connections than it has slots, and
//! clients that take their time.
//!
//! Invariant: no client can make memtrace wait, nor hold more than a slot, a small buffer and a few seconds of it.

mod address;
mod connection;
mod limits;
mod respond;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use address::{AddressError, ListenAddress};
pub use limits::Limits;

/// Pause after an accept that failed: out of file descriptors, and a loop without pause would burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Refused connections are logged together, at most this often.
const REFUSALS_LOGGED_EVERY: Duration = Duration::from_secs(10);

/// The server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Somebody listens there already.
    #[error(
        "cannot listen on {0}: the port is in use. Try another one (--listen ADDR:PORT), or see who has it: \
         ss -ltnp 'sport = :{port}'", port = .0.port()
    )]
    InUse(SocketAddr),
    /// The address is not one of this machine's.
    #[error(
        "cannot listen on {0}: no interface has that address. `ip address` lists them; 0.0.0.0:{port} means all \
         of them", port = .0.port()
    )]
    NotLocal(SocketAddr),
    /// Ports below 1024 need a capability.
    #[error(
        "cannot listen on {0}: permission denied. Use a port from 1024 up, or grant CAP_NET_BIND_SERVICE"
    )]
    Denied(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {address}: {error}. Try another address (--listen ADDR:PORT)")]
    Other {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
}

/// Opens the listening socket.
///
/// # Errors
/// When the address cannot be listened on; the message names the remedy.
pub async fn bind(address: ListenAddress) -> Result<TcpListener, ServeError> {
    let address = address.0;
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => ServeError::InUse(address),
        std::io::ErrorKind::AddrNotAvailable => ServeError::NotLocal(address),
        std::io::ErrorKind::PermissionDenied => ServeError::Denied(address),
        _ => ServeError::Other { address, error },
    })
}

/// Serves until `shutdown` completes, then drops every connection. `metrics` must be quick: it hands out text that
/// is ready, and runs once per scrape.
pub async fn serve<Source, Shutdown>(
    listener: TcpListener,
    metrics: Source,
    shutdown: Shutdown,
    limits: Limits,
) where
    Source: Fn() -> Bytes + Send + Sync + 'static,
    Shutdown: Future<Output = ()>,
{
    let mut server = Server {
        metrics: Arc::new(metrics),
        slots: Arc::new(Semaphore::new(limits.connections)),
        limits,
        connections: JoinSet::new(),
        refusals: Refusals::default(),
    };
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => server.admit(stream),
                Err(error) => {
                    tracing::warn!("cannot accept a connection for /metrics: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = server.connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!("answering a client of /metrics failed: {error}");
                }
            }
        }
    }
}

struct Server<Source> {
    metrics: Arc<Source>,
    slots: Arc<Semaphore>,
    limits: Limits,
    connections: JoinSet<()>,
    refusals: Refusals,
}

impl<Source: Fn() -> Bytes + Send + Sync + 'static> Server<Source> {
    /// Gives the connection a slot, or closes it at once.
    fn admit(&mut self, stream: TcpStream) {
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            drop(stream);
            self.refusals.count(self.limits.connections);
            return;
        };
        let (metrics, limits) = (Arc::clone(&self.metrics), self.limits);
        self.connections.spawn(async move {
            connection::serve_one(stream, metrics, limits).await;
            drop(slot);
        });
    }
}

/// Counts refused connections, and says so now and then.
#[derive(Default)]
struct Refusals {
    total: u64,
    logged_at: Option<tokio::time::Instant>,
}

impl Refusals {
    fn count(&mut self, connections: usize) {
        self.total += 1;
        let now = tokio::time::Instant::now();
        if self.logged_at.is_some_and(|at| now.duration_since(at) < REFUSALS_LOGGED_EVERY) {
            return;
        }
        self.logged_at = Some(now);
        tracing::warn!(
            "all {connections} connections for /metrics are taken: {} refused since start",
            self.total
        );
    }
}
