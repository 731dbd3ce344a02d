//! Policies: one trait, one visible list of factories.

mod assign_attributes;
mod assign_content;
mod cloud_events;
mod json_to_json;
mod json_xml;
mod jwt;
mod latency;
mod limited;
mod media;
mod message_filtering;
mod metrics_reporter;
mod oauth2;
mod quota;
mod rate_limit;
#[cfg(test)]
mod sample;
mod spike_arrest;
mod status_code;
mod transform_headers;
mod transform_queryparams;
mod xml_json;

use crate::call::Call;
use crate::endpoint::Shared;
use crate::failure::Failure;
use crate::message::Message;
use crate::resource::Resources;
use crate::table::facts::ApiFacts;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::violation::Violation;
use std::sync::Arc;

/// One step of a deployed API. Shared by all requests; what it keeps between them is its own.
#[async_trait]
pub(crate) trait Policy: Send + Sync {
    /// What has to be there as a whole before the policy runs in this phase. Bodies are streamed when nobody asks.
    fn needs(&self, _phase: Phase) -> Needs {
        Needs::default()
    }

    /// The request phase.
    async fn on_request(&self, _call: &mut Call) -> Result<Flow, Failure> {
        Ok(Flow::Continue)
    }

    /// The response phase.
    async fn on_response(&self, _call: &mut Call) -> Result<Flow, Failure> {
        Ok(Flow::Continue)
    }

    /// Asked once per connection, before the first message: what the policy keeps for this connection.
    /// `None`: it is the policy itself that sees the messages.
    fn connect(&self, _call: &Call, _phase: Phase) -> Option<Arc<dyn Policy>> {
        None
    }

    /// One message, in the phase publish or subscribe. `None`: the message goes no further; whoever drops it
    /// settles its acknowledgement.
    async fn on_message(
        &self,
        _call: &Call,
        message: Message,
        _phase: Phase,
    ) -> Result<Option<Message>, Failure> {
        Ok(Some(message))
    }
}

/// How a request goes on after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    /// No further step, no endpoint: `call.response` is the answer.
    Interrupt,
}

/// What a policy is built with.
pub(crate) struct Site<'a> {
    pub(crate) api: &'a Arc<ApiFacts>,
    pub(crate) resources: &'a Resources,
    /// What the policies of one gateway share.
    pub(crate) shared: &'a Shared,
    /// Tells one step of the API from another, the same on every gateway: `<api>/<place of the step>`.
    pub(crate) step: &'a str,
}

/// Builds a policy from its settings; errors have paths relative to them.
pub(crate) type Factory = fn(&Settings, &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>>;

/// Every policy that this build runs; paired with `definition::policy::POLICIES` by a test.
pub(crate) static FACTORIES: &[(&str, Factory)] = &[
    ("cloud-events", cloud_events::build),
    ("json-to-json", json_to_json::build),
    ("json-xml", json_xml::build),
    ("jwt", jwt::build),
    ("latency", latency::build),
    ("message-filtering", message_filtering::build),
    ("metrics-reporter", metrics_reporter::build),
    ("oauth2", oauth2::build),
    ("policy-assign-attributes", assign_attributes::build),
    ("policy-assign-content", assign_content::build),
    ("quota", quota::build),
    ("rate-limit", rate_limit::build),
    ("spike-arrest", spike_arrest::build),
    ("status-code", status_code::build),
    ("transform-headers", transform_headers::build),
    ("transform-queryparams", transform_queryparams::build),
    ("xml-json", xml_json::build),
];

/// The factory of a policy id.
pub(crate) fn factory(policy: &str) -> Option<Factory> {
    FACTORIES.iter().find(|(id, _)| *id == policy).map(|(_, factory)| *factory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_specified_policy_has_a_factory_and_back() {
        let specified: Vec<_> = definition::policy::POLICIES.iter().map(|spec| spec.id).collect();
        assert_eq!(FACTORIES.iter().map(|(id, _)| *id).collect::<Vec<_>>(), specified);
    }
}
