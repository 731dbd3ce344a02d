//! The brokers under test.

pub(crate) mod kafka;
pub(crate) mod mosquitto;
pub(crate) mod rabbitmq;
pub(crate) mod solace;
