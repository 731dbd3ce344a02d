//! Integration tests: the built binary in processes of its own, against real PostgreSQL, Kafka and Redis.

mod balancing;
mod definition_errors;
mod dev;
mod entrypoints;
mod faults;
mod harness;
mod kafka;
mod limits;
mod management;
mod message_policies;
mod proxy;
mod proxy_policies;
mod push;
mod redeploy;
mod security;
mod sync;
mod tidy;
