//! Policy `jwt`: a step that lets requests with a valid token pass.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use crate::security::jwt::Verifier;
use async_trait::async_trait;
use definition::api::Settings;
use definition::violation::Violation;
use std::sync::Arc;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    Ok(Arc::new(JwtPolicy(Verifier::new(settings, site.shared)?)))
}

struct JwtPolicy(Verifier);

#[async_trait]
impl Policy for JwtPolicy {
    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        self.0.check(call).await.map(|()| Flow::Continue)
    }
}
