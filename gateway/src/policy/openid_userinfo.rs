//! Policy `policy-openid-userinfo`: lets requests pass whose token an authorization server knows a user for, and leaves
//! what it says about that user. The token is the one that an earlier check accepted, else the caller's.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use crate::resource::oauth2::{NoAnswer, Servers};
use crate::security::bearer;
use crate::security::oauth2::challenge;
use async_trait::async_trait;
use definition::api::Settings;
use definition::policy::openid_userinfo::OpenidUserinfo;
use definition::violation::Violation;
use http::StatusCode;
use std::sync::Arc;

/// Attribute with the token that an earlier check accepted.
const TOKEN: &str = "oauth.access_token";
/// Attribute with what the server said, as JSON.
const PAYLOAD: &str = "openid.userinfo.payload";

/// Builds the policy.
pub(crate) fn build(settings: &Settings, site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let OpenidUserinfo { oauth_resource, extract_payload } = OpenidUserinfo::parse(settings)?;
    let servers = Servers::new(oauth_resource, site.resources)?;
    Ok(Arc::new(UserinfoPolicy { servers, extract_payload }))
}

struct UserinfoPolicy {
    servers: Servers,
    extract_payload: bool,
}

#[async_trait]
impl Policy for UserinfoPolicy {
    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let token = call.attributes.text(TOKEN).map(str::to_owned).or_else(|| bearer::find(call));
        let token = token.filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| refused("OPENID_USERINFO_MISSING_ACCESS_TOKEN"))?;
        let (_, server) = self.servers.of(call).ok_or_else(|| refused("OPENID_USERINFO_MISSING_SERVER"))?;
        let payload = server.user_info(&token).await.map_err(|error| match error {
            NoAnswer::Unreadable => refused("OPENID_USERINFO_INVALID_SERVER_RESPONSE"),
            NoAnswer::Unavailable => {
                let (status, key) = (StatusCode::SERVICE_UNAVAILABLE, "OPENID_USERINFO_SERVER_UNAVAILABLE");
                challenge(Failure::new(status, key, "temporarily_unavailable"))
            }
        })?;
        let payload = payload.ok_or_else(|| refused("OPENID_USERINFO_INVALID_ACCESS_TOKEN"))?;
        if self.extract_payload {
            call.attributes.set(PAYLOAD, payload);
        }
        Ok(Flow::Continue)
    }
}

