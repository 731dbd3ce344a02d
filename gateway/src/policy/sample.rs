//! Policies for unit tests.

use super::{Factory, Policy, Site};
use crate::endpoint::Shared;
use crate::resource::Resources;
use crate::table::facts::ApiFacts;
use definition::violation::Violation;
use serde_json::Value;
use std::sync::Arc;

/// A policy of these settings.
pub(super) fn build(factory: Factory, settings: Value) -> Arc<dyn Policy> {
    try_build(factory, &settings).unwrap_or_else(|violations| panic!("{violations:?}"))
}

/// A policy of these settings, or what is wrong with them.
pub(super) fn try_build(factory: Factory, settings: &Value) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let (api, resources, shared) = (Arc::<ApiFacts>::default(), Resources::default(), Shared::default());
    let site = Site { api: &api, resources: &resources, shared: &shared, step: "api-1/flows[0].request[0]" };
    factory(settings.as_object().expect("an object"), &site)
}
