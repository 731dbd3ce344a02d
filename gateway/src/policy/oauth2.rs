//! Policy `oauth2`: a step that lets requests pass whose token an authorization server vouches for.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use crate::security::oauth2::Introspector;
use async_trait::async_trait;
use definition::api::Settings;
use definition::violation::Violation;
use std::sync::Arc;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    Ok(Arc::new(Oauth2Policy(Introspector::new(settings, site.resources)?)))
}

struct Oauth2Policy(Introspector);

#[async_trait]
impl Policy for Oauth2Policy {
    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        self.0.check(call).await.map(|()| Flow::Continue)
    }
}
