//! Every broker: publishing through the gateway beside the broker's own client library, and one subscription to many SSE clients.

use crate::{
    broker::{Address, Broker, Kind},
    broker_fanout, broker_publish, fanout,
    report::Row,
    rig::Rig,
    stack::{self, Stack},
};
use anyhow::Context;

/// Files that load, broker connections and pipes need at most, beside the audiences.
const CONNECTIONS_MAX: u64 = 1_000;
/// Audiences that are connected at once: the floor's and the product's.
const AUDIENCES: u64 = 2;

/// POST to brokers and one subscription to many SSE clients, beside HTTP with the broker's client library alone.
///
/// Publishing: 200-byte JSON, answered after the broker's confirmation (Kafka acks=all, MQTT PUBACK, RabbitMQ persistent and
/// mandatory with publisher confirms, AMQP 1.0 durable and accepted); every 202 is compared with what the broker got. Reading:
/// QoS none, paced and in bursts; every reader checks every event. Brokers whose address is missing are left out. Takes about
/// three minutes per broker.
#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    /// Bootstrap servers of a Kafka.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) kafka: Option<Address>,
    /// An MQTT 5 broker.
    #[arg(long, value_name = "[USER:PASSWORD@]HOST:PORT")]
    pub(crate) mqtt: Option<Address>,
    /// A RabbitMQ, virtual host `/`.
    #[arg(long, value_name = "USER:PASSWORD@HOST:PORT")]
    pub(crate) rabbitmq: Option<Address>,
    /// An AMQP 1.0 broker with topics.
    #[arg(long, value_name = "[USER:PASSWORD@]HOST:PORT")]
    pub(crate) amqp: Option<Address>,
    #[command(flatten)]
    pub(crate) product: stack::Product,
    /// Numbers of connections that publish.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    pub(crate) connections: Vec<usize>,
    /// SSE clients per contender.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) clients: usize,
    #[command(flatten)]
    pub(crate) pace: fanout::Pace,
    /// Leave publishing out.
    #[arg(long)]
    pub(crate) no_publish: bool,
    /// Leave reading out.
    #[arg(long)]
    pub(crate) no_fanout: bool,
}

impl Args {
    fn brokers(&self) -> Vec<Broker> {
        let addresses = [
            (Kind::Kafka, &self.kafka),
            (Kind::Mqtt, &self.mqtt),
            (Kind::Rabbitmq, &self.rabbitmq),
            (Kind::Amqp, &self.amqp),
        ];
        let given = |(kind, address): (Kind, &Option<Address>)| {
            address.clone().map(|address| Broker { kind, address })
        };
        addresses.into_iter().filter_map(given).collect()
    }
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Vec<Row>> {
    let brokers = args.brokers();
    anyhow::ensure!(!brokers.is_empty(), "no broker: name one with --kafka, --mqtt, --rabbitmq or --amqp");
    let rig = Rig::prepare(CONNECTIONS_MAX + AUDIENCES * args.clients as u64)?;
    let mut stack = Stack::start(&rig, &args.product).await?;
    let mut rows = Vec::new();
    for broker in brokers {
        let title = broker.kind.title();
        if !args.no_publish {
            rows.extend(broker_publish::run(&args, &rig, &mut stack, &broker).await.context(title)?);
        }
        if !args.no_fanout {
            rows.extend(broker_fanout::run(&args, &rig, &mut stack, &broker).await.context(title)?);
        }
    }
    stack.stop().await?;
    Ok(rows)
}
