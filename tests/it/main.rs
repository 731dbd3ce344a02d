//! Integration tests: the built binary in processes of its own, against real PostgreSQL and Kafka.

mod harness;
