//! Topics of a run: made fresh, counted by the broker's own end offsets.

use crate::event::PARTITIONS;
use anyhow::Context;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    consumer::{BaseConsumer, Consumer},
};
use std::time::Duration;

/// Deadline of one request to the broker.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// The broker that is measured against.
#[derive(clap::Args, Clone)]
pub(crate) struct Broker {
    /// Bootstrap servers of a real Kafka (figures of an in-memory mock say nothing about one).
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) kafka: String,
}

/// Makes a topic with `PARTITIONS` partitions, named after `purpose` and this run.
pub(crate) async fn create(kafka: &str, purpose: &str) -> anyhow::Result<String> {
    let name = format!("tidegate-bench-{purpose}-{:08x}", rand::random::<u32>());
    let admin: AdminClient<_> = ClientConfig::new().set("bootstrap.servers", kafka).create()?;
    let topic = NewTopic::new(&name, PARTITIONS as i32, TopicReplication::Fixed(1));
    let results = admin
        .create_topics(
            [&topic],
            &AdminOptions::new().operation_timeout(Some(REQUEST_LIMIT)).request_timeout(Some(REQUEST_LIMIT)),
        )
        .await
        .with_context(|| format!("Kafka at {kafka} does not answer"))?;
    for result in results {
        result.map_err(|(topic, code)| anyhow::anyhow!("topic {topic} could not be made: {code}"))?;
    }
    Ok(name)
}

/// Records that the topic holds: the sum of its end offsets (the topic is new and keeps everything).
pub(crate) async fn records(kafka: &str, topic: &str) -> anyhow::Result<u64> {
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", kafka).create()?;
    let topic = topic.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut sum = 0;
        for partition in 0..PARTITIONS as i32 {
            let (_, end) = consumer.fetch_watermarks(&topic, partition, REQUEST_LIMIT)?;
            sum += end.max(0) as u64;
        }
        Ok(sum)
    })
    .await?
}
