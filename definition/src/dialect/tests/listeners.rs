//! Listeners, paths, cross-origin rules, entrypoints and their quality of service.

use super::*;
use pretty_assertions::assert_eq;

const ENTRYPOINT: &str = "/listeners/0/entrypoints/0";

#[test]
fn what_a_listener_must_hold() {
    check(
        "/listeners",
        json!([null]),
        "listeners[0] data.invalid: listeners[0] must not be null, an object is required",
    );
    check("/listeners", json!({}), "listeners data.invalid: listeners must be a list, found an object");
    check(
        "/listeners/0/type",
        json!("smtp"),
        r#"listeners[0].type data.invalid: listeners[0].type has the unknown value "smtp", expected one of http, subscription, tcp"#,
    );
    check(
        "/listeners/0/type",
        Value::Null,
        "listeners[0].type data.invalid: listeners[0].type must not be null, use one of http, subscription, tcp",
    );
    check(
        "/listeners/0/paths",
        json!([]),
        "listeners[0].paths listeners.http.paths.missing {}: listeners[0].paths must not be empty, give a path",
    );
    check(
        "/listeners/0/paths",
        json!("/x"),
        "listeners[0].paths data.invalid: listeners[0].paths must be a list, found a string",
    );
    check(
        "/listeners/0/entrypoints",
        Value::Null,
        "listeners[0].entrypoints listeners.entrypoints.missing {}: listeners[0].entrypoints must not be empty, give an entrypoint",
    );
    check(
        "/listeners/1",
        mock_document()["listeners"][0].clone(),
        r#"listeners[1] api.listeners.type.duplicated {"api.listeners.type.duplicated":"[http]"}: listeners[1] repeats another http listener, remove one of them
listeners[1].paths[0] api.listener.paths.path.exists {"api.listeners['http'].paths[].path.exists":"/cap-a/"}: listeners[1].paths[0] repeats the path /cap-a/ of this API, remove one of them"#,
    );
    check(
        "/listeners/0/pathMappings",
        json!(["/a/:id", "("]),
        "listeners[0].pathMappings[1] data.invalid: listeners[0].pathMappings[1] must be a regular expression: error: unclosed group",
    );
    check("/listeners", json!([]), "accepted");
}

#[test]
fn paths_are_sanitised_or_refused() {
    check_printed(
        "/listeners/0/paths",
        json!([{"path": "//x//y"}]),
        "/listeners/0/paths/0/path",
        &json!("/x/y/"),
    );
    check_printed("/listeners/0/paths", json!([{}]), "/listeners/0/paths/0", &json!({"path": "/"}));
    let whole = json!([{"path": "/x/", "host": "example.com:8082", "overrideAccess": true}]);
    let printed = json!({"host": "example.com:8082", "path": "/x/", "overrideAccess": true});
    check_printed("/listeners/0/paths", whole, "/listeners/0/paths/0", &printed);
    check(
        "/listeners/0/paths",
        json!([{"path": "/a/../b"}]),
        r#"listeners[0].paths[0].path data.invalid: listeners[0].paths[0].path must not hold the segment "..", write the path that it leads to"#,
    );
    check(
        "/listeners/0/paths",
        json!([{"path": "/a", "host": "http://x"}]),
        "listeners[0].paths[0].host data.invalid: listeners[0].paths[0].host must be a host name or address, without scheme and path",
    );
    check(
        "/listeners/0/paths",
        json!([{"path": "/a"}, {"path": "a/"}]),
        r#"listeners[0].paths[1] api.listener.paths.path.exists {"api.listeners['http'].paths[].path.exists":"/a/"}: listeners[0].paths[1] repeats the path /a/ of this API, remove one of them"#,
    );
}

#[test]
fn cross_origin_rules() {
    let place = "/listeners/0/cors";
    let sent = json!({"enabled": true, "allowOrigin": ["*"], "allowMethods": ["post", "GET"],
        "allowHeaders": ["X-Foo"], "maxAge": 30});
    let printed = json!({"enabled": true, "allowCredentials": false, "allowOrigin": ["*"],
        "allowHeaders": ["x-foo"], "allowMethods": ["POST", "GET"], "exposeHeaders": [], "maxAge": 30});
    check_printed(place, sent, place, &printed);
    check_printed(place, json!({"enabled": false, "maxAge": 30}), place, &json!({"enabled": false}));
    check(
        place,
        json!({"enabled": true, "allowOrigin": ["https://x/y"], "allowMethods": ["EAT"]}),
        r#"listeners[0].cors.allowMethods[0] data.invalid: listeners[0].cors.allowMethods[0] must be one of GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS, CONNECT, TRACE, OTHER
listeners[0].cors.allowOrigin[0] allowOrigin.notAllowed {"allowOrigin":"https://x/y"}: listeners[0].cors.allowOrigin[0] must be *, null, an origin such as https://example.com, or a regular expression"#,
    );
}

