//! Who may call, from the REST call of the publisher to the answer of the gateways.

use crate::harness::authority::Authority;
use crate::harness::client::{Answer, http};
use crate::harness::definitions::{all_entrypoints, api, mock};
use crate::harness::stack::{Gateway, Stack, Store};
use crate::harness::streams::Sse;
use crate::harness::wait::{SOON, until, within};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Time in which a change of access is in effect on every gateway, from the answer of management on.
const EFFECT_MAX: Duration = Duration::from_millis(300);

/// A subscription as the publisher sees it.
struct Subscription {
    path: String,
}

impl Stack {
    /// An API at `/m` with one plan of this security; the ids of both.
    async fn secured(&self, changes: impl FnOnce(&mut Value), security: &Value) -> (String, String) {
        let definition = api("/m", &all_entrypoints(), &mock("{\"a\":1}", 10, None));
        let api = self.client.create_api(&definition).await;
        self.client.change_api(&api, changes).await;
        let plan = self.plan(&api, security).await;
        self.client.start(&api).await;
        self.serves("/m").await;
        (api, plan)
    }

    async fn plan(&self, api: &str, security: &Value) -> String {
        let plan = json!({"name": "p", "description": "d", "status": "PUBLISHED", "validation": "auto",
            "characteristics": [], "security": security});
        let created = self.client.post(&format!("/v4/apis/{api}/plans"), Some(&plan)).await;
        id(&created.expect(201, "create the plan").json())
    }

    async fn subscribe(&self, api: &str, plan: &str, client_id: Option<&str>) -> Subscription {
        let app = json!({"name": "app", "description": "d", "settings": {"app": {"client_id": client_id}}});
        let app =
            self.client.post("/applications", Some(&app)).await.expect(201, "create the application").json();
        let path = format!("/v4/apis/{api}/subscriptions?application={}&plan={plan}", id(&app));
        let created = self.client.post(&path, None).await.expect(201, "subscribe").json();
        Subscription { path: format!("/v4/apis/{api}/subscriptions/{}", id(&created)) }
    }

    /// The keys of a subscription, newest first: id and key.
    async fn keys(&self, subscription: &Subscription) -> Vec<(String, String)> {
        let keys =
            self.client.get(&format!("{}/apikeys", subscription.path)).await.expect(200, "keys").json();
        let keys = keys.as_array().expect("a list").iter();
        keys.map(|key| (id(key), key["key"].as_str().expect("a key").to_owned())).collect()
    }

    /// Waits until every gateway answers `status`, and no longer than a change of access may take from now on.
    async fn all_answer(&self, header: (&str, &str), status: u16) {
        let begun = Instant::now();
        for gateway in &self.gateways {
            answers(gateway, header, status, SOON).await;
        }
        let elapsed = begun.elapsed();
        assert!(elapsed < EFFECT_MAX, "it took {elapsed:?} until {status}");
    }
}

fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap_or_else(|| panic!("no id in {resource}")).to_owned()
}

async fn answer(gateway: &Gateway, (name, value): (&str, &str)) -> Answer {
    let request = http().get(gateway.http("/m?limit=1")).header(name, value).header("accept", "*/*");
    Answer::read(within("an answer", SOON, request.send()).await.expect("the gateway answers")).await
}

