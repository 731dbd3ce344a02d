use super::*;
use crate::secrets::MASK;
use serde_json::{Value, json};

#[test]
fn the_publishers_state_machine() {
    use SubscriptionAction::{Accept, Close, Pause, Reject, Resume};
    let table = [
        // accept, reject, pause, resume, close
        ("PENDING", ["ACCEPTED", "REJECTED", "notPausable", "notPaused", "REJECTED"]),
        ("ACCEPTED", ["processed", "processed", "PAUSED", "notPaused", "CLOSED"]),
        ("PAUSED", ["processed", "processed", "notPausable", "ACCEPTED", "CLOSED"]),
        ("REJECTED", ["processed", "processed", "notPausable", "notPaused", "closed"]),
        ("CLOSED", ["processed", "processed", "notPausable", "notPaused", "closed"]),
    ];
    for (from, expected) in table {
        let status = SubscriptionStatus::parse(from).unwrap();
        for (action, expected) in [Accept, Reject, Pause, Resume, Close].into_iter().zip(expected) {
            let found = match status.after(action) {
                Ok(status) => status.label().to_owned(),
                Err(error) => error.to_string().replace("subscription.", ""),
            };
            assert_eq!(found, expected, "{from} {action:?}");
        }
    }
}

#[test]
fn the_consumers_state_machine() {
    use ConsumerAction::{ResumeFailure, Start, Stop};
    let table = [
        ("STARTED", ["notPaused", "STOPPED", "notPaused"]),
        ("STOPPED", ["STARTED", "notPausable", "notPaused"]),
        ("FAILURE", ["notPaused", "notPausable", "STARTED"]),
    ];
    for (from, expected) in table {
        let status = ConsumerStatus::parse(from).unwrap();
        for (action, expected) in [Start, Stop, ResumeFailure].into_iter().zip(expected) {
            let found = match status.after(action) {
                Ok(status) => status.label().to_owned(),
                Err(error) => error.to_string().replace("subscription.", ""),
            };
            assert_eq!(found, expected, "{from} {action:?}");
        }
    }
}

fn configuration(value: Value) -> Result<ConsumerConfiguration, String> {
    match read_request(&json!({ "configuration": value }), None) {
        Ok(request) => Ok(request.configuration.unwrap()),
        Err(violations) => Err(format!("{} {}", violations[0].code, violations[0].message)),
    }
}

#[test]
fn both_shapes_become_one() {
    let settings =
        json!({"callbackUrl": "https://example.com/hook", "headers": [{"name": "X-A", "value": "b"}]});
    let mut flat = settings.clone();
    flat["entrypointId"] = json!("webhook");
    let nested = json!({"entrypointId": "webhook", "entrypointConfiguration": settings});
    let read = configuration(flat.clone()).unwrap();
    assert_eq!(read, configuration(nested.clone()).unwrap());
    assert_eq!(read, configuration(Value::from(flat.to_string())).unwrap(), "JSON text is read too");
    let (flat_again, nested_again) = (read.shown(Shape::Flat), read.shown(Shape::Nested));
    assert_eq!(configuration(flat_again.clone()).unwrap(), read);
    assert_eq!(configuration(nested_again.clone()).unwrap(), read);
    assert_eq!(flat_again["callbackUrl"], "https://example.com/hook");
    assert_eq!(nested_again["entrypointConfiguration"]["callbackUrl"], "https://example.com/hook");
    let with_channel = configuration(json!({"entrypointId": "webhook", "channel": "/orders",
        "entrypointConfiguration": {"callbackUrl": "http://x"}}));
    assert_eq!(with_channel.unwrap().channel.as_deref(), Some("/orders"));
}

