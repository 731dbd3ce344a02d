//! The cases, each written once for every subject.

pub(crate) mod client;
pub(crate) mod gateway;
pub(crate) mod levels;
pub(crate) mod link;
pub(crate) mod publish;
pub(crate) mod restart;
