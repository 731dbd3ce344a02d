//! A backend that speaks HTTP/1.1 and HTTP/2, with and without TLS, and tells how it was spoken to: bodies and trailers
//! come back as they were sent.

use http::{HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A listening backend.
pub(super) struct Echo {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Echo {
    pub(super) async fn start(tls: Option<ServerConfig>) -> Echo {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                match acceptor.clone() {
                    None => drop(tokio::spawn(serve(tcp, false))),
                    Some(acceptor) => drop(tokio::spawn(async move {
                        // A client that does not trust this server is what some tests want.
                        let Ok(stream) = acceptor.accept(tcp).await else { return };
                        let known = stream.get_ref().1.peer_certificates().is_some();
                        serve(stream, known).await;
                    })),
                }
            }
        });
        Echo { address, connections, task }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, known: bool) {
    let service = service_fn(move |request: Request<Incoming>| async move {
        Ok::<_, Infallible>(answer(request, known).await)
    });
    // Both sides may end the connection as they like.
    Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await.ok();
}

type EchoBody = http_body_util::combinators::BoxBody<bytes::Bytes, Infallible>;

async fn answer(request: Request<Incoming>, known: bool) -> Response<EchoBody> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return Response::default() };
    let mut trailers = body.trailers().cloned().unwrap_or_default();
    trailers.insert("x-last", HeaderValue::from_static("1"));
    // Without a length: with one, HTTP/1.1 has no room for trailers.
    let frames = [Frame::data(body.to_bytes()), Frame::trailers(trailers)].map(Ok);
    let body = StreamBody::new(futures::stream::iter(frames));
    let authority = head.uri.authority().map(|authority| authority.to_string());
    let host = head.headers.get("host").and_then(|host| host.to_str().ok()).map(str::to_owned);
    let mut response = Response::new(BodyExt::boxed(body));
    let mut tell = |name: &'static str, value: String| {
        response.headers_mut().insert(name, HeaderValue::try_from(value).unwrap());
    };
    tell("x-version", format!("{:?}", head.version));
    tell("x-host", authority.or(host).unwrap_or_default());
    tell("x-client", known.to_string());
    tell("trailer", "x-last".to_owned());
    if let Some(te) = head.headers.get("te") {
        tell("x-te", te.to_str().unwrap().to_owned());
    }
    response
}
