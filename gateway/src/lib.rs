//! The data plane: stateless nodes that bridge web clients to brokers.

pub mod app;
pub mod endpoint;
mod entrypoint;
pub mod failure;
mod http;
#[cfg(test)]
mod loopback;
pub mod message;
mod meter;
mod node;
mod stop;
pub mod sync;
pub mod table;
