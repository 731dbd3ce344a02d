//! Which plan lets whom in.

use super::sample::{Server, Signer};
use super::*;
use crate::call::Consumer;
use crate::http::serve::Peer;
use crate::sync::{ApplyChange, ApplyOp};
use definition::api::{FlowMode, Resource as ResourceDefinition};
use definition::consumer::{KIND_API_KEY, KIND_SUBSCRIPTION, api_key_hash};
use definition::digest::canonical_bytes;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

/// The API of these tests, with its consumers: the application of client `c` and key `secret` has subscribed to the plans
/// `jwt`, `oauth2` and `key`.
struct Api {
    plans: Vec<Plan>,
    shared: Shared,
}

const SECRET: &str = "a-secret-that-is-long-enough-for-it";

impl Api {
    fn of(plans: Value) -> Api {
        Api::with_server(plans, "http://127.0.0.1:9/")
    }

    fn with_server(plans: Value, server: &str) -> Api {
        Api::try_new(plans, server, Shared::default()).unwrap_or_else(|rejection| panic!("{rejection}"))
    }

    fn try_new(mut plans: Value, server: &str, shared: Shared) -> Result<Api, Rejection> {
        for plan in plans.as_array_mut().unwrap() {
            let plan = plan.as_object_mut().unwrap();
            plan.insert("name".to_owned(), json!("n"));
            plan.entry("status").or_insert(json!("published"));
        }
        let plans: Vec<DeployedPlan> = serde_json::from_value(plans).unwrap();
        let settings =
            json!({"authorizationServerUrl": server, "clientId": "gateway", "clientSecret": "hush"});
        let resource: ResourceDefinition = serde_json::from_value(
            json!({"name": "server", "type": "oauth2", "enabled": true, "configuration": settings}),
        )
        .unwrap();
        let resources = Resources::build(&[resource], &shared).unwrap();
        let builder = Builder { resources: &resources, shared: &shared, mode: FlowMode::Default };
        let (plans, _) = build(&plans, &builder)?;
        let api = Api { plans, shared };
        for plan in ["jwt", "oauth2", "key"] {
            api.put(
                KIND_SUBSCRIPTION,
                json!({"id": format!("s-{plan}"), "api": "api-1", "plan": plan, "application": "app",
                "applicationName": "App", "clientId": "c", "status": "ACCEPTED", "consumerStatus": "STARTED",
                "metadata": {"k": "v"}}),
            );
        }
        api.put(KIND_API_KEY, json!({"id": "k", "hash": api_key_hash("secret"), "subscriptions": ["s-key"]}));
        Ok(api)
    }

    fn put(&self, kind: &str, resource: Value) {
        let (kind, id) = (kind.to_owned(), resource["id"].as_str().unwrap().to_owned());
        let op = ApplyOp::Upsert {
            digest: [0; 32],
            body: canonical_bytes(&resource).unwrap().into(),
            revision: 1,
        };
        self.shared.consumers.apply(&ApplyChange { kind, id, op }, 0).unwrap();
    }

    /// `<plan> <subscription>`, or `<status> <key> <message>`.
    async fn admit(&self, call: &mut Call) -> String {
        let peer = Peer::new([192, 0, 2, 1].into(), ([192, 0, 2, 2], 8082).into());
        match admit(&self.plans, call, &peer, &self.shared.consumers).await {
            Ok((plan, _)) => {
                assert_eq!(call.plan.as_deref(), Some(&*plan.id));
                assert_eq!(call.attributes.text("plan"), Some(&*plan.id));
                format!("{} {}", plan.id, call.consumer.as_ref().unwrap().subscription)
            }
            Err(failure) => {
                format!("{} {} {}", failure.status.as_u16(), failure.key.unwrap_or_default(), failure.message)
            }
        }
    }

    #[track_caller]
    fn check(&self, line: &str, headers: &[(&str, &str)], expected: &str) -> impl Future<Output = ()> {
        let mut call = Call::sample(line, headers, "");
        let place = std::panic::Location::caller();
        async move { assert_eq!(self.admit(&mut call).await, expected, "{place}") }
    }
}

fn key_less() -> Value {
    json!({"id": "free", "security": {"type": "key-less"}})
}

fn key_plan(settings: Value) -> Value {
    json!({"id": "key", "security": {"type": "api-key", "configuration": settings}})
}

fn jwt_plan() -> Value {
    json!({"id": "jwt", "security": {"type": "jwt",
        "configuration": {"signature": "HMAC_HS256", "resolverParameter": SECRET}}})
}

