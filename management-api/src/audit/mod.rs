//! Who changed what: one row per change, written in the transaction that makes it.

pub(crate) mod store;