#[test]
fn what_a_configuration_must_hold() {
    let webhook = |members: Value| {
        let mut value = json!({"entrypointId": "webhook"});
        value.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        configuration(value).unwrap_err()
    };
    for (found, expected) in [
        (configuration(json!({})).unwrap_err(), "subscription.entrypoint.missing"),
        (configuration(json!({"entrypointId": "nope"})).unwrap_err(), "plugin.notFound"),
        (configuration(json!({"entrypointId": "sse"})).unwrap_err(), "data.invalid"),
        (configuration(json!([])).unwrap_err(), "data.invalid"),
        (webhook(json!({})), "data.invalid #: required key [callbackUrl] not found"),
        (
            webhook(json!({"callbackUrl": "ftp://x"})),
            "data.invalid #/callbackUrl: \"ftp://x\" does not match",
        ),
        (webhook(json!({"callbackUrl": "https://"})), "data.invalid #/callbackUrl: must be an absolute URL"),
        (webhook(json!({"callbackUrl": "https://u:p@x"})), "data.invalid #/callbackUrl: must not hold user"),
        (
            webhook(json!({"callbackUrl": "https://x", "headers": [{"name": "a"}]})),
            "data.invalid #/headers/0: required key [value] not found",
        ),
        (
            webhook(json!({"callbackUrl": "https://x", "headers": [{"name": "a b", "value": "c"}]})),
            "data.invalid #/headers/0/name: \"a b\" does not match pattern",
        ),
        (
            webhook(json!({"callbackUrl": "https://x", "auth": {"type": "basic"}})),
            "data.invalid #/auth: basic must be set",
        ),
        (
            webhook(
                json!({"callbackUrl": "https://x", "retry": {"initialDelaySeconds": 5, "maxDelaySeconds": 2}}),
            ),
            "data.invalid #/retry: initialDelaySeconds must not be greater",
        ),
    ] {
        assert!(found.starts_with(expected), "{found:?} is not {expected:?}");
    }
    let expression = configuration(json!({"entrypointId": "webhook", "callbackUrl": "https://{#x}/a"}));
    assert!(expression.is_ok(), "an expression is not a URL before it is evaluated");
}

#[test]
fn secrets_are_masked_and_kept() {
    let value = json!({"entrypointId": "webhook", "callbackUrl": "https://x",
        "auth": {"type": "basic", "basic": {"username": "u", "password": "hush"}}});
    let stored = configuration(value).unwrap();
    let shown = stored.shown(Shape::Nested);
    assert_eq!(shown["entrypointConfiguration"]["auth"]["basic"]["password"], MASK);
    let read = read_request(&json!({"consumerConfiguration": shown}), Some(&stored)).unwrap();
    assert_eq!(read.configuration.as_ref(), Some(&stored));
    let refused = read_request(&json!({"consumerConfiguration": shown}), None).unwrap_err();
    assert!(refused[0].message.contains("masked"), "{refused:?}");
}

#[test]
fn updates_and_decisions() {
    let update =
        json!({"id": "s", "starting_at": 5, "endingAt": "1970-01-01T00:00:01Z", "metadata": {"a": "b"}});
    let update = read_update(&update, "s", None).unwrap();
    assert_eq!((update.starting_at_ms, update.ending_at_ms), (Some(5), Some(1000)));
    assert_eq!(update.metadata.unwrap().get("a").map(String::as_str), Some("b"));
    for (document, place) in [
        (json!({"id": "other"}), "id"),
        (json!({"starting_at": 5, "ending_at": 4}), "ending_at"),
        (json!({"starting_at": "soon"}), "starting_at"),
        (json!({"metadata": {"a": {}}}), "metadata.a"),
        (json!({"metadata": []}), "metadata"),
    ] {
        let found = read_update(&document, "s", None).unwrap_err();
        assert_eq!(found[0].path, place, "{document}");
    }
    let decision =
        read_decision(&json!({"accepted": true, "reason": "ok", "customApiKey": "12345678"}), "s").unwrap();
    assert!(decision.accepted && decision.custom_api_key.as_deref() == Some("12345678"));
    assert!(!read_decision(&json!({}), "s").unwrap().accepted);
    assert_eq!(read_transfer(&json!({"planId": "p"}), "s").unwrap(), "p");
    assert_eq!(read_transfer(&json!({}), "s").unwrap_err()[0].path, "plan");
}
