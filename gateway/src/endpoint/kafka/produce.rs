//! Publishing: one record per topic over a producer that everybody with the same configuration shares.
//!
//! There is no linger. At most a few requests are on their way to a broker; what arrives during their round trip forms
//! the next batch, per partition. One request at a time would write partitions one after the other, and no limit would
//! make every message a request of its own; measured with four partitions, three at a time is as fast as the better of
//! one and five at every concurrency, at the lowest cost per message.

use super::attributes;
use super::client_config::Confirmation;
use super::connection::Connection;
use super::permits::{Permit, Permits};
use super::producer::{Outgoing, Producer};
use crate::endpoint::PublishContext;
use crate::failure::{Failure, key};
use crate::message::Message;
use definition::api::Qos;
use definition::connector::kafka::{CompressionType, KafkaProducer};
use http::StatusCode;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

type Key = (Connection, CompressionType, Confirmation);

/// Producers of a gateway by effective configuration. One lives as long as an endpoint holds it.
pub(super) struct Producers {
    known: Mutex<HashMap<Key, Weak<Counted>>>,
    permits: Permits,
}

impl Default for Producers {
    fn default() -> Self {
        Producers { known: Mutex::default(), permits: Permits::producers() }
    }
}

/// A producer that counts as long as somebody holds it.
struct Counted {
    producer: Producer,
    _permit: Permit,
}

impl Producers {
    fn get(&self, key: &Key) -> Result<Arc<Counted>, Failure> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counted) =
            known.get(key).and_then(Weak::upgrade).filter(|counted| !counted.producer.is_dead())
        {
            return Ok(counted);
        }
        known.retain(|_, counted| counted.strong_count() > 0);
        let permit = self.permits.take()?;
        let producer = Producer::start(&key.0, key.1, key.2)?;
        let counted = Arc::new(Counted { producer, _permit: permit });
        known.insert(key.clone(), Arc::downgrade(&counted));
        Ok(counted)
    }
}

/// The level decides what a confirmation is worth.
fn confirmation(qos: Qos) -> Confirmation {
    match qos {
        Qos::Auto | Qos::AtLeastOnce => Confirmation::Retried,
        Qos::AtMostOnce => Confirmation::Once,
        Qos::None => Confirmation::Leader,
    }
}

/// The writing side of one endpoint.
pub(super) struct Publisher {
    connection: Connection,
    settings: KafkaProducer,
    producers: Mutex<HashMap<Confirmation, Arc<Counted>>>,
}

impl Publisher {
    pub(super) fn new(connection: Connection, settings: KafkaProducer) -> Publisher {
        Publisher { connection, settings, producers: Mutex::default() }
    }

    fn producer(&self, qos: Qos, shared: &Producers) -> Result<Arc<Counted>, Failure> {
        let confirmation = confirmation(qos);
        let mut own = self.producers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = own.get(&confirmation).filter(|counted| !counted.producer.is_dead()) {
            return Ok(Arc::clone(producer));
        }
        let key = (self.connection.clone(), self.settings.compression_type, confirmation);
        let producer = shared.get(&key)?;
        own.insert(confirmation, Arc::clone(&producer));
        Ok(producer)
    }

    /// Sends `message` to every topic; returns when each record is confirmed, and settles the message's ack then.
    pub(super) async fn publish(
        &self,
        shared: &Producers,
        context: &PublishContext,
        message: Message,
    ) -> Result<(), Failure> {
        if !self.settings.enabled {
            // Success would tell the client that the broker has what was thrown away.
            let text = "No endpoint available: the producer of this API's endpoint is not enabled";
            return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::NO_ENDPOINT_FOUND, text));
        }
        let attributes = &context.attributes;
        let topics = attributes::producer_topics(&message.attributes, attributes, &self.settings.topics)?;
        let record_key = attributes::record_key(&message.attributes, attributes, message.id.as_deref());
        let records: Vec<Outgoing<'_>> = topics
            .iter()
            .map(|topic| Outgoing {
                topic,
                key: record_key.as_deref(),
                headers: &message.headers,
                content: message.content.as_deref(),
            })
            .collect();
        self.producer(context.qos, shared)?.producer.send(&records).await?;
        message.ack.delivered();
        Ok(())
    }
}
