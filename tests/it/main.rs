//! Integration tests: the built binary in processes of its own, against real PostgreSQL and Kafka.

mod definition_errors;
mod dev;
mod entrypoints;
mod faults;
mod harness;
mod kafka;
mod management;
mod proxy;
mod redeploy;
mod sync;
mod tidy;
