use super::*;

/// A flow whose phases each set a header of that name.
fn flow(selectors: Value, phases: &[&str]) -> Value {
    let mut flow = json!({"enabled": true, "selectors": selectors});
    for phase in phases {
        flow[*phase] = json!([step(json!({"addHeaders": [{"name": format!("x-{phase}"), "value": "1"}]}))]);
    }
    flow
}

fn step(configuration: Value) -> Value {
    json!({"name": "s", "enabled": true, "policy": "transform-headers", "configuration": configuration})
}

fn with_flows(id: &str, mock: Value, flows: Value) -> Value {
    let mut api = api(id, mock);
    api["flows"] = flows;
    api["listeners"][0]["entrypoints"][2]["configuration"]["headersAsComment"] = json!(true);
    api
}

#[tokio::test]
async fn steps_see_messages_and_responses() {
    let flows = json!([flow(json!([]), &["response", "subscribe"])]);
    let gateway = Gateway::start(&[with_flows("a", messages(Some(2)), flows)]).await;
    let answer = gateway.answer("/a", "accept: text/event-stream\r\n").await;
    assert_eq!(header(&answer, "x-response"), Some("1"), "{answer}");
    let body = dechunk(&answer);
    assert_eq!(body.matches("x-subscribe").count(), 2, "{body}");
    let answer = gateway.answer("/a", "accept: application/json\r\n").await;
    assert_eq!(header(&answer, "x-response"), Some("1"), "{answer}");
    assert_eq!(header(&answer, "content-type"), Some("application/json"));
}

#[tokio::test]
async fn selectors_choose_flows() {
    let selector = |channel: &str, operator: &str, operations: Value, entrypoints: Value| {
        json!([{"type": "channel", "channel": channel, "channelOperator": operator, "operations": operations,
            "entrypoints": entrypoints}])
    };
    let cases = [
        (selector("/", "STARTS_WITH", json!([]), json!([])), true),
        (selector("/x", "STARTS_WITH", json!([]), json!([])), true),
        (selector("/x", "EQUALS", json!([]), json!([])), false),
        (selector("/x/:id", "EQUALS", json!([]), json!([])), true),
        (selector("/", "STARTS_WITH", json!(["publish"]), json!([])), false),
        (selector("/", "STARTS_WITH", json!(["publish", "subscribe"]), json!([])), true),
        (selector("/", "STARTS_WITH", json!([]), json!(["sse"])), false),
        (selector("/", "STARTS_WITH", json!([]), json!(["sse", "http-get"])), true),
        (json!([{"type": "condition", "condition": "true"}]), true),
        (json!([{"type": "condition", "condition": "false"}]), false),
    ];
    let api = |(at, (selectors, _)): (usize, &(Value, bool))| {
        with_flows(&format!("a{at}"), messages(Some(1)), json!([flow(selectors.clone(), &["response"])]))
    };
    let apis: Vec<Value> = cases.iter().enumerate().map(api).collect();
    let gateway = Gateway::start(&apis).await;
    for (at, (selectors, selected)) in cases.iter().enumerate() {
        let answer = gateway.answer(&format!("/a{at}/x/1"), "accept: application/json\r\n").await;
        assert_eq!(header(&answer, "x-response").is_some(), *selected, "{selectors}");
    }
}

#[tokio::test]
async fn an_api_may_demand_that_a_flow_matches() {
    let flows = json!([flow(
        json!([{"type": "channel", "channel": "/x", "channelOperator": "EQUALS"}]),
        &["response"]
    )]);
    let mut api = with_flows("a", messages(Some(1)), flows);
    api["flowExecution"] = json!({"mode": "best-match", "matchRequired": true});
    api["responseTemplates"] = json!({"DEFAULT": {"application/json": {"status": 410, "body": "{}"}}});
    let gateway = Gateway::start(&[api]).await;
    assert!(gateway.answer("/a/x", "accept: application/json\r\n").await.starts_with("HTTP/1.1 200 OK\r\n"));
    let answer = gateway.answer("/a/y", "").await;
    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    let answer = gateway.answer("/a/y", "accept: application/json\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 410 Gone\r\n") && answer.ends_with("\r\n\r\n{}"), "{answer}");
}

#[tokio::test]
async fn flows_of_the_plan_go_before_those_of_the_api() {
    let set = |value: &str| {
        json!([{"enabled": true, "selectors": [],
        "response": [step(json!({"appendHeaders": [{"name": "x-order", "value": value}]}))]}])
    };
    let mut api = with_flows("a", messages(Some(1)), set("api"));
    api["plans"][0]["flows"] = set("plan");
    let gateway = Gateway::start(&[api]).await;
    let answer = gateway.answer("/a", "accept: application/json\r\n").await;
    let order: Vec<&str> = answer.lines().filter_map(|line| line.strip_prefix("x-order: ")).collect();
    assert_eq!(order, ["plan", "api"]);
}

#[tokio::test]
async fn preflights_are_shown_to_flows_when_the_api_says_so() {
    let cors = |run: bool| json!({"enabled": true, "allowOrigin": ["*"], "allowMethods": ["GET"], "maxAge": -1, "runPolicies": run});
    let made = |id: &str, run: bool| {
        let mut api = with_flows(id, silence(), json!([flow(json!([]), &["response"])]));
        api["listeners"][0]["cors"] = cors(run);
        api
    };
    let gateway = Gateway::start(&[made("a", true), made("b", false)]).await;
    for (path, shown) in [("/a", true), ("/b", false)] {
        let preflight = format!(
            "OPTIONS {path} HTTP/1.1\r\nhost: h\r\norigin: https://o\r\naccess-control-request-method: GET\r\nconnection: close\r\n\r\n"
        );
        let answer = gateway.send(&preflight).await.rest().await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert_eq!(header(&answer, "access-control-allow-origin"), Some("https://o"));
        assert_eq!(header(&answer, "x-response").is_some(), shown);
    }
}

#[tokio::test]
async fn framing_is_not_for_flows_to_change() {
    let set = json!({"addHeaders": [
        {"name": "Content-Length", "value": "3"}, {"name": "Transfer-Encoding", "value": "identity"},
        {"name": "Connection", "value": "upgrade"}, {"name": "x-own", "value": "1"},
        {"name": "sec-websocket-accept", "value": "x"},
    ]});
    let flows = json!([{"enabled": true, "selectors": [], "response": [step(set)]}]);
    let gateway = Gateway::start(&[with_flows("a", messages(Some(1)), flows)]).await;
    let answer = gateway.answer("/a", "accept: application/json\r\n").await;
    assert_eq!((header(&answer, "content-length"), header(&answer, "x-own")), (None, Some("1")), "{answer}");
    assert_eq!(
        answer.to_ascii_lowercase().matches("\r\ntransfer-encoding: chunked\r\n").count(),
        1,
        "{answer}"
    );
    assert_eq!(answer.to_ascii_lowercase().matches("\r\nconnection: ").count(), 1, "{answer}");
    dechunk(&answer);
    let handshake = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let answer = gateway.get("/a", handshake).await.until("\r\n\r\n").await;
    assert_eq!(header(&answer, "sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
}
