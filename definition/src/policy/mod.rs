//! Policies: the steps of flows, and the one list that names them all.
//!
//! A policy is one file here with its settings struct (source of schema, defaults and parser) and its `SPEC`, plus one
//! line in `POLICIES`, and one file and one line in the gateway. An id that only stands in `KNOWN_POLICIES` is refused
//! at save as not available; one that stands nowhere does not exist.

use crate::api::{ApiType, Settings};
use crate::connector::settings::SettingsSchema;
use crate::expression::Template;
use crate::token::tokens;
use crate::violation::Violation;

pub mod assign_attributes;
pub mod assign_content;
pub mod basic_authentication;
pub mod cache;
pub mod circuit_breaker;
pub mod cloud_events;
pub mod date_format;
pub mod dynamic_routing;
pub mod generate_jwt;
mod header;
pub mod html_json;
pub mod http_callout;
pub mod http_redirect;
pub mod interrupt;
pub mod ip_filtering;
pub mod json_threat_protection;
pub mod json_to_json;
pub mod json_validation;
pub mod json_xml;
pub mod jwt;
pub mod latency;
pub mod limits;
pub mod message_filtering;
pub mod method;
pub mod metrics_reporter;
pub mod mock;
pub mod oauth2;
pub mod openid_userinfo;
pub mod override_request_method;
pub mod pattern;
pub mod quota;
pub mod rate_limit;
pub mod rbac;
pub mod regex_threat_protection;
pub mod request_content_limit;
pub mod request_validation;
pub mod resource_filtering;
pub mod retry;
pub mod spike_arrest;
pub mod ssl_enforcement;
pub mod status_code;
pub mod traffic_shadowing;
pub mod transform_headers;
pub mod transform_queryparams;
pub mod url_rewriting;
pub mod xml_json;
pub mod xml_threat_protection;

tokens! {
    /// Where a step stands in a flow.
    pub enum Phase {
        /// Once per request or connection, before the endpoint.
        Request = "request",
        /// Once per response, before its body or messages.
        Response = "response",
        /// Each message from the client to the endpoint.
        Publish = "publish",
        /// Each message from the endpoint to the client.
        Subscribe = "subscribe",
    }
}

/// A policy of this build.
#[derive(Debug)]
pub struct PolicySpec {
    pub id: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    /// Phases of proxy APIs in which it may stand.
    pub proxy: &'static [Phase],
    /// Phases of message APIs in which it may stand.
    pub message: &'static [Phase],
    /// Schema of `configuration`.
    pub schema: fn() -> &'static SettingsSchema,
    /// Every fault of complete settings, with paths relative to them.
    pub check: fn(&Settings) -> Vec<Violation>,
}

impl PolicySpec {
    /// The phases in which it may stand in an API of this type.
    pub fn phases(&self, api_type: ApiType) -> &'static [Phase] {
        match api_type {
            ApiType::Message => self.message,
            ApiType::Proxy => self.proxy,
        }
    }
}

/// Every policy that this build runs, in the order of their ids.
pub static POLICIES: &[&PolicySpec] = &[
    &cache::SPEC,
    &cloud_events::SPEC,
    &dynamic_routing::SPEC,
    &html_json::SPEC,
    &http_redirect::SPEC,
    &ip_filtering::SPEC,
    &json_threat_protection::SPEC,
    &json_to_json::SPEC,
    &json_validation::SPEC,
    &json_xml::SPEC,
    &jwt::SPEC,
    &latency::SPEC,
    &message_filtering::SPEC,
    &metrics_reporter::SPEC,
    &mock::SPEC,
    &oauth2::SPEC,
    &assign_attributes::SPEC,
    &assign_content::SPEC,
    &basic_authentication::SPEC,
    &circuit_breaker::SPEC,
    &generate_jwt::SPEC,
    &http_callout::SPEC,
    &interrupt::SPEC,
    &openid_userinfo::SPEC,
    &override_request_method::SPEC,
    &request_validation::SPEC,
    &quota::SPEC,
    &rate_limit::SPEC,
    &rbac::SPEC,
    &regex_threat_protection::SPEC,
    &request_content_limit::SPEC,
    &resource_filtering::SPEC,
    &retry::SPEC,
    &spike_arrest::SPEC,
    &ssl_enforcement::SPEC,
    &status_code::SPEC,
    &traffic_shadowing::SPEC,
    &transform_headers::SPEC,
    &transform_queryparams::SPEC,
    &url_rewriting::SPEC,
    &xml_json::SPEC,
    &xml_threat_protection::SPEC,
];

/// Policies of the field that this build does not run.
pub static KNOWN_POLICIES: &[&str] =
    &["mtls", "javascript", "js", "groovy", "xml-validation", "xslt", "policy-assign-metrics"];

/// Policies that the security of a plan brings with it.
static PLAN_POLICIES: &[&str] = &["api-key", "key-less"];

/// The specification of a policy id, or why a step must not name it.
pub fn policy(id: &str) -> Result<&'static PolicySpec, String> {
    if let Some(spec) = POLICIES.iter().find(|policy| policy.id == id) {
        return Ok(spec);
    }
    let name = crate::reader::quote(id);
    if PLAN_POLICIES.contains(&id) {
        return Err(format!(
            "names the policy {name}, which only the security of a plan can be; remove the step"
        ));
    }
    Err(if KNOWN_POLICIES.contains(&id) {
        format!("names the policy {name}, which is not available in this version; remove the step")
    } else {
        format!("names the unknown policy {name}; remove the step")
    })
}

/// A rule of settings, which may be written without its braces.
fn condition(member: &str, rule: &Template) -> Result<Template, Vec<Violation>> {
    Template::condition(rule.source().trim()).map_err(|error| {
        let message = format!("#/{member}: the expression cannot be read: {error}");
        vec![Violation::new(member, "data.invalid", message)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_available_or_known_and_never_both() {
        for spec in POLICIES {
            assert!(!KNOWN_POLICIES.contains(&spec.id), "{}", spec.id);
        }
        assert!(POLICIES.is_sorted_by_key(|spec| spec.id));
    }

    #[test]
    fn every_schema_describes_its_members() {
        for spec in POLICIES {
            crate::connector::described(spec.id, (spec.schema)().document());
        }
    }
}
