//! Endpoint `kafka`.
use super::{Endpoint, FactoryError, Settings, Shared};
use std::sync::Arc;

/// Producers and shared fetches of one gateway.
#[derive(Default)]
pub struct Clients;

/// Builds the endpoint.
pub fn build(_name: &str, _settings: &Settings, _shared: &Shared) -> Result<Arc<dyn Endpoint>, FactoryError> {
    Err(FactoryError { path: String::new(), message: "not built yet".into() })
}
