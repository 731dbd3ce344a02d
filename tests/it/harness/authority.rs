//! An HTTP server of a test that others ask: a key set, an authorization server. It answers everything alike until it is
//! told otherwise, and counts.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// A running server; it ends with the test's runtime.
pub(crate) struct Authority {
    pub(crate) url: String,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl Authority {
    pub(crate) async fn start(body: &Value) -> Authority {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound address"));
        let (answer, asked) = (Arc::new(Mutex::new(body.to_string())), Arc::<AtomicUsize>::default());
        let (answers, counts) = (Arc::clone(&answer), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (answers, counts) = (Arc::clone(&answers), Arc::clone(&counts));
                let service = service_fn(move |_: Request<Incoming>| {
                    counts.fetch_add(1, Ordering::SeqCst);
                    let body = answers.lock().expect("nobody panics with it").clone();
                    async move { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body)))) }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(tcp), service));
            }
        });
        Authority { url, answer, asked }
    }

    /// What it answers from now on.
    pub(crate) fn answers(&self, body: &Value) {
        *self.answer.lock().expect("nobody panics with it") = body.to_string();
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}
