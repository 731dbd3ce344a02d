//! Where webhooks deliver to: keeps every message that it took, and takes none while it is closed.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// A listening callback; it ends when dropped.
pub(crate) struct Callback {
    port: u16,
    open: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Callback {
    /// Listens; messages are added to `seen` before they are answered 200.
    pub(crate) async fn start(seen: Arc<Mutex<Vec<String>>>) -> Callback {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let open = Arc::new(AtomicBool::new(true));
        let task = tokio::spawn({
            let open = Arc::clone(&open);
            async move {
                while let Ok((tcp, _)) = listener.accept().await {
                    let (open, seen) = (Arc::clone(&open), Arc::clone(&seen));
                    tokio::spawn(async move {
                        let service =
                            service_fn(move |request| take(Arc::clone(&open), Arc::clone(&seen), request));
                        // The gateway ends its connections as it likes.
                        drop(http1::Builder::new().serve_connection(TokioIo::new(tcp), service).await);
                    });
                }
            }
        });
        Callback { port, open, task: task.abort_handle() }
    }

    /// What subscriptions name.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/callback", self.port)
    }

    /// Whether messages are taken from now on; they are answered 503 otherwise.
    pub(crate) fn open(&self, open: bool) {
        self.open.store(open, Ordering::SeqCst);
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(
    open: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<String>>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(|body| body.to_bytes());
    let mut response = Response::new(Full::default());
    match body {
        Ok(body) if open.load(Ordering::SeqCst) => {
            let payload = String::from_utf8_lossy(&body).into_owned();
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(payload);
        }
        Ok(_) | Err(_) => *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
    }
    Ok(response)
}
