//! Policies around the backend of proxy APIs, from the definition that a publisher saves to what backends and clients see.

use crate::harness::client::{Answer, http};
use crate::harness::origin::Origin;
use crate::harness::stack::{Stack, Store};
use crate::harness::wait::{SOON, until};
use serde_json::{Value, json};

/// A proxy API whose groups have one endpoint each, named like its group.
fn proxy(path: &str, origins: &[(&str, &Origin)], steps: &[Value]) -> Value {
    let group = |(name, origin): &(&str, &Origin)| {
        json!({ "name": name, "type": "http-proxy", "endpoints": [
            { "name": format!("{name}-1"), "type": "http-proxy", "inheritConfiguration": false,
                "configuration": { "target": origin.url("/") } }
        ] })
    };
    json!({
        "name": format!("Policies at {path}"), "apiVersion": "1.0", "definitionVersion": "V4", "type": "PROXY",
        "listeners": [{ "type": "HTTP", "paths": [{ "path": path }], "entrypoints": [{ "type": "http-proxy" }] }],
        "endpointGroups": origins.iter().map(group).collect::<Vec<_>>(),
        // The harness asks with DELETE whether a path is served; that is no business of the policies.
        "flows": [{ "name": "f", "enabled": true, "request": steps, "selectors": [
            { "type": "HTTP", "path": "/", "pathOperator": "STARTS_WITH", "methods": ["GET", "POST"] }
        ] }],
    })
}

fn step(policy: &str, configuration: &Value) -> Value {
    json!({ "name": policy, "enabled": true, "policy": policy, "configuration": configuration })
}

/// An answer in the place of the backend.
fn shown(content: &str) -> Value {
    step("mock", &json!({ "status": "200", "content": content }))
}

async fn ask(stack: &Stack, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = http().request(method, stack.gateways[0].http(path)).body("body");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(request.send().await.expect("the gateway answers")).await
}

