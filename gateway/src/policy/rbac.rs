//! Policy `rbac`: lets callers in by their roles, which an earlier policy or the plan found out.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use async_trait::async_trait;
use definition::api::Settings;
use definition::policy::rbac::Rbac;
use definition::violation::Violation;
use http::StatusCode;
use serde_json::Value;
use std::sync::Arc;

/// Attribute with the roles of the caller.
const ROLES: &str = "user.roles";

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let Rbac { roles, strict } = Rbac::parse(settings)?;
    Ok(Arc::new(RbacPolicy { roles, strict }))
}

struct RbacPolicy {
    roles: Vec<String>,
    strict: bool,
}

#[async_trait]
impl Policy for RbacPolicy {
    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let roles = match call.attributes.get(ROLES) {
            None | Some(Value::Null) => return Err(no_role()),
            Some(Value::Array(roles)) => roles.iter().map(Value::as_str).collect::<Option<Vec<_>>>(),
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => None,
        };
        let roles = roles.ok_or_else(|| {
            let message = "The roles of the user cannot be read";
            Failure::new(StatusCode::BAD_REQUEST, "RBAC_INVALID_USER_ROLES", message)
        })?;
        if roles.is_empty() {
            return Err(no_role());
        }
        let has = |role: &String| roles.contains(&role.as_str());
        let admitted = match self.strict {
            true => self.roles.iter().all(has),
            false => self.roles.is_empty() || self.roles.iter().any(has),
        };
        if admitted {
            return Ok(Flow::Continue);
        }
        let message = "The user is not allowed to access this resource";
        Err(Failure::new(StatusCode::FORBIDDEN, "RBAC_FORBIDDEN", message))
    }
}

fn no_role() -> Failure {
    Failure::new(StatusCode::FORBIDDEN, "RBAC_NO_USER_ROLE", "The user has no role")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    async fn ask(settings: &Value, roles: Option<Value>) -> String {
        let mut call = Call::sample("GET /ctx", &[], "");
        if let Some(roles) = roles {
            call.attributes.set(ROLES, roles);
        }
        let policy = super::super::sample::build(build, settings.clone());
        policy.on_request(&mut call).await.map_or_else(
            |failure| format!("{} {}", failure.status.as_u16(), failure.key.unwrap()),
            |_| "in".to_owned(),
        )
    }

    #[tokio::test]
    async fn all_roles_are_needed_or_one() {
        let strict = json!({"roles": ["a", "b"]});
        assert_eq!(ask(&strict, Some(json!(["b", "c", "a"]))).await, "in");
        assert_eq!(ask(&strict, Some(json!(["a"]))).await, "403 RBAC_FORBIDDEN");
        let lenient = json!({"roles": ["a", "b"], "strict": false});
        assert_eq!(ask(&lenient, Some(json!(["a"]))).await, "in");
        assert_eq!(ask(&lenient, Some(json!(["c"]))).await, "403 RBAC_FORBIDDEN");
        assert_eq!(ask(&json!({}), Some(json!(["c"]))).await, "in");
    }

    #[tokio::test]
    async fn roles_must_be_known() {
        let any = json!({"roles": ["a"]});
        assert_eq!(ask(&any, None).await, "403 RBAC_NO_USER_ROLE");
        assert_eq!(ask(&any, Some(json!([]))).await, "403 RBAC_NO_USER_ROLE");
        assert_eq!(ask(&any, Some(json!("a"))).await, "400 RBAC_INVALID_USER_ROLES");
        assert_eq!(ask(&any, Some(json!([1]))).await, "400 RBAC_INVALID_USER_ROLES");
    }
}
