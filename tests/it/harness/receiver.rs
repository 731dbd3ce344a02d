//! A webhook receiver of a test's own: keeps what it was sent and answers as the test says.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A listening receiver; it stops with the test.
pub(crate) struct Receiver {
    port: u16,
    kept: Arc<Kept>,
    task: JoinHandle<()>,
}

struct Kept {
    status: AtomicU16,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    /// Answers 200 until it is told otherwise.
    pub(crate) async fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let kept = Arc::new(Kept { status: AtomicU16::new(200), bodies: Arc::default() });
        let task = tokio::spawn({
            let kept = Arc::clone(&kept);
            async move {
                while let Ok((tcp, _)) = listener.accept().await {
                    let kept = Arc::clone(&kept);
                    tokio::spawn(async move {
                        let service = service_fn(move |request| take(Arc::clone(&kept), request));
                        // The gateway ends its connections as it likes.
                        drop(http1::Builder::new().serve_connection(TokioIo::new(tcp), service).await);
                    });
                }
            }
        });
        Receiver { port, kept, task }
    }

    /// Where subscriptions deliver to.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// From now on every call is answered with this status.
    pub(crate) fn answer(&self, status: u16) {
        self.kept.status.store(status, Ordering::SeqCst);
    }

    /// Where the bodies are kept that are answered 2xx.
    pub(crate) fn bodies(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.kept.bodies)
    }

    /// The bodies that were answered 2xx, in order of arrival.
    pub(crate) fn accepted(&self) -> Vec<String> {
        self.kept.bodies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(kept: Arc<Kept>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(|body| body.to_bytes());
    let mut status = kept.status.load(Ordering::SeqCst);
    match body {
        Ok(body) if (200..300).contains(&status) => {
            let body = String::from_utf8_lossy(&body).into_owned();
            kept.bodies.lock().unwrap_or_else(PoisonError::into_inner).push(body);
        }
        Ok(_) => {}
        Err(_) => status = 503,
    }
    let mut response = Response::new(Full::default());
    *response.status_mut() = http::StatusCode::from_u16(status).expect("a status of the test's choice");
    Ok(response)
}
