//! The bodies of the REST API as its OpenAPI document describes them.
//!
//! Requests are read by `definition`, which accepts more than one spelling and reports every violation at once; these
//! types exist to be shown to people and to generators, in the spelling that answers use.

mod api;
mod api_key;
mod application;
mod connector;
mod endpoint;
mod error;
mod flow;
mod listener;
mod node;
mod params;
mod plan;
mod plugin;
mod subscription;
mod tokens;
mod v2;

pub use api::*;
pub use api_key::*;
pub use application::*;
pub use connector::*;
pub use endpoint::*;
pub use error::*;
pub use flow::*;
pub use listener::*;
pub use node::*;
pub use params::*;
pub use plan::*;
pub use plugin::*;
pub use subscription::*;
pub use tokens::*;
pub use v2::*;
