//! The data plane: stateless nodes that bridge web clients to brokers.

mod alarm;
mod apart;
pub mod app;
mod call;
mod callout;
mod consumers;
pub mod endpoint;
mod entrypoint;
mod expression;
mod failover;
pub mod failure;
mod flow;
mod freemarker;
mod health;
mod http;
mod jolt;
pub mod limiter;
#[cfg(test)]
mod loopback;
pub mod message;
mod meter;
pub mod networks;
mod node;
mod outbound;
mod policy;
mod proxy;
mod push;
mod resource;
mod security;
mod seldom;
mod stop;
pub mod sync;
pub mod table;
mod tls;
pub mod trust;

pub use expression::probe;
