//! An HTTP backend of a test's own: it says its name, counts its requests, and misbehaves on command.

use super::ports::free_port;
use super::wait::be_slow;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// Requests to paths that begin with this are checks, and counted apart.
const CHECKS: &str = "/health";

/// A backend; it ends, with its connections, when killed or dropped.
pub(crate) struct Origin {
    name: &'static str,
    port: u16,
    conduct: Arc<Conduct>,
    task: Option<JoinHandle<()>>,
}

struct Conduct {
    status: AtomicU16,
    delay_ms: AtomicU64,
    requests: AtomicU64,
    checks: AtomicU64,
}

impl Origin {
    /// Listens on a free port and answers 200 with `<name> <path> <body>`.
    pub(crate) async fn start(name: &'static str) -> Origin {
        let conduct = Conduct {
            status: AtomicU16::new(200),
            delay_ms: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            checks: AtomicU64::new(0),
        };
        let mut origin = Origin { name, port: free_port(), conduct: Arc::new(conduct), task: None };
        origin.restart().await;
        origin
    }

    /// `http://…` of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Answers with this status from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.conduct.status.store(status, Ordering::Relaxed);
    }

    /// Waits before each answer from now on.
    pub(crate) fn delay(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).expect("a short delay");
        self.conduct.delay_ms.store(delay, Ordering::Relaxed);
    }

    /// Requests so far, health checks not among them.
    pub(crate) fn requests(&self) -> u64 {
        self.conduct.requests.load(Ordering::Relaxed)
    }

    /// Health checks so far.
    pub(crate) fn checks(&self) -> u64 {
        self.conduct.checks.load(Ordering::Relaxed)
    }

    /// Closes the port and every connection.
    pub(crate) async fn kill(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // Ended means that the port is closed; that it was aborted is no news.
            drop(task.await);
        }
    }

    /// Listens again on the same port.
    pub(crate) async fn restart(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.expect("the origin's port is free");
        self.task = Some(tokio::spawn(accept(listener, self.name, Arc::clone(&self.conduct))));
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, name: &'static str, conduct: Arc<Conduct>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let conduct = Arc::clone(&conduct);
                let service = service_fn(move |request| answer(request, name, Arc::clone(&conduct)));
                // A client that goes away is no event here.
                open.spawn(async move {
                    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(client), service).await);
                });
            }
            Some(_ended) = open.join_next(), if !open.is_empty() => {}
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    name: &'static str,
    conduct: Arc<Conduct>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let counter = if path.starts_with(CHECKS) { &conduct.checks } else { &conduct.requests };
    counter.fetch_add(1, Ordering::Relaxed);
    be_slow(Duration::from_millis(conduct.delay_ms.load(Ordering::Relaxed))).await;
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let text = format!("{name} {path} {}", String::from_utf8_lossy(&body));
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() =
        StatusCode::from_u16(conduct.status.load(Ordering::Relaxed)).expect("a status of a test");
    Ok(response)
}