async fn answers(gateway: &Gateway, header: (&str, &str), status: u16, limit: Duration) -> Answer {
    until(&format!("{status} for {}", header.0), limit, async || {
        let answer = answer(gateway, header).await;
        (answer.status == status).then_some(answer)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_works_on_every_gateway_until_it_is_revoked() {
    let stack = Stack::start(Store::Postgres, 2).await;
    let (api, plan) = stack.secured(|_| {}, &json!({"type": "api-key"})).await;
    let refused = answer(&stack.gateways[0], ("x-gravitee-api-key", "nope")).await.expect(401, "no key");
    assert_eq!(refused.text, r#"{"message":"Unauthorized","http_status_code":401}"#);
    let subscription = stack.subscribe(&api, &plan, None).await;
    let (first_id, first) = stack.keys(&subscription).await.remove(0);
    stack.all_answer(("x-gravitee-api-key", &first), 200).await;
    let seen = answer(&stack.gateways[0], ("x-gravitee-api-key", &first)).await;
    let own = subscription.path.rsplit('/').next().unwrap();
    assert_eq!(seen.header("x-gravitee-client-identifier"), own);

    let renewed = stack.client.post(&format!("{}/apikeys/_renew", subscription.path), None).await;
    let second = renewed.expect(201, "renew").json()["key"].as_str().expect("a key").to_owned();
    stack.all_answer(("x-gravitee-api-key", &second), 200).await;
    answer(&stack.gateways[1], ("x-gravitee-api-key", &first))
        .await
        .expect(200, "the old key has some time left");

    let old = format!("{}/apikeys/{first_id}", subscription.path);
    stack.client.call(Method::DELETE, &old, None).await.expect(204, "revoke");
    stack.all_answer(("x-gravitee-api-key", &first), 401).await;
    answer(&stack.gateways[0], ("x-gravitee-api-key", &second)).await.expect(200, "the new key stays");

    let status = |status: &str| format!("{}/status?status={status}", subscription.path);
    stack.client.post(&status("PAUSED"), None).await.expect(200, "pause");
    stack.all_answer(("x-gravitee-api-key", &second), 401).await;
    stack.client.post(&status("RESUMED"), None).await.expect(200, "resume");
    stack.all_answer(("x-gravitee-api-key", &second), 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_starts_later_or_loses_management_knows_the_keys() {
    let mut stack = Stack::start(Store::Sqlite, 1).await;
    let (api, plan) = stack.secured(|_| {}, &json!({"type": "api-key"})).await;
    let subscription = stack.subscribe(&api, &plan, None).await;
    let (_, key) = stack.keys(&subscription).await.remove(0);
    stack.all_answer(("x-gravitee-api-key", &key), 200).await;
    stack.gateways[0].process.kill().await;
    stack.gateways[0].restart().await;
    answer(&stack.gateways[0], ("x-gravitee-api-key", &key))
        .await
        .expect(200, "ready means that keys are there");
    stack.management.process.kill().await;
    answer(&stack.gateways[0], ("x-gravitee-api-key", &key)).await.expect(200, "without management");
    answer(&stack.gateways[0], ("x-gravitee-api-key", "nope")).await.expect(401, "without management");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_closed_with_the_subscription_that_opened_it() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let (api, plan) = stack.secured(|_| {}, &json!({"type": "api-key"})).await;
    let (ended, other) = (stack.subscribe(&api, &plan, None).await, stack.subscribe(&api, &plan, None).await);
    let (_, key) = stack.keys(&ended).await.remove(0);
    let (_, others_key) = stack.keys(&other).await.remove(0);
    let gateway = &stack.gateways[0];
    for key in [&key, &others_key] {
        answers(gateway, ("x-gravitee-api-key", key), 200, SOON).await;
    }
    let mut stream = Sse::open(&gateway.http("/m"), &[("x-gravitee-api-key", &key)]).await;
    let mut others = Sse::open(&gateway.http("/m"), &[("x-gravitee-api-key", &others_key)]).await;
    stream.message().await;
    stack.client.post(&format!("{}/status?status=CLOSED", ended.path), None).await.expect(200, "close");
    let farewell = loop {
        let event = stream.next().await.expect("a farewell comes before the end");
        if event.event != "message" {
            break event;
        }
    };
    let text = "The subscription or the key of this client has ended";
    assert_eq!((farewell.event.as_str(), farewell.data.as_str()), ("goaway", text));
    assert!(stream.next().await.is_none());
    answer(gateway, ("x-gravitee-api-key", &key)).await.expect(401, "the subscription is closed");
    for _ in 0..5 {
        others.message().await;
    }
}

/// A key that signs tokens, as a member of a key set.
struct Signer {
    key: EncodingKey,
    id: &'static str,
}

impl Signer {
    fn new(id: &'static str) -> Signer {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).expect("a key");
        Signer { key, id }
    }

    fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.id.to_owned());
        format!("Bearer {}", encode(&header, claims, &self.key).expect("a token"))
    }

    fn set(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::RS256).expect("a key");
        jwk.common.key_id = Some(self.id.to_owned());
        json!({"keys": [jwk]})
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_verified_with_a_key_set_that_rotates() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let (first, second) = (Signer::new("first"), Signer::new("second"));
    let authority = Authority::start(&first.set()).await;
    let configuration = json!({"signature": "RSA_RS256", "publicKeyResolver": "JWKS_URL", "resolverParameter": authority.url});
    let (api, plan) = stack.secured(|_| {}, &json!({"type": "jwt", "configuration": configuration})).await;
    stack.subscribe(&api, &plan, Some("client-1")).await;
    let claims = json!({"client_id": "client-1", "sub": "jo"});
    let gateway = &stack.gateways[0];
    answers(gateway, ("authorization", &first.sign(&claims)), 200, SOON).await;
    answer(gateway, ("authorization", &first.sign(&json!({"client_id": "stranger"}))))
        .await
        .expect(401, "stranger");
    let expired = first.sign(&json!({"client_id": "client-1", "exp": 1_000_000}));
    answer(gateway, ("authorization", &expired)).await.expect(401, "expired");
    assert_eq!(authority.asked(), 1);
    answer(gateway, ("authorization", &second.sign(&claims))).await.expect(401, "not published yet");
    authority.answers(&second.set());
    answers(gateway, ("authorization", &second.sign(&claims)), 200, SOON).await;
    answer(gateway, ("authorization", &first.sign(&claims))).await.expect(401, "the first key is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorization_server_is_asked_about_tokens() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let authority =
        Authority::start(&json!({"active": true, "client_id": "client-1", "scope": "read"})).await;
    let resource = json!([{"name": "server", "type": "oauth2", "enabled": true, "configuration": {
        "authorizationServerUrl": authority.url, "introspectionEndpoint": "/introspect",
        "clientId": "gateway", "clientSecret": "hush"}}]);
    let security = json!({"type": "oauth2", "configuration": {"oauthResource": "server",
        "checkRequiredScopes": true, "requiredScopes": ["read"]}});
    let (api, plan) = stack.secured(|definition| definition["resources"] = resource, &security).await;
    let stored = stack.client.get_api(&api).await;
    assert_eq!(stored["resources"][0]["configuration"]["clientSecret"], "********");
    stack.subscribe(&api, &plan, Some("client-1")).await;
    let gateway = &stack.gateways[0];
    answers(gateway, ("authorization", "Bearer t"), 200, SOON).await;
    assert!(authority.asked() > 0);
    authority.answers(&json!({"active": true, "client_id": "client-1", "scope": "write"}));
    let refused = answer(gateway, ("authorization", "Bearer t")).await.expect(401, "another scope");
    assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"gravitee.io\"");
    authority.answers(&json!({"active": false}));
    answer(gateway, ("authorization", "Bearer t")).await.expect(401, "no longer active");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorization_server_is_asked_about_users() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let authority = Authority::start(&json!({"sub": "jo", "email": "jo@example.org"})).await;
    let asking = json!({"oauthResource": "server", "extractPayload": true});
    let shown = json!({"status": "200", "content": "{#jsonPath(#context.attributes['openid.userinfo.payload'], '$.email')}"});
    let step = |policy: &str, configuration: Value| json!({"name": policy, "enabled": true, "policy": policy, "configuration": configuration});
    let mut definition = json!({
        "name": "Users", "apiVersion": "1.0", "definitionVersion": "V4", "type": "PROXY",
        "listeners": [{"type": "HTTP", "paths": [{"path": "/users"}], "entrypoints": [{"type": "http-proxy"}]}],
        "endpointGroups": [{"name": "g", "type": "http-proxy", "endpoints": [{"name": "e", "type": "http-proxy",
            "inheritConfiguration": false, "configuration": {"target": authority.url}}]}],
        "flows": [{"name": "f", "enabled": true, "request": [step("policy-openid-userinfo", asking), step("mock", shown)],
            "selectors": [{"type": "HTTP", "path": "/", "pathOperator": "STARTS_WITH", "methods": ["GET"]}]}],
        "resources": [{"name": "server", "type": "oauth2", "enabled": true, "configuration": {"introspectionEndpoint": authority.url}}],
    });
    let refused =
        stack.client.post("/v4/apis", Some(&definition)).await.expect(400, "a server without user info");
    assert!(refused.text.contains("does not say where users are described"), "{}", refused.text);
    definition["resources"][0]["configuration"] = json!({"authorizationServerUrl": authority.url});
    stack.serve("/users", &definition).await;
    let asked = async |headers: &[(&str, &str)]| {
        let mut request = http().get(stack.gateways[0].http("/users/me"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::read(request.send().await.expect("the gateway answers")).await
    };
    let answer = asked(&[("authorization", "Bearer t")]).await.expect(200, "a token with a user");
    assert_eq!(answer.text, "jo@example.org");
    let refused = asked(&[]).await.expect(401, "no token");
    assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"gravitee.io\"");
    authority.answers(&json!("nobody"));
    asked(&[("authorization", "Bearer t")]).await.expect(401, "no user");
}
