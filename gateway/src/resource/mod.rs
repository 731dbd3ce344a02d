//! Resources of a deployed API, by name: what several of its policies share.

pub(crate) mod cache;
pub(crate) mod inline_users;
pub(crate) mod oauth2;

use crate::endpoint::Shared;
use definition::api::{Resource as Definition, Settings};
use definition::violation::Violation;
use std::collections::HashMap;
use std::sync::Arc;

/// A built resource.
#[derive(Clone)]
pub(crate) enum Resource {
    Cache(Arc<cache::Cache>),
    Users(Arc<inline_users::Users>),
    Oauth2(Arc<oauth2::AuthorizationServer>),
}

/// Builds a resource from its settings; errors have paths relative to them.
pub(crate) type Factory = fn(&Settings, &Shared) -> Result<Resource, Vec<Violation>>;

/// Every kind of resource that this build runs; paired with `definition::resource::RESOURCES` by a test.
pub(crate) static FACTORIES: &[(&str, Factory)] = &[
    ("auth-provider-inline-resource", inline_users::build),
    ("cache", cache::build),
    ("oauth2", oauth2::build),
];

/// The resources of one API.
#[derive(Default)]
pub(crate) struct Resources(HashMap<String, Resource>);

impl Resources {
    /// Builds the enabled ones. Errors: the index of the resource, and what is wrong with it.
    pub(crate) fn build(
        definitions: &[Definition],
        shared: &Shared,
    ) -> Result<Self, (usize, Vec<Violation>)> {
        let mut resources = HashMap::new();
        for (index, definition) in definitions.iter().enumerate().filter(|(_, definition)| definition.enabled)
        {
            let Some((_, factory)) = FACTORIES.iter().find(|(id, _)| *id == definition.resource_type) else {
                let message = format!("`{}` is not available in this version", definition.resource_type);
                return Err((index, vec![Violation::new("type", "data.invalid", message)]));
            };
            let settings = definition.configuration.clone().unwrap_or_default();
            let resource = factory(&settings, shared).map_err(|violations| (index, violations))?;
            resources.insert(definition.name.clone(), resource);
        }
        Ok(Resources(resources))
    }

    /// The authorization servers by name.
    pub(crate) fn authorization_servers(&self) -> HashMap<String, Arc<oauth2::AuthorizationServer>> {
        let servers = self.0.iter().filter_map(|(name, resource)| match resource {
            Resource::Oauth2(server) => Some((name.clone(), Arc::clone(server))),
            Resource::Cache(_) | Resource::Users(_) => None,
        });
        servers.collect()
    }

    /// The resource of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Resource> {
        self.0.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_specified_resource_has_a_factory_and_back() {
        let specified: Vec<_> = definition::resource::RESOURCES.iter().map(|spec| spec.id).collect();
        assert_eq!(FACTORIES.iter().map(|(id, _)| *id).collect::<Vec<_>>(), specified);
    }
}
