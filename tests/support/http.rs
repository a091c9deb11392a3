//! A client for memtrace's own endpoints: one request a connection.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use super::poll::{self, PATIENCE};

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// An address on which nothing listened a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("it is bound")
}

/// Asks for a path, waiting until somebody listens.
pub(crate) fn get(address: SocketAddr, path: &str) -> Response {
    let connect = || TcpStream::connect(address).ok();
    let mut stream = poll::wait_until("memtrace listens", connect, String::new);
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout that is not 0");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the request is sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the answer is text and ends");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head and a body");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
    Response { status, head: head.to_owned(), body: body.to_owned() }
}

/// The value of one sample of the text format; `series` is name and labels as they stand there.
pub(crate) fn sample(metrics: &str, series: &str) -> Option<f64> {
    let mut lines = metrics.lines().filter_map(|line| line.rsplit_once(' '));
    lines.find(|(name, _)| *name == series).and_then(|(_, value)| value.parse().ok())
}
