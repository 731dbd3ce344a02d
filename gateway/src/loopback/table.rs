use super::*;

fn outcomes(outcomes: &[ApplyOutcome]) -> Vec<String> {
    let describe = |outcome: &ApplyOutcome| match &outcome.problem {
        None => format!("{} {:?}", outcome.id, outcome.level).to_lowercase(),
        Some(problem) => format!("{} {} {}", outcome.id, problem.code, problem.path),
    };
    outcomes.iter().map(describe).collect()
}

fn edited(id: &str, pointer: &str, value: Value) -> Value {
    let mut api = api(id, messages(Some(1)));
    *api.pointer_mut(pointer).unwrap() = value;
    api
}

fn bad_security() -> Value {
    json!({"type": "api-key", "configuration": {"apiKeyHeader": "a b"}})
}

#[tokio::test]
async fn what_cannot_run_is_rejected_with_its_place() {
    let gateway = Gateway::start(&[]).await;
    let step = json!([{"enabled": true, "selectors": [], "publish": [
        {"name": "s", "enabled": false, "policy": "off"},
        {"name": "s", "enabled": true, "policy": "groovy"},
    ]}]);
    let endpoint = "/endpointGroups/0/endpoints/0";
    let cases = [
        (edited("b", "/listeners/0/type", json!("tcp")), "b LISTENER_UNKNOWN listeners[0].type"),
        (
            edited("c", "/listeners/0/entrypoints/1/type", json!("webhook")),
            "c CONNECTOR_UNKNOWN listeners[0].entrypoints[1].type",
        ),
        (
            edited("d", "/listeners/0/entrypoints/2/configuration", json!({"heartbeatIntervalInMs": 1})),
            "d CONNECTOR_CONFIGURATION listeners[0].entrypoints[2].configuration.heartbeatIntervalInMs",
        ),
        (edited("e", "/endpointGroups/0/type", json!("jms")), "e CONNECTOR_UNKNOWN endpointGroups[0].type"),
        (
            edited("f", &format!("{endpoint}/type"), json!("kafka")),
            "f CONNECTOR_UNKNOWN endpointGroups[0].endpoints[0].type",
        ),
        (
            edited("g", &format!("{endpoint}/configuration"), json!({"messageInterval": "x"})),
            "g CONNECTOR_CONFIGURATION endpointGroups[0].endpoints[0].messageInterval",
        ),
        (
            edited("h", "/plans/0/security", bad_security()),
            "h PLAN_SECURITY plans[0].security.configuration.apiKeyHeader",
        ),
        (edited("i", "/plans/0/id", json!(1)), "i DEFINITION_UNREADABLE "),
    ];
    for (api, expected) in cases {
        assert_eq!(outcomes(&gateway.deploy(&[api]).await), [expected]);
    }
    let mut with_policy = api("j", silence());
    with_policy["flows"] = step;
    assert_eq!(outcomes(&gateway.deploy(&[with_policy]).await), ["j POLICY_UNKNOWN flows[0].publish[1]"]);
    let other = ApplyChange { kind: "dictionary".into(), id: "k".into(), op: ApplyOp::Delete };
    assert_eq!(outcomes(&gateway.running.table.apply(vec![other]).await), ["k KIND_UNKNOWN "]);
}

#[tokio::test]
async fn a_rejected_api_hurts_no_other_and_keeps_its_old_version() {
    let bad = |id: &str| edited(id, "/plans/0/security", bad_security());
    let gateway = Gateway::start(&[api("old", messages(Some(1)))]).await;
    let batch = [bad("old"), bad("new"), api("good", messages(Some(1)))];
    let expected = [
        "old PLAN_SECURITY plans[0].security.configuration.apiKeyHeader",
        "new PLAN_SECURITY plans[0].security.configuration.apiKeyHeader",
        "good active",
    ];
    assert_eq!(outcomes(&gateway.deploy(&batch).await), expected);
    assert!(gateway.answer("/old", "").await.starts_with("HTTP/1.1 200 "));
    assert!(gateway.answer("/good", "").await.starts_with("HTTP/1.1 200 "));
    let answer = gateway.answer("/new/x", "").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    gateway.undeploy("new").await;
    assert!(gateway.answer("/new/x", "").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn an_api_is_served_while_it_has_a_plan() {
    let gateway = Gateway::start(&[api("a", messages(Some(1)))]).await;
    assert!(gateway.answer("/a", "").await.starts_with("HTTP/1.1 200 "));
    for plans in
        [json!([]), json!([{"id": "p", "name": "n", "status": "closed", "security": {"type": "key-less"}}])]
    {
        assert_eq!(outcomes(&gateway.deploy(&[edited("a", "/plans", plans)]).await), ["a NO_PLAN plans"]);
        assert!(gateway.answer("/a", "").await.ends_with("No context-path matches the request URI."));
    }
}

#[tokio::test]
async fn a_quality_that_does_not_fit_is_refused_per_request() {
    let gateway = Gateway::start(&[with_entrypoints(
        "a",
        json!([{"type": "http-get", "qos": "none"}, {"type": "http-post", "qos": "at-least-once"}]),
        silence(),
    )])
    .await;
    let answer = gateway.answer("/a", "accept: */*\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let body = r#"{"message":"Incompatible Qos between entrypoint and endpoint","http_status_code":400}"#;
    assert!(answer.ends_with(body), "{answer}");
}

#[tokio::test]
async fn without_an_endpoint_the_answer_is_503() {
    let gateway = Gateway::start(&[edited("a", "/endpointGroups/0/endpoints", json!([]))]).await;
    let answer = gateway.answer("/a", "").await;
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
}
