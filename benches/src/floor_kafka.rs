//! Floor F1: a hyper server that hands the body to a Kafka producer and answers 202 after its delivery: no linger,
//! `acks=all`, idempotent, as the product promises at QoS auto. Run with 1 and with 5 requests in flight: the better of
//! the two is the floor, because with one partition the first wins and with several the second.

use crate::floor_http;
use anyhow::Context;
use hyper::StatusCode;
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use std::time::Duration;

/// A full queue of the producer is waited for at most this long.
const QUEUE_LIMIT: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Bootstrap servers.
    #[arg(long)]
    kafka: String,
    #[arg(long)]
    topic: String,
    /// Requests to a broker that may wait for their answer.
    #[arg(long)]
    in_flight: u32,
}

/// Listens on a free loopback port, says which, and serves until killed.
pub(crate) async fn serve(args: Args) -> anyhow::Result<()> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &args.kafka)
        .set("linger.ms", "0")
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set("max.in.flight.requests.per.connection", args.in_flight.to_string())
        .create()
        .context("the floor's producer could not be made")?;
    floor_http::serve_with(move |body| {
        let (producer, topic) = (producer.clone(), args.topic.clone());
        async move {
            let record = FutureRecord::<(), [u8]>::to(&topic).payload(&body);
            match producer.send(record, QUEUE_LIMIT).await {
                Ok(_) => StatusCode::ACCEPTED,
                Err(_) => StatusCode::SERVICE_UNAVAILABLE,
            }
        }
    })
    .await
}
