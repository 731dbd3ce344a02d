//! Policies: one trait, one visible list of factories.

mod assign_attributes;
mod assign_content;
mod basic_authentication;
mod cache;
mod circuit_breaker;
mod cloud_events;
mod dynamic_routing;
mod evaluate;
pub(crate) mod generate_jwt;
mod html_json;
mod http_callout;
mod http_redirect;
mod interrupt;
mod ip_filtering;
mod json_threat_protection;
mod json_to_json;
mod json_validation;
mod json_xml;
mod jwt;
mod latency;
#[cfg(test)]
mod layered;
mod limited;
mod media;
mod message_filtering;
mod metrics_reporter;
mod mock;
mod oauth2;
mod openid_userinfo;
mod override_request_method;
mod quota;
mod rate_limit;
mod rbac;
mod regex_threat_protection;
mod request_content_limit;
mod request_validation;
mod resource_filtering;
mod retry;
#[cfg(test)]
mod sample;
mod spike_arrest;
mod ssl_enforcement;
mod status_code;
mod traffic_shadowing;
mod transform_headers;
mod transform_queryparams;
mod url_rewriting;
mod xml_json;
mod xml_threat_protection;

use crate::call::Call;
use crate::endpoint::Shared;
use crate::failure::Failure;
use crate::message::Message;
use crate::resource::Resources;
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
    pub(crate) resources: &'a Resources,
    /// What the policies of one gateway share.
    pub(crate) shared: &'a Shared,
}

/// Builds a policy from its settings; errors have paths relative to them.
pub(crate) type Factory = fn(&Settings, &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>>;

/// Every policy that this build runs; paired with `definition::policy::POLICIES` by a test.
pub(crate) static FACTORIES: &[(&str, Factory)] = &[
    ("cache", cache::build),
    ("cloud-events", cloud_events::build),
    ("dynamic-routing", dynamic_routing::build),
    ("html-json", html_json::build),
    ("http-redirect", http_redirect::build),
    ("ip-filtering", ip_filtering::build),
    ("json-threat-protection", json_threat_protection::build),
    ("json-to-json", json_to_json::build),
    ("json-validation", json_validation::build),
    ("json-xml", json_xml::build),
    ("jwt", jwt::build),
    ("latency", latency::build),
    ("message-filtering", message_filtering::build),
    ("metrics-reporter", metrics_reporter::build),
    ("mock", mock::build),
    ("oauth2", oauth2::build),
    ("policy-assign-attributes", assign_attributes::build),
    ("policy-assign-content", assign_content::build),
    ("policy-basic-authentication", basic_authentication::build),
    ("policy-circuit-breaker", circuit_breaker::build),
    ("policy-generate-jwt", generate_jwt::build),
    ("policy-http-callout", http_callout::build),
    ("policy-interrupt", interrupt::build),
    ("policy-openid-userinfo", openid_userinfo::build),
    ("policy-override-request-method", override_request_method::build),
    ("policy-request-validation", request_validation::build),
    ("quota", quota::build),
    ("rate-limit", rate_limit::build),
    ("rbac", rbac::build),
    ("regex-threat-protection", regex_threat_protection::build),
    ("request-content-limit", request_content_limit::build),
    ("resource-filtering", resource_filtering::build),
    ("retry", retry::build),
    ("spike-arrest", spike_arrest::build),
    ("ssl-enforcement", ssl_enforcement::build),
    ("status-code", status_code::build),
    ("traffic-shadowing", traffic_shadowing::build),
    ("transform-headers", transform_headers::build),
    ("transform-queryparams", transform_queryparams::build),
    ("url-rewriting", url_rewriting::build),
    ("xml-json", xml_json::build),
    ("xml-threat-protection", xml_threat_protection::build),
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