fn refused(key: &'static str) -> Failure {
    challenge(Failure::new(StatusCode::UNAUTHORIZED, key, "Unauthorized"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Shared;
    use crate::resource::Resources;
    use crate::security::sample::Server;
    use pretty_assertions::assert_eq;
    use serde_json::{Value, json};

    fn policy(url: &str, settings: Value, server: Value) -> Arc<dyn Policy> {
        let mut configuration = json!({"authorizationServerUrl": url, "userInfoEndpoint": "/me"});
        configuration.as_object_mut().unwrap().extend(server.as_object().unwrap().clone());
        let resource =
            json!({"name": "server", "type": "oauth2", "enabled": true, "configuration": configuration});
        let (resources, shared) = ([serde_json::from_value(resource).unwrap()], Shared::default());
        let resources = Resources::build(&resources, &shared).unwrap();
        let mut all = json!({"oauthResource": "server"});
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        build(all.as_object().unwrap(), &Site { resources: &resources, shared: &shared }).unwrap()
    }

    /// What became of a request: the payload that was left, or status, key and message of the failure.
    async fn outcome(policy: &Arc<dyn Policy>, line: &str, headers: &[(&str, &str)]) -> String {
        let mut call = Call::sample(line, headers, "");
        match policy.on_request(&mut call).await {
            Ok(_) => call.attributes.text(PAYLOAD).unwrap_or("ok").to_owned(),
            Err(failure) => {
                let challenged = failure.details.is_some_and(|details| !details.headers.is_empty());
                let (status, key) = (failure.status.as_u16(), failure.key.unwrap_or_default());
                format!("{status} {key} {} {challenged}", failure.message)
            }
        }
    }

    const BEARER: &[(&str, &str)] = &[("authorization", "Bearer t")];

    #[tokio::test]
    async fn a_known_token_passes_and_its_user_is_left_when_asked_for() {
        let server = Server::start(&json!({"sub": "jo", "name": "Jo"})).await;
        let plain = policy(&server.url, json!({}), json!({}));
        assert_eq!(outcome(&plain, "GET /ctx", BEARER).await, "ok");
        let (line, headers, body) = server.last();
        assert_eq!((&*line, &*body), ("GET /x/me", ""));
        assert_eq!(headers["authorization"], "Bearer t");
        assert_eq!(headers["accept"], "application/json");
        let extracting =
            policy(&server.url, json!({"extractPayload": true}), json!({"userInfoEndpointMethod": "POST"}));
        let payload = outcome(&extracting, "GET /ctx?access_token=q", &[]).await;
        assert_eq!(payload, r#"{"sub":"jo","name":"Jo"}"#);
        let (line, headers, _) = server.last();
        assert_eq!(line, "POST /x/me");
        assert_eq!(headers["authorization"], "Bearer q");
    }

    #[tokio::test]
    async fn the_token_that_was_accepted_counts() {
        let server = Server::start(&json!({})).await;
        let mut call = Call::sample("GET /ctx", BEARER, "");
        call.attributes.set(TOKEN, "accepted");
        policy(&server.url, json!({}), json!({})).on_request(&mut call).await.unwrap();
        assert_eq!(server.last().1["authorization"], "Bearer accepted");
    }

    #[tokio::test]
    async fn every_refusal_has_its_key() {
        let server = Server::start(&json!({})).await;
        let asking = policy(&server.url, json!({}), json!({}));
        let check = async |headers: &[(&str, &str)], expected: &str| {
            assert_eq!(outcome(&asking, "GET /ctx", headers).await, expected);
        };
        let missing = "401 OPENID_USERINFO_MISSING_ACCESS_TOKEN Unauthorized true";
        check(&[], missing).await;
        check(&[("authorization", "Bearer ")], missing).await;
        check(&[("authorization", "Basic eDp5")], missing).await;
        assert_eq!(server.asked(), 0);
        for status in [400, 401, 403] {
            server.answers(status, &json!({"sub": "jo"}));
            check(BEARER, "401 OPENID_USERINFO_INVALID_ACCESS_TOKEN Unauthorized true").await;
        }
        for status in [302, 404, 500] {
            server.answers(status, &json!({"sub": "jo"}));
            check(BEARER, "503 OPENID_USERINFO_SERVER_UNAVAILABLE temporarily_unavailable true").await;
        }
        server.answers(200, &json!("no object"));
        check(BEARER, "401 OPENID_USERINFO_INVALID_SERVER_RESPONSE Unauthorized true").await;
        let elsewhere = policy(&server.url, json!({"oauthResource": "{('another')}"}), json!({}));
        let expected = "401 OPENID_USERINFO_MISSING_SERVER Unauthorized true";
        assert_eq!(outcome(&elsewhere, "GET /ctx", BEARER).await, expected);
        let nobody = policy("http://127.0.0.1:9", json!({}), json!({}));
        let expected = "503 OPENID_USERINFO_SERVER_UNAVAILABLE temporarily_unavailable true";
        assert_eq!(outcome(&nobody, "GET /ctx", BEARER).await, expected);
    }

    #[test]
    fn a_server_that_is_not_there_is_refused() {
        let fault =
            super::super::sample::try_build(build, &json!({"oauthResource": "nobody"})).err().unwrap();
        let expected = "#/oauthResource: the API has no enabled resource `nobody` of the type oauth2";
        assert_eq!(fault[0].message, expected);
    }
}
