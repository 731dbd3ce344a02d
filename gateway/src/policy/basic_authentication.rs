//! Policy `policy-basic-authentication`: lets in who one of the API's user lists knows.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use crate::resource::Resource;
use crate::resource::inline_users::Users;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use definition::api::Settings;
use definition::policy::basic_authentication::BasicAuthentication;
use definition::violation::Violation;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::Arc;

/// Builds the policy. A list that is missing would lock everybody out, so that it is refused here.
pub(crate) fn build(settings: &Settings, site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = BasicAuthentication::parse(settings)?;
    let (mut lists, mut violations) = (Vec::new(), Vec::new());
    for (index, name) in settings.authentication_providers.iter().enumerate() {
        match site.resources.get(name) {
            Some(Resource::Users(users)) => lists.push(Arc::clone(users)),
            Some(Resource::Cache(_) | Resource::Oauth2(_)) | None => {
                let message = format!("`{name}` is no enabled resource of this API that knows users");
                let path = format!("authenticationProviders[{index}]");
                violations.push(Violation::new(path, "data.invalid", message));
            }
        }
    }
    if !violations.is_empty() {
        return Err(violations);
    }
    let realm = settings.realm.replace('\\', "\\\\").replace('"', "\\\"");
    let challenge = HeaderValue::from_str(&format!("Basic realm=\"{realm}\""))
        .map_err(|error| vec![Violation::new("realm", "data.invalid", error.to_string())])?;
    Ok(Arc::new(BasicPolicy { lists, challenge }))
}

struct BasicPolicy {
    lists: Vec<Arc<Users>>,
    challenge: HeaderValue,
}

#[async_trait]
impl Policy for BasicPolicy {
    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let sent = credentials(&call.request.head.headers);
        let found = sent.as_ref().and_then(|(user, password)| {
            self.lists.iter().find_map(|users| users.authenticate(user, password))
        });
        let (Some((user, _)), Some(attributes)) = (&sent, found) else {
            let failure = Failure::plain(StatusCode::UNAUTHORIZED, "Unauthorized");
            return Err(failure.header(WWW_AUTHENTICATE, self.challenge.clone()));
        };
        call.attributes.set("user", user.as_str());
        for (name, value) in attributes {
            call.attributes.set(&format!("user.{name}"), value.clone());
        }
        Ok(Flow::Continue)
    }
}

/// User and password of the first header with the scheme `Basic`.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let mut values = headers.get_all(AUTHORIZATION).iter().filter_map(|value| value.to_str().ok());
    let encoded = values.find_map(|value| {
        let (scheme, encoded) = value.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("basic").then(|| encoded.trim())
    })?;
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::endpoint::Shared;
    use crate::resource::Resources;
    use crate::table::facts::ApiFacts;
    use serde_json::{Value, json};

    fn policy(providers: Value) -> Result<Arc<dyn Policy>, Vec<Violation>> {
        let list = |name: &str, users: Value| {
            json!({"name": name, "type": "auth-provider-inline-resource", "enabled": true,
                "configuration": {"users": users}})
        };
        let definitions = json!([
            list("one", json!([{"username": "a", "password": "p:1", "email": "a@h", "roles": ["r"]}])),
            list("two", json!([{"username": "a", "password": "2"}, {"username": "b", "password": "3"}])),
        ]);
        let (api, shared) = (Arc::<ApiFacts>::default(), Shared::default());
        let definitions: Vec<_> = serde_json::from_value(definitions).unwrap();
        let resources = Resources::build(&definitions, &shared).map_err(|_| "resources").unwrap();
        let site = Site { api: &api, resources: &resources, shared: &shared, step: "s" };
        let settings = json!({"authenticationProviders": providers, "realm": "my \"realm\""});
        build(settings.as_object().unwrap(), &site)
    }

    async fn user(authorization: &str) -> Result<Call, Failure> {
        let mut call = Call::sample("GET /ctx", &[("authorization", authorization)], "");
        policy(json!(["one", "two"])).unwrap().on_request(&mut call).await?;
        Ok(call)
    }

    fn basic(pair: &str) -> String {
        format!("bAsIc {}", STANDARD.encode(pair))
    }

    #[tokio::test]
    async fn every_list_is_asked_in_order() {
        let call = user(&basic("a:p:1")).await.unwrap();
        assert_eq!(call.attributes.text("user"), Some("a"));
        assert_eq!(call.attributes.text("user.email"), Some("a@h"));
        assert_eq!(call.attributes.get("user.roles"), Some(&json!(["r"])));
        assert_eq!(user(&basic("a:2")).await.unwrap().attributes.get("user.roles"), None);
        assert_eq!(user(&basic("b:3")).await.unwrap().attributes.text("user"), Some("b"));
    }

    #[tokio::test]
    async fn everybody_else_is_asked_for_a_password() {
        for wrong in [&basic("a:3"), &basic("c:"), &basic("a"), "Basic !", "Bearer x", "Basic"] {
            let failure = user(wrong).await.map(|_| ()).unwrap_err();
            assert_eq!((failure.status.as_u16(), &*failure.message), (401, "Unauthorized"), "{wrong}");
            let headers = failure.details.unwrap().headers;
            assert_eq!(
                headers,
                [(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"my \\\"realm\\\"\""))]
            );
        }
    }

    #[test]
    fn a_list_that_is_missing_is_refused_when_the_api_is_deployed() {
        let wrong = policy(json!(["one", "three"])).err().unwrap();
        assert_eq!(wrong[0].path, "authenticationProviders[1]");
        assert!(sample::try_build(build, &json!({})).is_err());
    }
}
