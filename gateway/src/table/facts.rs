//! What expressions and policies may know about a deployed API and its node.

use definition::deployment::ApiDeployment;
use indexmap::IndexMap;
use std::sync::Arc;

/// Facts of one deployed version of an API.
#[derive(Debug, Default)]
pub(crate) struct ApiFacts {
    pub(crate) id: Arc<str>,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) organization: String,
    pub(crate) environment: String,
    /// Values may name other properties as `{{other}}`.
    pub(crate) properties: IndexMap<String, String>,
    /// Names of endpoint groups and of endpoints.
    pub(crate) endpoints: Vec<String>,
    pub(crate) node: Arc<NodeFacts>,
}

/// Facts of this gateway.
#[derive(Debug, Default)]
pub struct NodeFacts {
    pub id: String,
    pub tags: Vec<String>,
    /// Whose endpoints it uses; none: everybody's.
    pub tenant: Option<String>,
}

impl NodeFacts {
    /// Whether it uses an endpoint that is for these tenants; none of them: for all.
    pub(crate) fn serves(&self, tenants: &[String]) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| tenants.is_empty() || tenants.contains(tenant))
    }

    /// Version of the product.
    pub(crate) fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

impl ApiFacts {
    pub(crate) fn new(deployment: &ApiDeployment, node: &Arc<NodeFacts>) -> Self {
        let properties = deployment.properties.iter();
        let groups = deployment.endpoint_groups.iter();
        ApiFacts {
            id: deployment.id.as_str().into(),
            name: deployment.name.clone(),
            version: deployment.api_version.clone(),
            organization: deployment.organization.clone(),
            environment: deployment.environment.clone(),
            properties: properties.map(|property| (property.key.clone(), property.value.clone())).collect(),
            endpoints: groups
                .flat_map(|group| {
                    let endpoints = group.endpoints.iter().map(|endpoint| endpoint.name.clone());
                    std::iter::once(group.name.clone()).chain(endpoints)
                })
                .collect(),
            node: Arc::clone(node),
        }
    }
}
