//! Flows, selectors and steps.

use super::*;
use pretty_assertions::assert_eq;

#[track_caller]
fn check_selectors(selectors: Value, expected: &str) {
    check("/flows", json!([{"selectors": selectors}]), expected);
}

#[test]
fn selectors() {
    check_selectors(
        json!([{"type": "http", "path": "/"}]),
        r#"flows[0].selectors[0].type flow.selectors.type.invalid {"flow.selectors.type.invalid":"[http]"}: flows[0].selectors[0].type http is not possible here: message APIs select by channel or condition"#,
    );
    check_selectors(
        json!([{"type": "mqtt"}]),
        r#"flows[0].selectors[0].type data.invalid: flows[0].selectors[0].type has the unknown value "mqtt", expected one of http, channel, condition"#,
    );
    check_selectors(
        json!([{"type": "channel", "entrypoints": ["sse", "webhook", "nope", "http-proxy"]}]),
        r#"flows[0].selectors[0].entrypoints[2] flow.selectors.entrypoints.invalid {"flow.selectors.entrypoints.invalid":"[nope]"}: flows[0].selectors[0].entrypoints[2] "nope" is no entrypoint of message APIs, remove it
flows[0].selectors[0].entrypoints[3] flow.selectors.entrypoints.invalid {"flow.selectors.entrypoints.invalid":"[http-proxy]"}: flows[0].selectors[0].entrypoints[3] "http-proxy" is no entrypoint of message APIs, remove it"#,
    );
    check_selectors(
        json!([{"type": "CHANNEL"}, {"type": "channel", "channel": "/"}]),
        r#"flows[0].selectors[1] flow.selectors.type.duplicated {"flow.selectors.type.duplicated":"[channel]"}: flows[0].selectors[1] repeats a channel selector, remove one of them"#,
    );
    check_selectors(
        json!([{"type": "channel", "channel": "", "channelOperator": "LIKE", "operations": ["eat"]}]),
        r#"flows[0].selectors[0].operations[0] data.invalid: flows[0].selectors[0].operations[0] has the unknown value "eat", expected one of subscribe, publish
flows[0].selectors[0].channel data.invalid: flows[0].selectors[0].channel must not be blank, a text is required
flows[0].selectors[0].channelOperator data.invalid: flows[0].selectors[0].channelOperator has the unknown value "LIKE", expected one of STARTS_WITH, EQUALS"#,
    );
    check_selectors(
        json!([{"type": "condition"}]),
        "flows[0].selectors[0].condition data.invalid: flows[0].selectors[0].condition must not be blank, a text is required",
    );
    check_selectors(
        json!([null]),
        "flows[0].selectors[0] data.invalid: flows[0].selectors[0] must not be null, an object is required",
    );
}

#[test]
fn a_partial_selector_is_completed() {
    let flows = json!([{"name": "f", "selectors": [
        {"type": "channel", "entrypoints": ["http-post", "http-get"], "operations": ["PUBLISH"]},
        {"type": "condition", "condition": "{#request.id != null}"},
    ]}]);
    let printed = json!([{"name": "f", "enabled": true, "selectors": [
        {"type": "channel", "operations": ["publish"], "channel": "/", "channelOperator": "STARTS_WITH",
         "entrypoints": ["http-post", "http-get"]},
        {"type": "condition", "condition": "{#request.id != null}"},
    ], "request": [], "response": [], "subscribe": [], "publish": [], "tags": []}]);
    check_printed("/flows", flows, "/flows", &printed);
}

