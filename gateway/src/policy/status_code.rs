//! Policy `status-code`: replaces the status of responses.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use async_trait::async_trait;
use definition::api::Settings;
use definition::policy::status_code::StatusCode as Definition;
use definition::violation::Violation;
use http::StatusCode;
use std::collections::HashMap;
use std::sync::Arc;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let mut mappings = HashMap::new();
    for mapping in Definition::parse(settings)?.status_mappings {
        // The range was checked, so that every number is a status.
        if let Ok(status) = StatusCode::from_u16(mapping.output_status_code) {
            mappings.insert(mapping.input_status_code, status);
        }
    }
    Ok(Arc::new(Mapper(mappings)))
}

struct Mapper(HashMap<u16, StatusCode>);

#[async_trait]
impl Policy for Mapper {
    async fn on_response(&self, call: &mut Call) -> Result<Flow, Failure> {
        if let Some(status) = self.0.get(&call.response.status.as_u16()) {
            call.response.status = *status;
        }
        Ok(Flow::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn the_last_mapping_of_a_status_counts() {
        let policy = super::super::sample::build(
            build,
            json!({"statusMappings": [
                {"inputStatusCode": 404, "outputStatusCode": 410},
                {"inputStatusCode": 404, "outputStatusCode": 204},
            ]}),
        );
        let mut call = Call::sample("GET /ctx", &[], "");
        for (before, after) in [(404, 204), (200, 200), (410, 410)] {
            call.response.status = StatusCode::from_u16(before).unwrap();
            policy.on_response(&mut call).await.unwrap();
            assert_eq!(call.response.status.as_u16(), after);
        }
    }
}
