//! Policy `ssl-enforcement`: refuses requests that did not come over TLS. TLS ends before this gateway, so only a trusted
//! proxy knows.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use crate::trust;
use async_trait::async_trait;
use definition::api::Settings;
use definition::policy::ssl_enforcement::SslEnforcement;
use definition::violation::Violation;
use http::StatusCode;
use std::sync::Arc;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let SslEnforcement { requires_ssl, .. } = SslEnforcement::parse(settings)?;
    Ok(Arc::new(SslEnforcementPolicy { requires_ssl }))
}

struct SslEnforcementPolicy {
    requires_ssl: bool,
}

#[async_trait]
impl Policy for SslEnforcementPolicy {
    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let secure = call.request.trusted_proxy && trust::forwarded_https(&call.request.head.headers);
        if !self.requires_ssl || secure {
            return Ok(Flow::Continue);
        }
        let message = "Access to this resource requires TLS";
        Err(Failure::new(StatusCode::FORBIDDEN, "SSL_ENFORCEMENT_SSL_REQUIRED", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    async fn ask(settings: Value, trusted: bool, scheme: &str) -> u16 {
        let mut call = Call::sample("GET /ctx", &[("X-Forwarded-Proto", scheme)], "");
        call.request.trusted_proxy = trusted;
        let policy = super::super::sample::build(build, settings);
        policy.on_request(&mut call).await.map_or_else(
            |failure| {
                assert_eq!(failure.key.as_deref(), Some("SSL_ENFORCEMENT_SSL_REQUIRED"));
                failure.status.as_u16()
            },
            |_| 200,
        )
    }

    #[tokio::test]
    async fn only_a_trusted_proxy_says_that_it_was_tls() {
        assert_eq!(ask(json!({}), true, "https").await, 200);
        assert_eq!(ask(json!({}), true, "http").await, 403);
        assert_eq!(ask(json!({}), false, "https").await, 403);
        assert_eq!(ask(json!({"requiresSsl": false}), false, "http").await, 200);
    }
}
