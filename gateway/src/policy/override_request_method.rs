//! Policy `policy-override-request-method`: what the backend is asked with. The request keeps its method until then, so
//! that flows are chosen by what the client sent.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use crate::proxy;
use async_trait::async_trait;
use definition::api::Settings;
use definition::policy::method::Method;
use definition::policy::override_request_method::OverrideRequestMethod;
use definition::violation::Violation;
use std::sync::Arc;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    Ok(Arc::new(OverridePolicy(OverrideRequestMethod::parse(settings)?.method)))
}

struct OverridePolicy(Method);

#[async_trait]
impl Policy for OverridePolicy {
    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        call.attributes.set(proxy::METHOD, self.0.label());
        Ok(Flow::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn the_method_is_left_for_the_backend() {
        let mut call = Call::sample("GET /ctx", &[], "");
        let policy = sample::build(build, json!({"method": "put"}));
        assert_eq!(policy.on_request(&mut call).await.unwrap(), Flow::Continue);
        assert_eq!(call.attributes.text("request.method"), Some("PUT"));
        assert_eq!(call.request.head.method, "GET");
        assert!(sample::try_build(build, &json!({"method": "FETCH"})).is_err());
    }
}
