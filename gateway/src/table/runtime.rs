//! One deployed version of an API, ready to serve. Requests and streams hold it for as long as they last.

use super::balancer::Balancer;
use crate::endpoint::Endpoint;
use crate::entrypoint::Entrypoint;
use crate::http::cors::CorsRules;
use crate::http::respond::Templates;
use crate::meter::EntrypointMeter;
use crate::stop::Stop;
use definition::api::{Family, Path, Qos};
use definition::connector::Mode;
use definition::qos::{EndpointKind, EntrypointKind};
use std::sync::Arc;

/// A deployed API.
pub(crate) struct ApiRuntime {
    pub(crate) id: Arc<str>,
    /// Column of the quality matrix.
    pub(crate) family: Family,
    pub(crate) paths: Vec<Path>,
    /// Ids of the plans that let callers in, in the order of choice.
    pub(crate) plans: Vec<String>,
    /// In the order in which they are asked whether they take a request.
    pub(crate) entrypoints: Vec<DeployedEntrypoint>,
    pub(crate) groups: Vec<DeployedGroup>,
    pub(crate) templates: Templates,
    /// Of the first HTTP listener that has them.
    pub(crate) cors: Option<CorsRules>,
    /// Ends the streams of this version.
    pub(crate) stop: Arc<Stop>,
}

pub(crate) struct DeployedEntrypoint {
    pub(crate) kind: EntrypointKind,
    pub(crate) modes: &'static [Mode],
    pub(crate) qos: Qos,
    pub(crate) handler: Box<dyn Entrypoint>,
    pub(crate) meter: Arc<EntrypointMeter>,
}

pub(crate) struct DeployedGroup {
    pub(crate) kind: EndpointKind,
    /// What all of its endpoints have switched on.
    pub(crate) modes: Vec<Mode>,
    pub(crate) balancer: Balancer,
    /// In the order of the balancer.
    pub(crate) endpoints: Vec<Arc<dyn Endpoint>>,
}

impl ApiRuntime {
    /// An endpoint of the first group that has one and serves all these modes, and what kind it is. For an entrypoint
    /// that goes both ways a group that serves one of them is better than none.
    pub(crate) fn endpoint(&self, modes: &[Mode]) -> Option<(EndpointKind, &Arc<dyn Endpoint>)> {
        let whole = self.groups.iter().filter(|group| modes.iter().all(|mode| group.modes.contains(mode)));
        let half = self.groups.iter().filter(|group| modes.iter().any(|mode| group.modes.contains(mode)));
        whole.chain(half).find_map(|group| {
            let endpoint = group.endpoints.get(group.balancer.next()?)?;
            Some((group.kind, endpoint))
        })
    }

    /// An API that serves nothing.
    #[cfg(test)]
    pub(crate) fn empty(id: &str) -> Self {
        ApiRuntime {
            id: id.into(),
            family: Family::Beta,
            paths: Vec::new(),
            plans: Vec::new(),
            entrypoints: Vec::new(),
            groups: Vec::new(),
            cors: None,
            templates: Templates::new(),
            stop: Arc::default(),
        }
    }
}
