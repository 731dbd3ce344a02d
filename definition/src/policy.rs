//! Policies: the steps of flows. None runs in this version, so every step is refused with its name.

/// A policy of this build.
#[derive(Debug)]
pub struct PolicySpec {
    pub id: &'static str,
    pub name: &'static str,
}

/// Every policy that this build runs.
pub static POLICIES: &[&PolicySpec] = &[];

/// Policies of the field that this build does not run.
pub static KNOWN_POLICIES: &[&str] = &[
    "api-key",
    "key-less",
    "jwt",
    "oauth2",
    "mtls",
    "message-filtering",
    "transform-headers",
    "policy-assign-attributes",
    "policy-assign-content",
    "json-xml",
    "xml-json",
    "json-to-json",
    "mock",
    "policy-interrupt",
    "latency",
    "rate-limit",
    "quota",
    "spike-arrest",
    "ip-filtering",
    "policy-request-validation",
    "json-validation",
    "request-content-limit",
    "resource-filtering",
    "policy-http-callout",
    "dynamic-routing",
    "cache",
    "policy-generate-jwt",
    "policy-override-request-method",
    "url-rewriting",
    "retry",
    "policy-circuit-breaker",
    "javascript",
    "js",
    "groovy",
    "policy-basic-authentication",
    "cloud-events",
    "json-threat-protection",
    "xml-threat-protection",
    "regex-threat-protection",
    "traffic-shadowing",
    "metrics-reporter",
    "transform-queryparams",
    "status-code",
    "http-redirect",
    "rbac",
    "ssl-enforcement",
    "policy-openid-userinfo",
    "xml-validation",
    "html-json",
    "xslt",
    "policy-assign-metrics",
];

/// What a policy id means: `None` when this build runs it, else why it is refused.
pub fn refusal(id: &str) -> Option<String> {
    if POLICIES.iter().any(|policy| policy.id == id) {
        return None;
    }
    let name = crate::reader::quote(id);
    Some(if KNOWN_POLICIES.contains(&id) {
        format!("names the policy {name}, which is not available in this version; remove the step")
    } else {
        format!("names the unknown policy {name}; remove the step")
    })
}
