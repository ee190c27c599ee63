//! The floor: the workloads served by plain hyper, without functions, limits or accounting. What Isle costs above this
//! is what running tenants' code costs.

use std::convert::Infallible;
use std::io::{Read, Write};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Error;
use crate::workload::{HELLO, RECORD};

/// Serves on a port of the system's choice until stdin closes. The first line printed is the address.
///
/// # Errors
/// No listener could be had.
pub fn run() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", listener.local_addr()?)?;
    out.flush()?;
    runtime.spawn(accept(listener));
    // whoever started this holds the other end, and ends it by going away
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

async fn accept(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            if stream.set_nodelay(true).is_ok() {
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(answer));
                // a client that leaves in the middle is no news
                connection.await.ok();
            }
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain;charset=UTF-8");
    let (kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/hello") => (TEXT, Bytes::from_static(HELLO.as_bytes())),
        (&Method::GET, "/json") => (JSON, Bytes::from_static(RECORD.as_bytes())),
        (&Method::POST, "/echo") => match request.into_body().collect().await {
            Ok(body) => (JSON, body.to_bytes()),
            Err(_) => return Ok(status(StatusCode::BAD_REQUEST)),
        },
        _ => return Ok(status(StatusCode::NOT_FOUND)),
    };
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
