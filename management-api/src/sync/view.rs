//! Who gets what: the environments and, by sharding tags, the resources that concern one gateway.

use super::state::{Content, Entry, Key};
use crate::scope::Scope;
use definition::deployment::KIND_API;
use std::collections::{BTreeMap, BTreeSet};

/// What a gateway is sent: by its sharding tags and by the kinds of resources that it knows. Two gateways with equal
/// views hold the same resources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct NodeView {
    pub(crate) tags: BTreeSet<String>,
    /// Kinds that it declared beside APIs, which every gateway gets: a build that cannot read one has to refuse it
    /// visibly, and a build that has never heard of a kind has no use for it.
    pub(crate) kinds: BTreeSet<String>,
}

impl NodeView {
    /// The content that the gateway must hold of a resource, if any.
    pub(crate) fn sees<'a>(&self, key: &Key, entry: &'a Entry) -> Option<&'a Content> {
        let known = &*key.kind == KIND_API || self.kinds.contains(&*key.kind);
        entry.content.as_ref().filter(|_| known && tags_match(&self.tags, &entry.tags))
    }
}

/// What a build can read: resource kinds with their lowest and highest schema version. Other content is announced
/// without its body, so that the gateway refuses it visibly and keeps what it serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Capabilities(pub(crate) BTreeMap<String, (u32, u32)>);

impl Capabilities {
    pub(crate) fn can_read(&self, kind: &str, schema_version: u32) -> bool {
        self.0.get(kind).is_some_and(|(min, max)| (*min..=*max).contains(&schema_version))
    }
}

/// A gateway without tags takes everything, a resource without tags goes everywhere, else one tag must be common.
pub(crate) fn tags_match(gateway: &BTreeSet<String>, resource: &[String]) -> bool {
    gateway.is_empty() || resource.is_empty() || resource.iter().any(|tag| gateway.contains(tag))
}

/// Which environments a gateway serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Territory {
    /// Empty: every organization.
    pub(crate) organization: String,
    /// Ids, or `<organization>/<id>`; empty: every environment.
    pub(crate) environments: Vec<String>,
}

impl Territory {
    pub(crate) fn contains(&self, scope: &Scope) -> bool {
        let name = name(scope);
        (self.organization.is_empty() || self.organization == scope.organization)
            && (self.environments.is_empty()
                || self.environments.iter().any(|wanted| *wanted == scope.environment || *wanted == name))
    }
}

/// The name of an environment on the wire.
pub(crate) fn name(scope: &Scope) -> String {
    format!("{}/{}", scope.organization, scope.environment)
}

/// Reads the name of an environment back.
pub(crate) fn scope(name: &str) -> Option<Scope> {
    let (organization, environment) = name.split_once('/')?;
    Some(Scope { organization: organization.to_owned(), environment: environment.to_owned() })
}
