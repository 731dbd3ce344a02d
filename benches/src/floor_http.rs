//! Floor F0: a bare hyper server that reads the body and answers 202. It shows what HTTP alone costs. Floor F1 is the
//! same server with a Kafka producer between the body and the answer.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::future::ready;
use tokio::net::TcpListener;

/// Listens on a free loopback port, says which, and serves until killed.
pub(crate) async fn serve() -> anyhow::Result<()> {
    serve_with(|_| ready(StatusCode::ACCEPTED)).await
}

/// The server on a free loopback port that it prints, with `accept` deciding the status from the body.
pub(crate) async fn serve_with<A, S>(accept: A) -> anyhow::Result<()>
where
    A: Fn(Bytes) -> S + Clone + Send + Sync + 'static,
    S: Future<Output = StatusCode> + Send,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("listening {}", listener.local_addr()?);
    serve_on(listener, accept).await
}

/// The same on a listener that is there already.
pub(crate) async fn serve_on<A, S>(listener: TcpListener, accept: A) -> anyhow::Result<()>
where
    A: Fn(Bytes) -> S + Clone + Send + Sync + 'static,
    S: Future<Output = StatusCode> + Send,
{
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let accept = accept.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let accept = accept.clone();
                async move {
                    let body = request.into_body().collect().await?.to_bytes();
                    let mut response = Response::new(Empty::<Bytes>::new());
                    *response.status_mut() = accept(body).await;
                    Ok::<_, hyper::Error>(response)
                }
            });
            // A client that goes away is no event for a floor.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}
