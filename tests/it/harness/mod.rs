//! What the tests stand on: the services that `make test` started, brokers and product processes of a test's own, a
//! fault proxy, clients, and one way to wait. A helper panics with a sentence that names what was expected, so that a
//! failing test reads like a report; processes print their logs only then.

pub(crate) mod amqp;
pub(crate) mod amqp10;
pub(crate) mod artemis;
pub(crate) mod authority;
pub(crate) mod backend;
pub(crate) mod certificates;
pub(crate) mod chaos;
pub(crate) mod client;
pub(crate) mod definitions;
pub(crate) mod kafka;
pub(crate) mod kafka_secured;
pub(crate) mod mosquitto;
pub(crate) mod origin;
pub(crate) mod peer;
pub(crate) mod ports;
pub(crate) mod posts;
pub(crate) mod process;
pub(crate) mod rabbitmq;
pub(crate) mod receiver;
pub(crate) mod records;
pub(crate) mod redis;
pub(crate) mod rude;
pub(crate) mod services;
pub(crate) mod stack;
pub(crate) mod streams;
pub(crate) mod wait;
