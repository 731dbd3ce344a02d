//! The management plane: REST, the store, the deploy log and the sync server that streams deployments to gateways.

mod api_keys;
mod apis;
pub mod app;
mod applications;
mod audit;
mod auth;
pub mod clock;
pub mod config;
mod connectors;
pub mod db;
pub mod deploy_log;
mod deployments;
mod entity_tag;
mod environments;
pub mod error;
mod extract;
mod instances;
mod leases;
mod listener;
mod members;
mod metrics;
mod node;
mod openapi;
mod page;
mod plans;
mod plugins;
mod router;
pub mod scope;
pub mod seal;
mod seed;
mod server;
mod subscriptions;
mod swagger;
pub mod sync;
mod urls;
mod users;
pub mod wire;

pub use openapi::openapi;
pub use server::{Running, run, start};

#[cfg(test)]
mod tests;
