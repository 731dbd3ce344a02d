//! Policies for unit tests.

use super::{Factory, Policy, Site};
use crate::endpoint::Shared;
use crate::resource::Resources;
use definition::violation::Violation;
use serde_json::Value;
use std::sync::Arc;

/// A policy of these settings.
pub(super) fn build(factory: Factory, settings: Value) -> Arc<dyn Policy> {
    try_build(factory, &settings).unwrap_or_else(|violations| panic!("{violations:?}"))
}

/// A policy of these settings, or what is wrong with them.
pub(super) fn try_build(factory: Factory, settings: &Value) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let (resources, shared) = (Resources::default(), Shared::default());
    let site = Site { resources: &resources, shared: &shared };
    factory(settings.as_object().expect("an object"), &site)
}
