//! Raw clients on loopback: good, bad, slow and many.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream as Client};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::*;

/// A server on a thread of its own, stopped on drop.
struct Running {
    address: SocketAddr,
    scrapes: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(limits: Limits) -> Self {
        Self::start_with(limits, Bytes::from_static(b"memtrace_events_total 1\n"))
    }

    fn start_with(limits: Limits, body: Bytes) -> Self {
        let scrapes = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, start) = mpsc::channel();
        let counted = Arc::clone(&scrapes);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
                started.send(listener.local_addr().unwrap()).unwrap();
                let source = move || {
                    counted.fetch_add(1, Ordering::Relaxed);
                    body.clone()
                };
                let shutdown = async move {
                    let _stopped = stopped.await;
                };
                serve(listener, source, shutdown, limits).await;
            });
        });
        Self { address: start.recv().unwrap(), scrapes, stop: Some(stop), thread: Some(thread) }
    }

    fn connect(&self) -> Client {
        let client = Client::connect(self.address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client
    }

    /// Sends these bytes and reads until the server closes.
    fn exchange(&self, request: &[u8]) -> String {
        let mut client = self.connect();
        client.write_all(request).unwrap();
        read_to_close(&mut client)
    }

    fn get(&self, path: &str) -> String {
        self.exchange(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn read_to_close(client: &mut Client) -> String {
    let mut bytes = Vec::new();
    match client.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the server did not close"),
    }
    String::from_utf8(bytes).unwrap()
}

/// Times that a test can wait for.
fn short() -> Limits {
    Limits { head_time: Duration::from_secs(1), exchange_time: Duration::from_secs(2), ..Limits::default() }
}

#[test]
fn a_scrape_gets_the_text_and_its_type() {
    let server = Running::start(Limits::default());
    let answer = server.get("/metrics");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nmemtrace_events_total 1\n"), "{answer}");
    assert_eq!(server.scrapes.load(Ordering::Relaxed), 1);
}

#[test]
fn health_index_query_and_unknown_paths_have_their_answers() {
    let server = Running::start(Limits::default());
    assert!(server.get("/healthz").ends_with("\r\n\r\nok\n"));
    assert!(server.get("/").contains("href=\"/metrics\""));
    assert!(server.get("/metrics?a=b").starts_with("HTTP/1.1 200 "));
    assert!(server.get("/metrics/../etc/passwd").starts_with("HTTP/1.1 404 "));
    assert_eq!(server.scrapes.load(Ordering::Relaxed), 1);
}

#[test]
fn head_has_the_length_and_no_body() {
    let server = Running::start(Limits::default());
    let answer = server.exchange(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(answer.contains("content-length: 24\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn other_methods_and_bodies_are_refused() {
    let server = Running::start(Limits::default());
    let post = server.exchange(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    assert!(post.starts_with("HTTP/1.1 405 ") && post.contains("allow: GET, HEAD\r\n"), "{post}");
    let body = server.exchange(b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
    assert!(body.starts_with("HTTP/1.1 413 "), "{body}");
    let chunked = server.exchange(b"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert!(chunked.starts_with("HTTP/1.1 413 "), "{chunked}");
    assert_eq!(server.scrapes.load(Ordering::Relaxed), 0);
}

#[test]
fn garbage_is_cut_and_the_next_client_served() {
    let server = Running::start(Limits::default());
    for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n"]
    {
        let answer = server.exchange(garbage);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert!(server.get("/healthz").starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_head_without_end_is_refused() {
    let server = Running::start(Limits::default());
    let mut request = b"GET /metrics HTTP/1.1\r\nX: ".to_vec();
    request.resize(64 * 1024, b'x');
    let mut client = server.connect();
    // The server may close before it has read everything.
    let _written = client.write_all(&request);
    let answer = read_to_close(&mut client);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200));
    let answer = server.exchange(many.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(server.scrapes.load(Ordering::Relaxed), 0);
}

#[test]
fn a_client_that_stalls_is_cut_and_others_are_served_meanwhile() {
    let server = Running::start(short());
    let mut slow = server.connect();
    slow.write_all(b"G").unwrap();
    let mut silent = server.connect();
    let started = Instant::now();
    assert!(server.get("/metrics").starts_with("HTTP/1.1 200 "));
    let served_after = started.elapsed();
    assert!(!read_to_close(&mut slow).starts_with("HTTP/1.1 200 "));
    read_to_close(&mut silent);
    let cut_after = started.elapsed();
    assert!(served_after < short().head_time, "{served_after:?}");
    assert!(cut_after < Duration::from_secs(10), "{cut_after:?}");
}

#[test]
fn a_client_that_drips_bytes_is_cut_all_the_same() {
    let server = Running::start(short());
    let mut client = server.connect();
    let started = Instant::now();
    let cut = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        client.write_all(b"x").is_err()
    });
    assert!(cut, "still connected after {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_long_answer_arrives_whole() {
    let server = Running::start_with(Limits::default(), Bytes::from(vec![b'x'; 8 << 20]));
    let answer = server.get("/metrics");
    assert_eq!(answer.split("\r\n\r\n").nth(1).map(str::len), Some(8 << 20));
}

#[test]
fn a_source_that_panics_costs_only_its_own_answer() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(bind("127.0.0.1:0".parse().unwrap())).unwrap();
    let address = listener.local_addr().unwrap();
    let source = || panic!("a bug in the source (this test wants it)");
    runtime.spawn(serve(listener, source, std::future::pending(), Limits::default()));
    for (path, expected) in [("/metrics", ""), ("/healthz", "HTTP/1.1 200 OK")] {
        let mut client = Client::connect(address).unwrap();
        client.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        let answer = read_to_close(&mut client);
        assert_eq!(answer.lines().next().unwrap_or_default(), expected);
    }
}

#[test]
fn a_client_that_does_not_read_its_answer_is_cut() {
    let server = Running::start_with(short(), Bytes::from(vec![b'x'; 64 << 20]));
    let mut client = server.connect();
    client.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let mut bytes = Vec::new();
    let _outcome = client.read_to_end(&mut bytes);
    assert!(bytes.len() < 64 << 20, "all of it was sent");
}

#[test]
fn connections_beyond_the_limit_are_closed_at_once_and_slots_come_back() {
    let server = Running::start(Limits { connections: 4, ..short() });
    let mut held: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    // Connections are accepted in order, so these four hold the slots.
    let started = Instant::now();
    for _ in 0..50 {
        let mut refused = server.connect();
        assert_eq!(read_to_close(&mut refused), "");
    }
    assert!(started.elapsed() < short().head_time, "refused after {:?}", started.elapsed());
    for client in &mut held {
        read_to_close(client);
    }
    assert!(server.get("/metrics").starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_hundred_scrapes_in_a_row_and_side_by_side_are_all_served() {
    let server = Running::start(Limits { connections: 128, ..Limits::default() });
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope
                .spawn(|| (0..10).for_each(|_| assert!(server.get("/metrics").starts_with("HTTP/1.1 200 "))));
        }
    });
    assert_eq!(server.scrapes.load(Ordering::Relaxed), 100);
}

#[test]
fn a_second_request_on_a_connection_is_not_answered() {
    let server = Running::start(Limits::default());
    let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3);
    let answer = server.exchange(request.as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 1, "{answer}");
}

#[test]
fn stopping_closes_the_port_and_the_connections() {
    let server = Running::start(Limits::default());
    let address = server.address;
    let mut idle = server.connect();
    assert!(server.get("/healthz").contains("ok"));
    drop(server);
    assert_eq!(read_to_close(&mut idle), "");
    assert!(Client::connect(address).is_err());
}

#[test]
fn a_port_in_use_is_explained() {
    let server = Running::start(Limits::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(bind(ListenAddress(server.address))).unwrap_err().to_string();
    assert!(error.contains("the port is in use") && error.contains("ss -ltnp"), "{error}");
    let foreign = ListenAddress("192.0.2.1:9100".parse().unwrap());
    let error = runtime.block_on(bind(foreign)).unwrap_err();
    assert!(matches!(error, ServeError::NotLocal(_)), "{error}");
}
