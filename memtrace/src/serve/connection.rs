//! One connection: one request, one answer, within a time.
//!
//! Connections are not kept alive: a scrape comes every few seconds, and a slot that waits for the next one is a slot
//! that a hostile client can hold for nothing.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::Limits;
use super::respond::{Answer, respond};

/// hyper panics when its buffer is to be smaller.
const SMALLEST_BUFFER_BYTES: usize = 8 * 1024;

/// Answers the connection's request, or gives up on it. Either way the socket is closed when this returns.
pub(super) async fn serve_one<Source>(stream: TcpStream, metrics: Arc<Source>, limits: Limits)
where
    Source: Fn() -> Bytes + Send + Sync + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let metrics = Arc::clone(&metrics);
        async move { Ok::<Response<Answer>, Infallible>(respond(&request, metrics.as_ref())) }
    });
    let exchange = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(limits.head_bytes.max(SMALLEST_BUFFER_BYTES))
        .max_header_size(limits.head_bytes)
        .max_headers(limits.headers)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(limits.exchange_time, exchange).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("a client of /metrics was cut: {error}"),
        Err(_) => {
            tracing::debug!("a client of /metrics was cut after {:?}", limits.exchange_time);
        }
    }
}
