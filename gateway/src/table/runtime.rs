//! One deployed version of an API, ready to serve. Requests and streams hold it for as long as they last.

use super::facts::ApiFacts;
use super::groups::Groups;
use crate::entrypoint::Handler;
use crate::failover::Failover;
use crate::flow::Flows;
use crate::flow::path::PathPattern;
use crate::http::cors::CorsRules;
use crate::http::respond::Templates;
use crate::meter::EntrypointMeter;
use crate::security::{Plan, PushPlan};
use crate::stop::Stop;
use definition::api::{Family, Path, Qos};
use definition::connector::Mode;
use definition::qos::EntrypointKind;
use std::sync::Arc;

/// A deployed API.
pub(crate) struct ApiRuntime {
    pub(crate) facts: Arc<ApiFacts>,
    /// Column of the quality matrix.
    pub(crate) family: Family,
    pub(crate) paths: Vec<Path>,
    /// Those that let callers in, in the order in which they are asked.
    pub(crate) plans: Vec<Plan>,
    /// Those whose subscribers are called.
    pub(crate) push_plans: Vec<PushPlan>,
    pub(crate) flows: Flows,
    /// A request that no flow takes is refused.
    pub(crate) match_required: bool,
    /// Paths with parameters of all flows, with the methods that they are for (none: all).
    pub(crate) path_patterns: Vec<(Vec<String>, Arc<PathPattern>)>,
    /// In the order in which they are asked whether they take a request.
    pub(crate) entrypoints: Vec<DeployedEntrypoint>,
    pub(crate) groups: Arc<Groups>,
    /// Of proxy APIs.
    pub(crate) failover: Option<Failover>,
    pub(crate) templates: Templates,
    /// Of the first HTTP listener that has them.
    pub(crate) cors: Option<CorsRules>,
    /// Ends the streams of this version.
    pub(crate) stop: Arc<Stop>,
    /// Ends what outlives redeploys, when the API is stopped or removed. All versions have the same.
    pub(crate) removed: Arc<Stop>,
}

pub(crate) struct DeployedEntrypoint {
    /// Connector id.
    pub(crate) id: String,
    /// `None`: it passes requests on and knows no messages.
    pub(crate) kind: Option<EntrypointKind>,
    pub(crate) modes: &'static [Mode],
    pub(crate) qos: Qos,
    /// Endpoint or group that takes what callbacks refuse.
    pub(crate) dead_letters: Option<String>,
    pub(crate) handler: Handler,
    pub(crate) meter: Arc<EntrypointMeter>,
}

impl ApiRuntime {
    /// An API that serves nothing.
    #[cfg(test)]
    pub(crate) fn empty(id: &str) -> Self {
        ApiRuntime {
            facts: Arc::new(ApiFacts { id: id.into(), ..ApiFacts::default() }),
            family: Family::Beta,
            paths: Vec::new(),
            plans: Vec::new(),
            push_plans: Vec::new(),
            flows: Flows::default(),
            match_required: false,
            path_patterns: Vec::new(),
            entrypoints: Vec::new(),
            groups: Arc::default(),
            failover: None,
            cors: None,
            templates: Templates::default(),
            stop: Arc::default(),
            removed: Arc::default(),
        }
    }
}
