//! Floors of brokers: what HTTP and a broker's own client library cost without a gateway between them. One takes requests and
//! answers 202 after the confirmation, the other writes what it reads to many SSE connections.

use crate::{
    broker::{Address, Broker, Kind, Publish},
    floor_http, floor_sse,
};
use hyper::StatusCode;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

/// Bytes between the reader of the broker and the writer to the audience.
const PIPE_BYTES: usize = 64 * 1024;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    broker: Kind,
    #[arg(long)]
    address: Address,
    #[arg(long)]
    destination: String,
}

impl Args {
    fn broker(&self) -> Broker {
        Broker { kind: self.broker, address: self.address.clone() }
    }
}

/// Takes requests on a free loopback port, says which, and serves until killed.
pub(crate) async fn publish(args: Args) -> anyhow::Result<()> {
    let publisher: Arc<dyn Publish> = args.broker().publisher(&args.destination).await?.into();
    floor_http::serve_with(move |body| {
        let publisher = Arc::clone(&publisher);
        async move {
            let sent = async { publisher.send(body).await?.await };
            if sent.await.is_ok() { StatusCode::ACCEPTED } else { StatusCode::SERVICE_UNAVAILABLE }
        }
    })
    .await
}

/// Writes what it reads to everybody who connects to the loopback port that it prints.
pub(crate) async fn fan_out(args: Args) -> anyhow::Result<()> {
    let mut messages = args.broker().messages(&args.destination).await?;
    let (mut writer, reader) = tokio::io::duplex(PIPE_BYTES);
    tokio::spawn(async move {
        while let Some(message) = messages.receiver.recv().await {
            if writer.write_all(&message).await.is_err() {
                return;
            }
        }
    });
    floor_sse::serve_from(reader).await
}
