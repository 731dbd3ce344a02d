//! Which violation comes first, and the members of the root.

use super::*;
use pretty_assertions::assert_eq;

#[test]
fn what_is_no_document() {
    same(&faults(&json!([])), " data.invalid: the document must be an object, found a list");
    same(&faults(&Value::Null), " data.invalid: the document must not be null, an object is required");
    same(
        &faults(&json!({})),
        "type data.invalid: type must not be null, use one of async (message), sync (proxy)\n\
name data.invalid: name must not be blank, a text is required\n\
apiVersion data.invalid: apiVersion must not be blank, a text is required\n\
description data.invalid: description must not be blank, a text is required\n\
listeners data.invalid: listeners must not be null, a list is required\n\
endpointGroups data.invalid: endpointGroups must not be null, a list is required",
    );
}

#[test]
fn members_of_the_root() {
    check("/name", json!(" "), "name data.invalid: name must not be blank, a text is required");
    check("/name", json!(5), "name data.invalid: name must be a string, found a number");
    check(
        "/description",
        Value::Null,
        "description data.invalid: description must not be blank, a text is required",
    );
    check(
        "/type",
        json!("other"),
        "type data.invalid: type is unknown, use one of async (message), sync (proxy)",
    );
    check(
        "/definitionVersion",
        json!("2.0.0"),
        "definitionVersion data.invalid: definitionVersion is unsupported, it should be V4 (4.0.0) or higher",
    );
    check(
        "/definitionVersion",
        json!("9.9.9"),
        "definitionVersion data.invalid: definitionVersion is unknown, use 4.0.0 or V4",
    );
    check("/definitionVersion", Value::Null, "accepted");
    check("/flowMode", json!("BEST_MATCH"), "accepted");
    check(
        "/flowMode",
        json!("worst"),
        r#"flowMode data.invalid: flowMode has the unknown value "worst", expected one of default, best-match"#,
    );
    check("/tags", json!(["a", " "]), "tags[1] data.invalid: tags[1] must not be blank, a text is required");
    check(
        "/failover",
        json!({"maxFailures": 0}),
        "failover.maxFailures data.invalid: failover.maxFailures must be between 1 and 2147483647, found 0",
    );
    check("/failover", json!({"enabled": true, "failureCondition": "{#response.status == 503}"}), "accepted");
    check("/visibility", json!(5), "accepted");
}

#[test]
fn a_later_document_needs_no_description() {
    let document =
        with(mock_document(), &[("/description", Value::Null), ("/definitionVersion", json!("v4"))]);
    assert_eq!(faults(&document), "accepted");
}

#[test]
fn the_earliest_check_answers_first() {
    let document = with(
        mock_document(),
        &[
            ("/flows", json!([{"selectors": [{"type": "http"}]}])),
            ("/endpointGroups/0/name", json!("a:b")),
            ("/listeners/0/entrypoints/0/type", json!("nope")),
            ("/definitionVersion", json!("2.0.0")),
            ("/apiVersion", json!("")),
        ],
    );
    let paths: Vec<String> =
        read_api(&document, ReadApi::Create).unwrap_err().into_iter().map(|v| v.path).collect();
    assert_eq!(
        paths,
        [
            "apiVersion",
            "definitionVersion",
            "listeners[0].entrypoints[0].type",
            "endpointGroups[0].name",
            "flows[0].selectors[0].type",
        ]
    );
}

#[test]
fn proxy_apis_have_no_connectors_yet() {
    check(
        "/type",
        json!("proxy"),
        r#"listeners[0].entrypoints[0].type listeners.entrypoints.type.unsupported {}: listeners[0].entrypoints[0].type http-get belongs on a listener of type http in an API of type async
listeners[0].entrypoints[1].type listeners.entrypoints.type.unsupported {}: listeners[0].entrypoints[1].type http-post belongs on a listener of type http in an API of type async
endpointGroups[0].type api.endpointsGroup.type.invalid {"api.endpointsGroup[].type":"mock"}: endpointGroups[0].type mock belongs in an API of type async"#,
    );
}

#[test]
fn an_api_without_listener_is_drafted_but_not_started() {
    let api = create(&with(mock_document(), &[("/listeners", json!([]))]));
    same(
        &lines(&super::super::check_start(&api).unwrap_err()),
        "listeners data.invalid: listeners must not be empty, give the API a listener before it is started",
    );
    assert_eq!(super::super::check_start(&create(&mock_document())), Ok(()));
}
