//! `/metrics` and `/healthz`.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::figures::Figures;
use crate::support::http;
use crate::support::memtrace::Memtrace;
use crate::support::poll;
use crate::support::target::Target;

#[test]
fn metrics_agree_with_the_programs_books() {
    let mut program = Target::c("leak", &[]);
    let address = http::free_address();
    let memtrace = Memtrace::follow_with(&program, &["--listen", &address.to_string()]);
    program.go(100);
    let books: Figures = program.books();
    let live_bytes = format!("memtrace_heap_live_bytes{{comm=\"{}\"}}", program.comm());
    poll::wait_until(
        "the metric shows the books",
        || {
            (http::sample(&http::get(address, "/metrics").body, &live_bytes)? == books.live_bytes as f64)
                .then_some(())
        },
        || http::get(address, "/metrics").body,
    );
    let report = memtrace.stop();
    assert_eq!(report.process(program.pid()).figures.live_bytes, books.live_bytes, "JSON says the same");
}

#[test]
fn promtool_has_nothing_to_say_about_the_metrics() {
    let mut program = Target::c("leak", &[]);
    let address = http::free_address();
    let memtrace = Memtrace::follow_with(&program, &["--listen", &address.to_string()]);
    program.go(100);
    let response = http::get(address, "/metrics");
    memtrace.stop();
    assert_eq!(response.status, 200);
    assert!(response.head.to_lowercase().contains("content-type: text/plain"), "{}", response.head);
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed (Debian: apt install prometheus)");
    let mut stdin = promtool.stdin.take().expect("stdin is a pipe");
    stdin.write_all(response.body.as_bytes()).expect("promtool reads");
    drop(stdin);
    let output = promtool.wait_with_output().expect("it is our child");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}\n{}", response.body);
}

#[test]
fn health_is_answered_and_other_paths_are_not_found() {
    let program = Target::c("leak", &[]);
    let address = http::free_address();
    let memtrace = Memtrace::follow_with(&program, &["--listen", &address.to_string()]);
    assert_eq!(http::get(address, "/healthz").status, 200);
    assert_eq!(http::get(address, "/nothing").status, 404);
    memtrace.stop();
}
