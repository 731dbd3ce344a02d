//! Questions to a cluster outside of any stream: whether it answers this connection, and whether topics exist.
//!
//! Many endpoints may have one connection, so an answer counts for all of them for a moment. A client of the library
//! is made for each question, on a thread that may block, and counts as a consumer does.

use super::Clients;
use super::client_config;
use super::connection::Connection;
use super::consumer::{self, Linked as _, ReaderContext};
use super::topics::Topics;
use crate::failure::Failure;
use moka::future::Cache;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An answer counts for this long.
const FRESH: Duration = Duration::from_secs(3);
/// Connections whose answers are kept.
const ANSWERS_MAX: u64 = 1_024;
/// One question to the brokers while they are sought.
const QUESTION: Duration = Duration::from_millis(500);

/// Answers of a moment ago, by connection.
pub(super) struct Answers(Cache<Connection, Result<(), Failure>>);

impl Default for Answers {
    fn default() -> Self {
        Answers(Cache::builder().max_capacity(ANSWERS_MAX).time_to_live(FRESH).build())
    }
}

impl Answers {
    /// Whether a cluster answers this connection.
    pub(super) async fn get(&self, clients: &Arc<Clients>, connection: &Connection) -> Result<(), Failure> {
        let asking = ask(clients, connection, |client, patience| {
            let begun = Instant::now();
            while begun.elapsed() < patience {
                consumer::serve_events(client, Duration::ZERO)?;
                if client.fetch_metadata(None, QUESTION).is_ok() {
                    return Ok(());
                }
                let cause = client.context().link().cause();
                if cause.is_precise() {
                    return Err(cause.failure());
                }
            }
            Err(client.context().link().find_cause().failure())
        });
        self.0.get_with(connection.clone(), asking).await
    }
}

/// Refuses topics that do not exist, before anything is read.
///
/// # Errors
/// 404, or why nobody can say.
pub(super) async fn exist(
    clients: &Arc<Clients>,
    connection: &Connection,
    topics: Topics,
) -> Result<(), Failure> {
    ask(clients, connection, move |client, patience| {
        match consumer::connect(client, &topics, patience, || true)? {
            Some(found) if found.is_empty() => Err(consumer::topic_not_found()),
            Some(_) | None => Ok(()),
        }
    })
    .await
}

async fn ask(
    clients: &Arc<Clients>,
    connection: &Connection,
    question: impl FnOnce(&BaseConsumer<ReaderContext>, Duration) -> Result<(), Failure> + Send + 'static,
) -> Result<(), Failure> {
    let permit = clients.permits.take()?;
    let connection = connection.clone();
    let asked = tokio::task::spawn_blocking(move || {
        let config = client_config::probe(&connection);
        let client = BaseConsumer::from_config_and_context(&config, ReaderContext::new(&connection))
            .map_err(|error| client_config::refused(&error))?;
        let answer = question(&client, consumer::START);
        drop(permit);
        answer
    });
    asked.await.unwrap_or_else(|_| Err(Failure::unexpected()))
}