async fn get(stack: &Stack, path: &str) -> Answer {
    ask(stack, "GET", path, &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_is_asked_again_and_a_failing_one_is_left_alone() {
    let (first, second) = (Origin::start("first").await, Origin::start("second").await);
    let stack = Stack::start(Store::Sqlite, 1).await;
    let retry =
        step("retry", &json!({ "condition": "{#response.status >= 500}", "maxRetries": 2, "timeout": 5000 }));
    let mut definition = proxy("/retry", &[("all", &first)], &[retry]);
    let mut other = definition["endpointGroups"][0]["endpoints"][0].clone();
    other["name"] = json!("all-2");
    other["configuration"]["target"] = json!(second.url("/"));
    definition["endpointGroups"][0]["endpoints"].as_array_mut().expect("endpoints").push(other);
    stack.serve("/retry", &definition).await;
    let breaker =
        step("policy-circuit-breaker", &json!({ "windowSize": 2, "waitDurationInOpenState": 1500 }));
    stack.serve("/breaker", &proxy("/breaker", &[("g", &first)], &[breaker])).await;

    first.answer(503);
    for _ in 0..3 {
        let answer = ask(&stack, "POST", "/retry/x", &[]).await.expect(200, "the good endpoint is found");
        assert_eq!(answer.text, "second /x body", "the body is sent again");
    }
    let before = first.requests();
    get(&stack, "/breaker").await.expect(503, "the backend's own answer");
    assert_eq!(first.requests(), before + 1);
    let refused = get(&stack, "/breaker").await.expect(503, "the breaker's answer");
    assert_eq!(refused.text, r#"{"message":"Service temporarily unavailable","http_status_code":503}"#);
    assert_eq!(first.requests(), before + 1, "the backend is left alone");
    first.answer(200);
    until("the breaker to close", SOON, async || (get(&stack, "/breaker").await.status == 200).then_some(()))
        .await;
    second.answer(500);
    first.answer(500);
    get(&stack, "/retry").await.expect(502, "every attempt failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_answers_until_its_time_is_over() {
    let origin = Origin::start("origin").await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let cache = step("cache", &json!({ "cacheName": "mine", "timeToLiveSeconds": 2, "scope": "API" }));
    let mut definition = proxy("/cache", &[("g", &origin)], &[cache]);
    definition["resources"] =
        json!([{ "name": "mine", "type": "cache", "enabled": true, "configuration": {} }]);
    let api = stack.client.create_api(&definition).await;
    stack.client.create_keyless_plan(&api).await;
    stack.client.start(&api).await;
    stack.serves("/cache").await;

    let asked = async |path: &str, headers: &[(&str, &str)]| {
        let before = origin.requests();
        ask(&stack, "GET", path, headers).await.expect(200, "through the cache");
        origin.requests() - before
    };
    assert_eq!(asked("/cache/a?x=1", &[]).await, 1);
    assert_eq!(asked("/cache/a?x=1", &[]).await, 0, "a hit");
    assert_eq!(asked("/cache/a?x=2", &[]).await, 1, "another query");
    assert_eq!(asked("/cache/a?x=1", &[("X-Gravitee-Cache", "BY_PASS")]).await, 1);
    assert_eq!(asked("/cache/a?x=1&cache=REFRESH", &[]).await, 1);
    until("the entry to end", SOON, async || (asked("/cache/a?x=1", &[]).await == 1).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_routed_copied_and_answered_in_place() {
    let (one, two) = (Origin::start("one").await, Origin::start("two").await);
    let stack = Stack::start(Store::Sqlite, 1).await;
    let rules = json!({ "rules": [
        { "pattern": "/v1/(.*)", "url": "{#endpoints['b']}/old/{#group[0]}" },
        { "pattern": "/(?<who>[a-z]+)", "url": format!("{}/{{#groupName['who']}}", two.url("/direct")) },
    ] });
    let routing = proxy("/routing", &[("a", &one), ("b", &two)], &[step("dynamic-routing", &rules)]);
    stack.serve("/routing", &routing).await;
    let target = json!({ "target": "{#endpoints['b']}/shadow{#request.pathInfo}" });
    let shadow = proxy("/shadow", &[("a", &one), ("b", &two)], &[step("traffic-shadowing", &target)]);
    stack.serve("/shadow", &shadow).await;
    let mock = proxy(
        "/mock",
        &[("a", &one)],
        &[shown("{\"path\": \"{#request.pathInfo}\", \"got\": \"{#request.content}\"}")],
    );
    stack.serve("/mock", &mock).await;

    assert_eq!(
        ask(&stack, "POST", "/routing/v1/x/y", &[]).await.expect(200, "by name").text,
        "two /old/x/y body"
    );
    assert_eq!(get(&stack, "/routing/me").await.expect(200, "by address").text, "two /direct/me body");
    let missed = get(&stack, "/routing/2").await.expect(400, "no rule");
    assert_eq!(missed.text, r#"{"message":"No routing rule is matching path","http_status_code":400}"#);

    let (real, copies) = (one.requests(), two.requests());
    two.answer(500);
    assert_eq!(ask(&stack, "POST", "/shadow/z", &[]).await.expect(200, "the real call").text, "one /z body");
    until("the copy to arrive", SOON, async || (two.requests() == copies + 1).then_some(())).await;
    assert_eq!(one.requests(), real + 1);

    let answer = ask(&stack, "POST", "/mock/p", &[]).await.expect(200, "in place");
    assert_eq!(
        (answer.header("content-type"), &*answer.text),
        ("application/json", r#"{"path": "/p", "got": "body"}"#)
    );
    assert_eq!(one.requests(), real + 1, "the backend is not asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callout_leaves_attributes_and_ends_requests() {
    let (origin, service) = (Origin::start("origin").await, Origin::start("service").await);
    let stack = Stack::start(Store::Sqlite, 1).await;
    let callout = json!({ "method": "POST", "url": format!("{}{{#request.pathInfo}}", service.url("/ask")),
        "body": "about {#request.content}", "exitOnError": true, "errorStatusCode": "418", "errorContent": "no: {#calloutResponse.status}",
        "variables": [{ "name": "said", "value": "{#calloutResponse.status} {#calloutResponse.content}" }] });
    let signing =
        json!({ "signature": "HMAC_HS256", "content": "0123456789abcdef0123456789abcdef", "subject": "me" });
    let steps = [
        step("policy-http-callout", &callout),
        step("policy-generate-jwt", &signing),
        shown("{#context.attributes['said']}|{#context.attributes['jwt.generated'].split('\\.').length}"),
    ];
    let api = stack.serve("/callout", &proxy("/callout", &[("g", &origin)], &steps)).await;
    let stored = stack.client.get_api(&api).await;
    assert_eq!(stored["flows"][0]["request"][1]["configuration"]["content"], "********");

    let answer = ask(&stack, "POST", "/callout/x", &[]).await.expect(200, "after the callout");
    assert_eq!(answer.text, "200 service /ask/x about body|3");
    service.answer(503);
    let ended = ask(&stack, "POST", "/callout/x", &[]).await.expect(418, "ended by the callout");
    assert_eq!(ended.text, r#"{"message":"no: 503","http_status_code":418}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_the_definition_have_passwords_that_nobody_sees() {
    let origin = Origin::start("origin").await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let basic =
        step("policy-basic-authentication", &json!({ "authenticationProviders": ["users"], "realm": "r" }));
    let who = shown("{#context.attributes['user']} {#context.attributes['user.roles']}");
    let mut definition = proxy("/basic", &[("g", &origin)], &[basic, who]);
    definition["resources"] = json!([{ "name": "users", "type": "auth-provider-inline-resource", "enabled": true, "configuration": {
        "users": [
            { "username": "ann", "password": "p1", "roles": ["a", "b"] }, { "username": "bob", "password": "p2" },
        ] } }]);
    let api = stack.client.create_api(&definition).await;
    let changed = stack.client.change_api(&api, |definition| definition["description"] = json!("x")).await;
    let shown = &changed["resources"][0]["configuration"]["users"];
    assert_eq!((&shown[0]["password"], &shown[1]["password"]), (&json!("********"), &json!("********")));
    // Sent back with the masks and in another order, passwords stay with their users.
    let reordered = |definition: &mut Value| {
        let users = definition["resources"][0]["configuration"]["users"].as_array_mut().expect("users");
        users.reverse();
    };
    stack.client.change_api(&api, reordered).await;
    stack.client.create_keyless_plan(&api).await;
    stack.client.start(&api).await;
    stack.serves("/basic").await;

    let of = async |credentials: &str| {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
        ask(&stack, "GET", "/basic", &[("authorization", &format!("Basic {encoded}"))]).await
    };
    assert_eq!(of("ann:p1").await.expect(200, "the right password").text, "ann a,b");
    assert_eq!(of("bob:p2").await.expect(200, "the right password").text, "bob ");
    let refused = of("ann:p2").await.expect(401, "the password of another user");
    assert_eq!(refused.header("www-authenticate"), "Basic realm=\"r\"");
    get(&stack, "/basic").await.expect(401, "no password at all");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_become_json() {
    let origin = Origin::start("origin").await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let named = "<li class=named>one<li class=named>two <script>1 < 2</script>";
    // Large enough to be looked at apart from the threads that serve everybody.
    let page = format!("<html><title>Fish</title><ul>{named}{}</ul></html>", "<li>more".repeat(5_000));
    let selectors = json!({ "selectors": [
        { "jsonName": "title", "selector": "title" },
        { "jsonName": "items", "selector": "li.named", "array": true },
        { "jsonName": "last", "selector": "li:last-child" },
    ] });
    let mut read = proxy("/page", &[("g", &origin)], &[shown(&page)]);
    read["flows"][0]["response"] = json!([step("html-json", &selectors)]);
    stack.serve("/page", &read).await;
    let answer = get(&stack, "/page").await.expect(200, "a page");
    assert_eq!(
        (answer.header("content-type"), &*answer.text),
        ("application/json", r#"{"title":"Fish","items":["one","two"],"last":"more"}"#)
    );
}
