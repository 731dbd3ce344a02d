//! Logging of the beta and analytics of 4.x.

use super::*;
use pretty_assertions::assert_eq;

#[test]
fn beta_logging_is_stored_in_the_later_form_and_printed_back() {
    let place = "/listeners/0/logging";
    let sent =
        json!({"mode": "client", "scope": "REQUEST", "content": "headers_payloads", "condition": "{#true}"});
    let printed =
        json!({"mode": "CLIENT", "scope": "REQUEST", "content": "HEADERS_PAYLOADS", "condition": "{#true}"});
    check_printed(place, sent.clone(), place, &printed);
    let api = create(&with(mock_document(), &[(place, sent)]));
    assert_eq!(
        Value::from(api.analytics.clone().unwrap()),
        json!({"enabled": true, "logging": {
            "mode": {"entrypoint": true, "endpoint": false}, "phase": {"request": true, "response": false},
            "content": {"headers": true, "messageHeaders": true, "payload": false, "messagePayload": true,
                "messageMetadata": false},
            "condition": "{#true}",
        }})
    );
    assert_eq!(again(&api), Ok(api));
    check(
        place,
        json!({"mode": "ALL"}),
        r#"listeners[0].logging.mode data.invalid: listeners[0].logging.mode has the unknown value "ALL", expected one of NONE, CLIENT, PROXY, CLIENT_PROXY"#,
    );
}

#[test]
fn what_the_beta_cannot_say_is_printed_as_it_is() {
    let block = json!({"logging": {"mode": {"entrypoint": true}, "phase": {"request": true},
        "content": {"messageMetadata": true}, "messageCondition": "{#true}"}});
    let api = create(&with(mock_document(), &[("/analytics", block)]));
    let out = Value::Object(beta_api(&api));
    assert_eq!(out["analytics"]["messageSampling"], json!({"type": "count", "value": "100"}));
    assert_eq!(out["analytics"]["logging"]["messageCondition"], "{#true}");
    assert_eq!(again(&api), Ok(api));
}

#[test]
fn analytics_are_checked() {
    check(
        "/analytics",
        json!({"logging": {"mode": {"endpoint": true}}}),
        "analytics.logging logging.invalid {}: analytics.logging must name a phase and a content when a mode is on",
    );
    check(
        "/analytics",
        json!({"logging": {"content": {"payload": true}, "phase": 5}}),
        "analytics.logging.phase data.invalid: analytics.logging.phase must be an object, found a number\n\
analytics.logging logging.invalid {}: analytics.logging cannot hold content.payload in an API of type async, set it to false",
    );
    check(
        "/analytics",
        json!({"messageSampling": {"type": "count", "value": 9}}),
        r#"analytics.messageSampling.value analytics.messageSampling.value.invalid {"samplingType":"count","value":"9"}: analytics.messageSampling.value must be a whole number of at least 10"#,
    );
    check(
        "/analytics",
        json!({"sampling": {"type": "temporal", "value": "PT0.1S"}}),
        r#"analytics.sampling.value analytics.messageSampling.value.invalid {"samplingType":"temporal","value":"PT0.1S"}: analytics.sampling.value must be an ISO-8601 duration of at least PT1S"#,
    );
    check(
        "/analytics",
        json!({"sampling": {"value": "1"}}),
        "analytics.sampling.type data.invalid: analytics.sampling.type must not be null, use one of count, probability, temporal",
    );
}
