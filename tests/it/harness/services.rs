//! The services that `make test` started, and what one test takes of them: a database or topics of its own.

use super::wait::{SOON, until};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use sqlx::{Connection, PgConnection};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::LazyLock;
use uuid::Uuid;

pub(crate) struct Services {
    /// Administrator's URL of PostgreSQL.
    pub(crate) postgres: String,
    /// `host:port` of Kafka.
    pub(crate) kafka: String,
    /// The port that Kafka's proxied listener advertises and the one it listens on. One test at a time may bind the first.
    pub(crate) kafka_proxied: (u16, SocketAddr),
    /// Folder with Kafka's jars and class data archive, for brokers of a test's own.
    pub(crate) kafka_home: PathBuf,
    /// Folder with Artemis' jars and the class that starts it.
    pub(crate) artemis_home: PathBuf,
    /// Folder for everything this run leaves behind: data, logs, pids.
    pub(crate) run: PathBuf,
}

/// The services of this run; read once.
pub(crate) fn services() -> &'static Services {
    static SERVICES: LazyLock<Services> = LazyLock::new(|| Services {
        postgres: setting("TIDEGATE_TEST_POSTGRES_URL"),
        kafka: setting("TIDEGATE_TEST_KAFKA"),
        kafka_proxied: proxied(&setting("TIDEGATE_TEST_KAFKA_PROXIED")),
        kafka_home: setting("TIDEGATE_TEST_KAFKA_HOME").into(),
        artemis_home: setting("TIDEGATE_TEST_ARTEMIS_HOME").into(),
        run: setting("TIDEGATE_TEST_RUN").into(),
    });
    &SERVICES
}

#[expect(clippy::disallowed_methods, reason = "the one place where a test learns where its services are")]
fn setting(name: &str) -> String {
    match std::env::var(name) {
        Ok(value) => value,
        Err(_) => {
            panic!("{name} is not set: these tests need PostgreSQL and Kafka, run them with `make test`")
        }
    }
}

fn proxied(ports: &str) -> (u16, SocketAddr) {
    let ports: Vec<u16> = ports.split(':').filter_map(|port| port.parse().ok()).collect();
    let [listening, advertised] = ports[..] else { panic!("TIDEGATE_TEST_KAFKA_PROXIED is not `port:port`") };
    (advertised, SocketAddr::from(([127, 0, 0, 1], listening)))
}

/// A name nobody used before, readable in logs.
pub(crate) fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::new_v4().simple())
}

/// An empty folder below this run's, kept until the next run so that a failure can be looked at.
pub(crate) fn folder(prefix: &str) -> PathBuf {
    let folder = services().run.join("it").join(unique(prefix));
    std::fs::create_dir_all(&folder).expect("the run's folder is writable");
    folder
}

/// URL of a new, empty PostgreSQL database. It goes with the server at the end of the run.
pub(crate) async fn database() -> String {
    let (server, _) = services().postgres.rsplit_once('/').expect("the URL names a database");
    let name = format!("it_{}", Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&services().postgres).await.expect("PostgreSQL answers");
    let create = sqlx::AssertSqlSafe(format!("create database {name}"));
    sqlx::raw_sql(create).execute(&mut connection).await.expect("the database is created");
    connection.close().await.expect("the connection closes");
    format!("{server}/{name}")
}

/// A new topic of the shared Kafka.
pub(crate) async fn topic(prefix: &str, partitions: i32) -> String {
    topic_at(&services().kafka, prefix, partitions).await
}

/// A new topic of the Kafka at `bootstrap`; ready to be produced to when this returns.
pub(crate) async fn topic_at(bootstrap: &str, prefix: &str, partitions: i32) -> String {
    let name = unique(prefix);
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .create()
        .expect("an admin client needs no connection");
    let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
    let options = AdminOptions::new().operation_timeout(Some(SOON)).request_timeout(Some(SOON));
    let results = admin.create_topics([&topic], &options).await.expect("Kafka answers the admin client");
    assert!(results.iter().all(Result::is_ok), "topic {name}: {results:?}");
    until(&format!("a leader for every partition of {name}"), SOON, async || {
        let metadata = admin.inner().fetch_metadata(Some(&name), SOON).ok()?;
        let topic = metadata.topics().first()?;
        let led = topic.partitions().iter().filter(|partition| partition.leader() >= 0).count();
        (led == usize::try_from(partitions).expect("not negative")).then_some(())
    })
    .await;
    name
}
