//! Integration tests: the built binary in processes of its own, against real PostgreSQL and Kafka.

mod balancing;
mod definition_errors;
mod dev;
mod entrypoints;
mod faults;
mod harness;
mod kafka;
mod management;
mod message_policies;
mod redeploy;
mod security;
mod sync;
mod tidy;
