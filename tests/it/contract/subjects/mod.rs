//! The brokers under test.

pub(crate) mod kafka;