#[test]
fn entrypoints_are_known_or_named() {
    check(
        &format!("{ENTRYPOINT}/type"),
        Value::Null,
        "listeners[0].entrypoints[0].type listeners.entrypoints.type.missing {}: listeners[0].entrypoints[0].type must not be blank, a text is required",
    );
    check(
        &format!("{ENTRYPOINT}/type"),
        json!("nope"),
        r#"listeners[0].entrypoints[0].type plugin.notFound {"plugin":"nope"} 404: listeners[0].entrypoints[0].type names the unknown entrypoint "nope", use one of http-get, http-post, http-proxy, sse, sse-advanced, webhook, webhook-advanced, websocket"#,
    );
    check(
        &format!("{ENTRYPOINT}/type"),
        json!("HTTP-GET"),
        r#"listeners[0].entrypoints[0].type plugin.notFound {"plugin":"HTTP-GET"} 404: listeners[0].entrypoints[0].type names the unknown entrypoint "HTTP-GET", use one of http-get, http-post, http-proxy, sse, sse-advanced, webhook, webhook-advanced, websocket"#,
    );
    check(
        &format!("{ENTRYPOINT}/type"),
        json!("tcp-proxy"),
        "listeners[0].entrypoints[0].type data.invalid: listeners[0].entrypoints[0].type tcp-proxy is not available in this version, use one of http-get, http-post, http-proxy, sse, sse-advanced, webhook, webhook-advanced, websocket",
    );
    check(
        ENTRYPOINT,
        json!({"type": "webhook"}),
        "listeners[0].entrypoints[0].type listeners.entrypoints.type.unsupported {}: listeners[0].entrypoints[0].type webhook belongs on a listener of type subscription in an API of type async",
    );
    check(
        "/listeners/0/type",
        json!("subscription"),
        "listeners[0].entrypoints[0].type listeners.entrypoints.type.unsupported {}: listeners[0].entrypoints[0].type http-get belongs on a listener of type http in an API of type async\n\
listeners[0].entrypoints[1].type listeners.entrypoints.type.unsupported {}: listeners[0].entrypoints[1].type http-post belongs on a listener of type http in an API of type async",
    );
    check(
        "/listeners/0/entrypoints/2",
        json!({"type": "http-get"}),
        r#"listeners[0].entrypoints[2] api.listeners.entrypoints.type.duplicated {"api.listeners.entrypoints.type.duplicated":"[http-get]"}: listeners[0].entrypoints[2] repeats the entrypoint http-get of this listener, remove one of them"#,
    );
    check(
        ENTRYPOINT,
        json!({"type": "sse", "dlq": {"endpoint": "e"}}),
        "listeners[0].entrypoints[0].dlq listeners.entrypoints.dlq.unsupported {}: listeners[0].entrypoints[0].dlq is not supported by the entrypoint sse, remove it",
    );
}

#[test]
fn entrypoint_settings_follow_their_schema() {
    let place = "/listeners/0/entrypoints/0/configuration";
    check(
        place,
        json!({"messagesLimitCount": "many", "messagesLimitDurationMs": -5, "headersInPayload": 1}),
        r#"listeners[0].entrypoints[0].configuration.messagesLimitCount data.invalid: #/messagesLimitCount: expected type: integer, found: "many"; send a whole number
listeners[0].entrypoints[0].configuration.messagesLimitDurationMs data.invalid: #/messagesLimitDurationMs: -5 is out of range, use a value from -1 to 86400000
listeners[0].entrypoints[0].configuration.headersInPayload data.invalid: #/headersInPayload: expected type: boolean, found: 1; send true or false"#,
    );
    check(place, json!("{\"messagesLimitCount\": \"7\"}"), "accepted");
    check(
        place,
        json!("not json"),
        "listeners[0].entrypoints[0].configuration data.invalid: listeners[0].entrypoints[0].configuration must be an object or text that holds one as JSON: expected ident at line 1 column 2",
    );
    check(
        place,
        json!([]),
        "listeners[0].entrypoints[0].configuration data.invalid: listeners[0].entrypoints[0].configuration must be an object, found a list",
    );
    check(
        ENTRYPOINT,
        json!({"type": "sse", "configuration": {"heartbeatIntervalInMs": 10}}),
        "listeners[0].entrypoints[0].configuration.heartbeatIntervalInMs data.invalid: #/heartbeatIntervalInMs: 10 is out of range, use a value from 2000 to 3600000",
    );
    let completed = json!({"messagesLimitCount": 7, "messagesLimitDurationMs": 5000, "headersInPayload": false,
        "metadataInPayload": false});
    check_printed(
        place,
        json!({"messagesLimitCount": "7", "unknown": 1, "headersInPayload": null}),
        place,
        &completed,
    );
}

