//! Integration tests: the built binary in processes of its own, against real PostgreSQL, Kafka, Mosquitto, RabbitMQ, Artemis
//! and Redis.

mod balancing;
mod contract;
mod definition_errors;
mod dev;
mod entrypoints;
mod faults;
mod harness;
mod kafka;
mod kafka_security;
mod kafka_settings;
mod limits;
mod management;
mod message_policies;
mod mqtt5;
mod mqtt5_faults;
mod mqtt5_security;
mod proxy;
mod proxy_policies;
mod push;
mod rabbitmq;
mod rabbitmq_faults;
mod rabbitmq_unreadable;
mod redeploy;
mod security;
mod solace;
mod solace_faults;
mod sync;
mod tidy;
mod webhook;
