//! Which answer a request gets.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, Request, Response, StatusCode};

/// The body of an answer: it is ready when the answer is.
pub(super) type Answer = Full<Bytes>;

const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT_TYPE: &str = "text/plain; charset=utf-8";
const HTML_TYPE: &str = "text/html; charset=utf-8";

const INDEX: &str = "<!doctype html><html lang=\"en\"><title>memtrace</title><h1>memtrace</h1>\
<p><a href=\"/metrics\">/metrics</a> for Prometheus, <a href=\"/healthz\">/healthz</a> for probes</p></html>\n";

/// The answer. HEAD is answered like GET; hyper leaves the body out and keeps its length.
pub(super) fn respond<B: Body>(request: &Request<B>, metrics: &impl Fn() -> Bytes) -> Response<Answer> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    if !request.body().is_end_stream() {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "requests have no body here\n");
    }
    match request.uri().path() {
        "/metrics" => answer(StatusCode::OK, METRICS_TYPE, metrics()),
        "/healthz" => plain(StatusCode::OK, "ok\n"),
        "/" => answer(StatusCode::OK, HTML_TYPE, Bytes::from_static(INDEX.as_bytes())),
        _ => plain(StatusCode::NOT_FOUND, "not found: try /metrics or /healthz\n"),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Answer> {
    answer(status, TEXT_TYPE, Bytes::from_static(text.as_bytes()))
}

fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Answer> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