#[test]
fn a_quality_of_service_must_be_in_its_cell() {
    check(
        &format!("{ENTRYPOINT}/qos"),
        json!("none"),
        "listeners[0].entrypoints[0].qos listeners.entrypoints.qos.invalid {}: listeners[0].entrypoints[0].qos none is not possible for the entrypoint http-get over the endpoint mock (group g), use auto or at-most-once or at-least-once",
    );
    check(
        &format!("{ENTRYPOINT}/qos"),
        json!("exactly-once"),
        r#"listeners[0].entrypoints[0].qos data.invalid: listeners[0].entrypoints[0].qos has the unknown value "exactly-once", expected one of none, auto, at-most-once, at-least-once"#,
    );
    check(
        "/listeners/0/entrypoints/1/qos",
        json!("AT_LEAST_ONCE"),
        "listeners[0].entrypoints[1].qos listeners.entrypoints.qos.invalid {}: listeners[0].entrypoints[1].qos at-least-once is not possible for the entrypoint http-post over the endpoint mock (group g), use none or auto",
    );
    check_printed(
        &format!("{ENTRYPOINT}/qos"),
        json!("AT-LEAST-ONCE"),
        &format!("{ENTRYPOINT}/qos"),
        &json!("at-least-once"),
    );
    let mut document = mock_document();
    document["listeners"][0]["entrypoints"][0]["qos"] = Value::Null;
    same(
        &faults(&document),
        "listeners[0].entrypoints[0].qos listeners.entrypoints.qos.invalid {}: listeners[0].entrypoints[0].qos must not be null, leave it out or use one of none, auto, at-most-once, at-least-once",
    );
}

/// A listener for webhooks beside the one for clients.
fn push(entrypoint: &Value) -> Value {
    let mut document = mock_document();
    let listener = json!({"type": "SUBSCRIPTION", "entrypoints": [entrypoint]});
    document["listeners"].as_array_mut().unwrap().push(listener);
    document
}

#[test]
fn webhooks_stand_on_a_listener_of_their_own() {
    same(&faults(&push(&json!({"type": "webhook"}))), "accepted");
    let advanced = json!({"type": "webhook-advanced", "qos": "AT_LEAST_ONCE", "dlq": {"endpoint": "g"}});
    same(&faults(&push(&advanced)), "accepted");
    let settings = json!({"type": "webhook", "configuration": {"http": {"maxConcurrentConnections": 0}}});
    same(
        &faults(&push(&settings)),
        "listeners[1].entrypoints[0].configuration.http.maxConcurrentConnections data.invalid: #/http/maxConcurrentConnections: 0 is out of range, use a value from 1 to 20",
    );
}

#[test]
fn dead_letters_need_somebody_who_takes_them() {
    let target = |name: &str| push(&json!({"type": "webhook", "dlq": {"endpoint": name}}));
    same(
        &faults(&target("nobody")),
        r#"listeners[1].entrypoints[0].dlq.endpoint listeners.entrypoints.dlq.invalid {}: listeners[1].entrypoints[0].dlq.endpoint names "nobody", which is no endpoint or endpoint group of this API"#,
    );
    let mut silent = target("dead");
    silent["endpointGroups"].as_array_mut().unwrap().push(
        json!({"name": "dead", "type": "kafka", "endpoints": [
        {"name": "d", "type": "kafka", "configuration": {"bootstrapServers": "h:1", "topics": ["t"],
            "consumer": {"enabled": false}, "producer": {"enabled": false}}}]}),
    );
    let found = faults(&silent);
    let expected =
        r#"dlq.endpoint names "dead", which messages cannot be published to: enable its `producer`"#;
    assert!(found.contains(expected), "{found}");
}

#[test]
fn the_password_of_a_webhooks_proxy_is_masked_and_kept() {
    let proxy = |password: &str| {
        let proxy = json!({"enabled": true, "host": "p", "port": 1, "username": "u", "password": password});
        push(&json!({"type": "webhook", "configuration": {"proxy": proxy}}))
    };
    let stored = create(&proxy("hush"));
    let place = "/listeners/1/entrypoints/0/configuration/proxy/password";
    let shown = Value::Object(beta_api(&stored));
    assert_eq!(shown.pointer(place).unwrap(), crate::secrets::MASK);
    assert_eq!(again(&stored).unwrap().listeners, stored.listeners);
    assert!(faults(&proxy(crate::secrets::MASK)).contains("is masked and nothing is stored for it"));
}
