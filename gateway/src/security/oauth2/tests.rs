//! The step: what becomes of a token, answer by answer.

use super::*;
use crate::endpoint::Shared;
use crate::security::sample::Server;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

/// A step that asks the server of this URL, with these further settings of step and server.
fn introspector(url: &str, settings: Value, server: Value) -> Introspector {
    let mut configuration = json!({"introspectionEndpoint": url});
    configuration.as_object_mut().unwrap().extend(server.as_object().unwrap().clone());
    let resource =
        json!({"name": "server", "type": "oauth2", "enabled": true, "configuration": configuration});
    let resources = [serde_json::from_value(resource).unwrap()];
    let resources = Resources::build(&resources, &Shared::default()).unwrap();
    let mut all = json!({"oauthResource": "server"});
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    Introspector::new(all.as_object().unwrap(), &resources).unwrap()
}

/// `ok`, or status, key and message of the failure.
async fn outcome(introspector: &Introspector, headers: &[(&str, &str)]) -> String {
    match introspector.check(&mut Call::sample("GET /ctx", headers, "")).await {
        Ok(()) => "ok".to_owned(),
        Err(failure) => {
            let challenged = failure.details.is_some_and(|details| !details.headers.is_empty());
            let (status, key) = (failure.status.as_u16(), failure.key.unwrap_or_default());
            format!("{status} {key} {} {challenged}", failure.message)
        }
    }
}

const TOKEN: &[(&str, &str)] = &[("authorization", "Bearer t")];

#[tokio::test]
async fn every_refusal_has_its_key() {
    let server = Server::start(&json!({"scope": "a b"})).await;
    let wanted = json!({"checkRequiredScopes": true, "requiredScopes": ["a", "b"]});
    let step = introspector(&server.url, wanted, json!({}));
    let check = async |headers: &[(&str, &str)], expected: &str| {
        assert_eq!(outcome(&step, headers).await, expected);
    };
    check(TOKEN, "ok").await;
    check(&[], "401 OAUTH2_MISSING_HEADER Unauthorized true").await;
    check(&[("authorization", "Bearer ")], "401 OAUTH2_MISSING_ACCESS_TOKEN Unauthorized true").await;
    server.answers(200, &json!({"active": true, "scp": ["a"]}));
    check(TOKEN, "401 OAUTH2_INSUFFICIENT_SCOPE Unauthorized true").await;
    server.answers(200, &json!({"active": false, "scope": "a b"}));
    check(TOKEN, "401 OAUTH2_INVALID_ACCESS_TOKEN Unauthorized true").await;
    server.answers(200, &json!("no object"));
    check(TOKEN, "401 OAUTH2_INVALID_SERVER_RESPONSE Unauthorized true").await;
    for status in [401, 302, 500] {
        server.answers(status, &json!({"active": true}));
        check(TOKEN, "503 OAUTH2_SERVER_UNAVAILABLE temporarily_unavailable true").await;
    }
    let nobody = introspector("http://127.0.0.1:9/", json!({}), json!({}));
    let unavailable = "503 OAUTH2_SERVER_UNAVAILABLE temporarily_unavailable true";
    assert_eq!(outcome(&nobody, TOKEN).await, unavailable);
    let missing = introspector(&server.url, json!({"oauthResource": "{('another')}"}), json!({}));
    assert_eq!(outcome(&missing, TOKEN).await, "401 OAUTH2_MISSING_SERVER Unauthorized false");
}

#[tokio::test]
async fn the_token_goes_where_the_server_wants_it() {
    let server = Server::start(&json!({})).await;
    let form = json!({"introspectionEndpointMethod": "POST", "tokenIsSuppliedByQueryParam": false,
        "tokenIsSuppliedByFormUrlEncoded": true, "tokenFormUrlEncodedName": "tok", "scopeSeparator": ","});
    assert_eq!(outcome(&introspector(&server.url, json!({}), form), TOKEN).await, "ok");
    let (line, headers, body) = server.last();
    assert_eq!((line.as_str(), body.as_str()), ("POST /x", "tok=t"));
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    assert!(!headers.contains_key("authorization"), "this client has no name");

    let header = json!({"tokenIsSuppliedByQueryParam": false, "tokenIsSuppliedByHttpHeader": true,
        "tokenHeaderName": "X-Token", "clientId": "me", "clientAuthorizationHeaderName": "X-Me",
        "clientAuthorizationHeaderScheme": "Own"});
    assert_eq!(outcome(&introspector(&server.url, json!({}), header), TOKEN).await, "ok");
    let (line, headers, _) = server.last();
    assert_eq!(line, "GET /x");
    assert_eq!(
        (&headers["x-token"], &headers["x-me"]),
        (&"t".parse().unwrap(), &"Own bWU6".parse().unwrap())
    );
}

#[tokio::test]
async fn answers_are_remembered_until_their_token_expires_when_asked_for() {
    let later = crate::consumers::now_ms() / 1000 + 600;
    let server = Server::start(&json!({"exp": later})).await;
    let cached = introspector(&server.url, json!({"oauthCacheResource": "cache"}), json!({}));
    let plain = introspector(&server.url, json!({}), json!({}));
    for (step, asked) in [(&cached, 1), (&cached, 1), (&plain, 2), (&plain, 3)] {
        assert_eq!((outcome(step, TOKEN).await.as_str(), server.asked()), ("ok", asked));
    }
    server.answers(200, &json!({"active": true}));
    let endless = introspector(&server.url, json!({"oauthCacheResource": "cache"}), json!({}));
    for asked in [4, 5] {
        outcome(&endless, TOKEN).await;
        assert_eq!(server.asked(), asked, "nobody knows how long it holds");
    }
}

#[tokio::test]
async fn what_the_server_says_is_left_for_others() {
    let server = Server::start(&json!({"client_id": "c", "sub": "jo", "scp": ["r"]})).await;
    let settings = json!({"extractPayload": true, "propagateAuthHeader": false});
    let step = introspector(&server.url, settings, json!({}));
    let mut call = Call::sample("GET /ctx", TOKEN, "");
    step.check(&mut call).await.unwrap();
    let names = ["oauth.access_token", "oauth.client_id", "user", "oauth.payload"];
    let found = names.map(|name| call.attributes.text(name).unwrap());
    assert_eq!(found, ["t", "c", "jo", r#"{"client_id":"c","sub":"jo","scp":["r"]}"#]);
    assert_eq!(call.attributes.get("user.roles"), Some(&json!(["r"])));
    assert!(call.request.head.headers.is_empty());
}
