//! The data plane: stateless nodes that bridge web clients to brokers.

pub mod endpoint;
pub mod failure;
pub mod message;