fn oauth2_plan() -> Value {
    json!({"id": "oauth2", "security": {"type": "oauth2", "configuration": {"oauthResource": "server"}}})
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

const UNRESOLVABLE: &str = "401 GATEWAY_PLAN_UNRESOLVABLE Unauthorized";

#[tokio::test]
async fn a_credential_that_nobody_knows_does_not_fall_back_to_a_key_less_plan() {
    let api = Api::of(json!([key_less(), key_plan(json!({})), jwt_plan()]));
    api.check("GET /ctx", &[], "free 192.0.2.1").await;
    api.check("GET /ctx", &[("x-gravitee-api-key", "secret")], "key s-key").await;
    for unknown in ["other", "", " "] {
        api.check("GET /ctx", &[("x-gravitee-api-key", unknown)], UNRESOLVABLE).await;
    }
    for unreadable in ["Bearer", "Bearer x", "Bearer a.b.c"] {
        api.check("GET /ctx", &[("authorization", unreadable)], UNRESOLVABLE).await;
    }
    let stranger = bearer(&Signer::hmac(SECRET).sign(&json!({"client_id": "stranger"})));
    api.check("GET /ctx", &[("authorization", &stranger)], UNRESOLVABLE).await;
    let both = [("authorization", stranger.as_str()), ("x-gravitee-api-key", "secret")];
    api.check("GET /ctx", &both, "key s-key").await;
    api.check("GET /ctx", &[("authorization", "Basic x")], "free 192.0.2.1").await;
}

#[tokio::test]
async fn kinds_are_asked_in_their_order_and_the_choice_is_final() {
    let api = Api::of(json!([key_plan(json!({})), jwt_plan()]));
    let forged = bearer(&Signer::hmac("another-secret").sign(&json!({"client_id": "c"})));
    let both = [("authorization", forged.as_str()), ("x-gravitee-api-key", "secret")];
    api.check("GET /ctx", &both, "401 JWT_INVALID_TOKEN Unauthorized").await;
    let good = bearer(&Signer::hmac(SECRET).sign(&json!({"client_id": "c"})));
    api.check("GET /ctx", &[("authorization", &good), ("x-gravitee-api-key", "x")], "jwt s-jwt").await;
    api.check(&format!("GET /ctx?access_token={}", &good[7..]), &[], "jwt s-jwt").await;
    Api::of(json!([])).check("GET /ctx", &[], UNRESOLVABLE).await;
}

#[tokio::test]
async fn a_rule_that_does_not_hold_makes_the_credential_forgotten() {
    let ruled = |rule: &str| {
        let mut plan = key_plan(json!({}));
        plan["selectionRule"] = json!(rule);
        plan
    };
    let key = [("x-gravitee-api-key", "other")];
    Api::of(json!([ruled("false"), key_less()])).check("GET /ctx", &key, "free 192.0.2.1").await;
    Api::of(json!([ruled("true"), key_less()])).check("GET /ctx", &key, UNRESOLVABLE).await;
    let mut other = key_less();
    other["selectionRule"] = json!("false");
    Api::of(json!([other])).check("GET /ctx", &[], UNRESOLVABLE).await;
}

#[tokio::test]
async fn a_rule_may_ask_what_a_token_says_and_nobody_else_learns_it() {
    let mut ruled = jwt_plan();
    ruled["selectionRule"] = json!("#context.attributes['jwt'].claims['tier'] == 'gold'");
    let api = Api::of(json!([ruled, key_less()]));
    let token = |tier: &str| bearer(&Signer::hmac(SECRET).sign(&json!({"client_id": "c", "tier": tier})));
    api.check("GET /ctx", &[("authorization", &token("gold"))], "jwt s-jwt").await;
    let mut call = Call::sample("GET /ctx", &[("authorization", &token("tin"))], "");
    assert_eq!(api.admit(&mut call).await, "free 192.0.2.1");
    assert_eq!(call.attributes.get("jwt"), None, "it is not verified");
}

#[tokio::test]
async fn a_rule_that_cannot_be_evaluated_is_no_fault_of_the_caller() {
    let mut ruled = key_plan(json!({}));
    ruled["selectionRule"] = json!("{'abc'.substring(9) == 'x'}");
    let api = Api::of(json!([ruled, key_less()]));
    let failed = "503 GATEWAY_PLAN_RESOLUTION_FAILURE Temporarily Unavailable";
    api.check("GET /ctx", &[("x-gravitee-api-key", "secret")], failed).await;
    api.check("GET /ctx", &[], "free 192.0.2.1").await;
}

#[tokio::test]
async fn dates_of_subscriptions_and_keys_are_looked_at() {
    let api = Api::of(json!([key_plan(json!({})), key_less()]));
    let now = crate::consumers::now_ms();
    let subscription = |dates: Value| {
        let mut resource = json!({"id": "s-key", "api": "api-1", "plan": "key", "application": "app",
            "applicationName": "App", "status": "ACCEPTED", "consumerStatus": "STARTED"});
        resource.as_object_mut().unwrap().extend(dates.as_object().unwrap().clone());
        resource
    };
    let key = [("x-gravitee-api-key", "secret")];
    for dates in
        [json!({"startingAtMs": now + 60_000}), json!({"endingAtMs": now - 1}), json!({"status": "PAUSED"})]
    {
        api.put(KIND_SUBSCRIPTION, subscription(dates));
        api.check("GET /ctx", &key, UNRESOLVABLE).await;
    }
    api.put(
        KIND_SUBSCRIPTION,
        subscription(json!({"startingAtMs": now - 60_000, "endingAtMs": now + 60_000})),
    );
    api.check("GET /ctx", &key, "key s-key").await;
    for state in [json!({"expireAtMs": now - 1}), json!({"revoked": true})] {
        let mut resource = json!({"id": "k", "hash": api_key_hash("secret"), "subscriptions": ["s-key"]});
        resource.as_object_mut().unwrap().extend(state.as_object().unwrap().clone());
        api.put(KIND_API_KEY, resource);
        api.check("GET /ctx", &key, "401 API_KEY_INVALID Unauthorized").await;
    }
}

#[tokio::test]
async fn a_key_is_where_the_plan_says() {
    let check = async |settings: Value, line: &str, headers: &[(&str, &str)], expected: &str| {
        Api::of(json!([key_plan(settings)])).check(line, headers, expected).await;
    };
    let found = "key s-key";
    check(json!({}), "GET /ctx?api-key=secret", &[], found).await;
    check(json!({}), "GET /ctx?api-key=secret", &[("x-gravitee-api-key", "other")], UNRESOLVABLE).await;
    check(
        json!({"source": "QUERY_PARAMETER"}),
        "GET /ctx?api-key=secret",
        &[("x-gravitee-api-key", "x")],
        found,
    )
    .await;
    check(json!({"source": "BEARER"}), "GET /ctx", &[("authorization", "bearer secret")], found).await;
    check(json!({"source": "BEARER"}), "GET /ctx?api-key=secret", &[], UNRESOLVABLE).await;
    check(json!({"apiKeyHeader": "X-Mine"}), "GET /ctx", &[("x-mine", "secret")], found).await;
    check(json!({"apiKeyHeader": "X-Mine"}), "GET /ctx", &[("x-gravitee-api-key", "secret")], UNRESOLVABLE)
        .await;
    let names = KeyNames { header: None, parameter: Some("k".to_owned()) };
    let shared = Shared { key_names: names, ..Shared::default() };
    let api = Api::try_new(json!([key_plan(json!({}))]), "http://127.0.0.1:9/", shared).unwrap();
    api.check("GET /ctx?k=secret", &[("x-gravitee-api-key", "x")], found).await;
    api.check("GET /ctx?api-key=secret", &[], UNRESOLVABLE).await;
}

#[tokio::test]
async fn the_endpoint_gets_no_key_unless_the_plan_says_so() {
    for (propagate, target, header) in
        [(false, "/ctx?a=1&b=2", None), (true, "/ctx?a=1&api-key=q&b=2", Some("secret"))]
    {
        let api = Api::of(json!([key_plan(json!({"propagateApiKey": propagate}))]));
        let headers = [("x-gravitee-api-key", "secret"), ("x-other", "1")];
        let mut call = Call::sample("GET /ctx?a=1&api-key=q&b=2", &headers, "");
        assert_eq!(api.admit(&mut call).await, "key s-key");
        assert_eq!(call.request.head.uri, target);
        let sent = call.request.head.headers.get("x-gravitee-api-key").map(|value| value.to_str().unwrap());
        assert_eq!(sent, header);
        assert!(call.request.head.headers.contains_key("x-other"));
        assert_eq!(call.attributes.text("api-key"), Some("secret"));
    }
}

#[tokio::test]
async fn the_call_knows_who_calls() {
    let api = Api::of(json!([key_plan(json!({})), key_less()]));
    let mut call = Call::sample("GET /ctx", &[("x-gravitee-api-key", "secret")], "");
    api.admit(&mut call).await;
    let Consumer { application_name, client_id, metadata, push, .. } = &**call.consumer.as_ref().unwrap();
    assert_eq!((application_name.as_deref(), client_id.as_deref()), (Some("App"), Some("c")));
    assert_eq!((metadata.get("k").as_deref(), *push), (Some("v"), false));
    let read = |call: &Call| {
        ["api", "api.name", "context-path", "application", "user-id"]
            .map(|name| call.attributes.text(name).unwrap().to_owned())
    };
    assert_eq!(read(&call), ["api-1", "sample", "/ctx/", "app", "s-key"]);
    assert_eq!(call.lease.as_ref().map(|lease| lease.len()), Some(2));
    let mut call = Call::sample("GET /ctx", &[], "");
    api.admit(&mut call).await;
    assert_eq!(read(&call), ["api-1", "sample", "/ctx/", "1", "192.0.2.1"]);
    assert!(call.lease.is_none());
}

#[tokio::test]
async fn closed_push_and_foreign_plans_let_nobody_in() {
    let closed = json!({"id": "free", "status": "closed", "security": {"type": "key-less"}});
    let push = json!({"id": "push", "security": {"type": "subscription"}});
    assert!(Api::of(json!([closed, push])).plans.is_empty());
    let mut tagged = key_less();
    tagged["tags"] = json!(["inner"]);
    let node = |tags: &[&str]| {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let node = Arc::new(crate::table::facts::NodeFacts { tags, ..Default::default() });
        let shared = Shared { node, ..Shared::default() };
        Api::try_new(json!([tagged.clone()]), "http://127.0.0.1:9/", shared).unwrap().plans.len()
    };
    assert_eq!([node(&[]), node(&["inner", "x"]), node(&["outer"])], [1, 1, 0]);
}

#[tokio::test]
async fn settings_that_cannot_work_are_rejected_with_their_place() {
    let rejected = |plan: Value| {
        let rejection = Api::try_new(json!([plan]), "http://127.0.0.1:9/", Shared::default()).err().unwrap();
        format!("{} {}", rejection.code, rejection.path)
    };
    let mut jwt = jwt_plan();
    jwt["security"]["configuration"]["signature"] = json!("RSA_RS256");
    assert_eq!(rejected(jwt), "PLAN_SECURITY plans[0].security.configuration.resolverParameter");
    let mut oauth2 = oauth2_plan();
    oauth2["security"]["configuration"]["oauthResource"] = json!("nowhere");
    assert_eq!(rejected(oauth2), "PLAN_SECURITY plans[0].security.configuration.oauthResource");
    for kind in ["jwt", "oauth2"] {
        let draft = json!([{"id": "jwt", "security": {"type": kind}}]);
        let token = bearer(&Signer::hmac(SECRET).sign(&json!({"client_id": "c"})));
        let expected =
            if kind == "jwt" { "500 JWT_POLICY_ERROR Internal Server Error" } else { UNRESOLVABLE };
        Api::of(draft).check("GET /ctx", &[("authorization", &token)], expected).await;
    }
}

#[tokio::test]
async fn an_authorization_server_says_whose_token_it_is() {
    let server =
        Server::start(&json!({"active": true, "client_id": "c", "sub": "jo", "scope": "read write"})).await;
    let api = Api::with_server(json!([oauth2_plan(), key_less()]), &server.url);
    let mut call = Call::sample("GET /ctx", &[("authorization", "Bearer t1")], "");
    assert_eq!(api.admit(&mut call).await, "oauth2 s-oauth2");
    let (line, headers, _) = server.last();
    assert_eq!(line, "GET /x/oauth/check_token?token=t1");
    assert_eq!(headers["authorization"], "Basic Z2F0ZXdheTpodXNo");
    let read =
        ["oauth.client_id", "oauth.access_token", "user"].map(|name| call.attributes.text(name).unwrap());
    assert_eq!(read, ["c", "t1", "jo"]);
    assert_eq!(call.attributes.get("user.roles"), Some(&json!(["read", "write"])));
    assert_eq!(server.asked(), 1);

    for unknown in
        [json!({"active": false, "client_id": "c"}), json!({"client_id": "d"}), json!({}), json!([])]
    {
        server.answers(200, &unknown);
        api.check("GET /ctx", &[("authorization", "Bearer t1")], UNRESOLVABLE).await;
    }
    server.answers(503, &json!({}));
    let failed = "503 GATEWAY_PLAN_RESOLUTION_FAILURE Temporarily Unavailable";
    api.check("GET /ctx", &[("authorization", "Bearer t1")], failed).await;
    let asked = server.asked();
    api.check("GET /ctx", &[], "free 192.0.2.1").await;
    api.check("GET /ctx", &[("authorization", "Bearer ")], UNRESOLVABLE).await;
    assert_eq!(server.asked(), asked, "without a token there is nothing to ask");
}