#[test]
fn steps_wait_for_their_policies() {
    let step = |policy: &str| json!([{"subscribe": [{"name": "s", "description": "d", "policy": policy, "enabled": false}]}]);
    check(
        "/flows",
        step("groovy"),
        r#"flows[0].subscribe[0].policy data.invalid: flows[0].subscribe[0].policy names the policy "groovy", which is not available in this version; remove the step"#,
    );
    check(
        "/flows",
        step("nope"),
        r#"flows[0].subscribe[0].policy data.invalid: flows[0].subscribe[0].policy names the unknown policy "nope"; remove the step"#,
    );
    check(
        "/flows",
        json!([{"request": [{"name": "s", "policy": "groovy"}], "publish": [{"description": "d", "configuration": 5}]}]),
        r#"flows[0].request[0].description data.invalid: flows[0].request[0].description must not be blank, a text is required
flows[0].publish[0].name data.invalid: flows[0].publish[0].name must not be blank, a text is required
flows[0].publish[0].policy data.invalid: flows[0].publish[0].policy must not be blank, a text is required
flows[0].publish[0].configuration data.invalid: flows[0].publish[0].configuration must be an object, found a number
flows[0].request[0].policy data.invalid: flows[0].request[0].policy names the policy "groovy", which is not available in this version; remove the step"#,
    );
    check(
        "/flows",
        json!([{"request": {}}, 5]),
        "flows[1] data.invalid: flows[1] must be an object, found a number\n\
flows[0].request data.invalid: flows[0].request must be a list, found an object",
    );
}

#[test]
fn a_step_stands_where_its_policy_can_run() {
    let step = |phase: &str, configuration: Value| json!([{(phase): [{"name": "s", "description": "d", "policy": "transform-headers", "configuration": configuration}]}]);
    let api =
        create(&with(mock_document(), &[("/flows", step("subscribe", json!({"removeHeaders": ["a"]})))]));
    let configuration = api.flows[0].subscribe[0].configuration.clone().unwrap();
    assert_eq!(configuration["removeHeaders"], json!(["a"]));
    assert_eq!(configuration["whitelistHeaders"], json!([]), "defaults are filled in");
    check(
        "/flows",
        step("request", json!({"addHeaders": [{"name": "a b"}], "removeHeaders": 5})),
        "flows[0].request[0].configuration.removeHeaders data.invalid: #/removeHeaders: expected type: array, found: 5; send a list",
    );
}

#[test]
fn flow_execution_wins_over_flow_mode() {
    let document = with(
        mock_document(),
        &[("/flowMode", json!("default")), ("/flowExecution", json!({"mode": "BEST_MATCH"}))],
    );
    assert_eq!(create(&document).flow_execution.mode, crate::api::FlowMode::BestMatch);
}

#[test]
fn what_could_never_work_is_refused() {
    let step = |configuration: Value| {
        json!([{"subscribe": [{"name": "s", "description": "d", "policy": "message-filtering", "configuration": configuration,
            "condition": "#requets.id == 'a'", "messageCondition": "{#message.content matches '('}"}]}])
    };
    let found = faults(&with(mock_document(), &[("/flows", step(json!({"filter": "order"})))]));
    let places: Vec<&str> = found.lines().filter_map(|line| line.split(' ').next()).collect();
    let expected = ["condition", "messageCondition", "configuration.filter"]
        .map(|place| format!("flows[0].subscribe[0].{place}"));
    assert_eq!(places, expected, "{found}");
    let path = json!({"filter": "{#jsonPath(#message.content, '$.a[') == 1}"});
    let found = faults(&with(mock_document(), &[("/flows", step(path))]));
    assert!(found.contains("the JSON path is not valid at character 4"), "{found}");
}

#[test]
fn a_step_names_a_resource_of_the_api() {
    let flows = json!([{"request": [{"name": "s", "description": "d", "policy": "policy-basic-authentication",
        "configuration": {"authenticationProviders": ["users"]}}]}]);
    let found = faults(&with(mock_document(), &[("/flows", flows.clone())]));
    let place = "flows[0].request[0].configuration.authenticationProviders[0] data.invalid: ";
    assert!(found.starts_with(place) && found.contains("\"users\" does not exist"), "{found}");
    let users = json!([{"name": "users", "type": "auth-provider-inline-resource", "configuration":
        {"users": [{"username": "u", "password": "p"}]}}]);
    let document = with(mock_document(), &[("/flows", flows), ("/resources", users)]);
    assert_eq!(faults(&document), "accepted");
}
