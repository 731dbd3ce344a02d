//! Updates: what is replaced, what is kept, what must not change.

use super::*;
use pretty_assertions::assert_eq;

fn current() -> Api {
    let mut api = create(&mock_document());
    api.labels = vec!["l".to_owned()];
    api.categories = vec!["c".to_owned()];
    api.groups = vec!["g".to_owned()];
    api.cross_id = Some("x".to_owned());
    api.tags = vec!["t".to_owned()];
    api
}

fn update(current: &Api, changes: &[(&str, Value)]) -> Result<Api, Vec<Violation>> {
    let document = with(mock_document(), &[("/id", json!("id-1")), ("/visibility", json!("PUBLIC"))]);
    read_api(&with(document, changes), ReadApi::Update { id: "id-1", current })
}

#[track_caller]
fn check_update(current: &Api, changes: &[(&str, Value)], expected: &str) {
    same(&update(current, changes).map_or_else(|v| lines(&v), |_| "accepted".to_owned()), expected);
}

#[test]
fn portal_members_are_kept_and_the_others_replaced() {
    let api = update(&current(), &[]).unwrap();
    assert_eq!(api.labels, ["l"]);
    assert_eq!(api.categories, ["c"]);
    assert_eq!(api.groups, ["g"]);
    assert_eq!(api.cross_id.as_deref(), Some("x"));
    assert_eq!(api.visibility, crate::api::Visibility::Public);
    assert!(api.tags.is_empty());
    let api = update(
        &current(),
        &[
            ("/labels", json!([])),
            ("/crossId", json!("y")),
            ("/lifecycleState", json!("published")),
            ("/properties", json!([{"key": "k", "value": "v", "encrypted": true, "dynamic": true}])),
            (
                "/resources",
                json!([{"name": "r", "type": "other", "enabled": false, "configuration": "{\"a\":1}"}]),
            ),
            (
                "/responseTemplates",
                json!({"DEFAULT": {"*/*": {"statusCode": 418, "headers": {"a": "b"}, "body": "x"}}}),
            ),
            ("/services", json!({"dynamicProperty": {"enabled": false, "type": "http-dynamic-properties"}})),
        ],
    )
    .unwrap();
    let out = Value::Object(beta_api(&api));
    assert_eq!(out["labels"], json!([]));
    assert_eq!(out["crossId"], "y");
    assert_eq!(out["lifecycleState"], "PUBLISHED");
    assert_eq!(
        out["properties"],
        json!([{"key": "k", "value": "********", "encrypted": true, "dynamic": true}])
    );
    assert_eq!(
        out["resources"],
        json!([{"name": "r", "type": "other", "configuration": {"a": 1}, "enabled": false}])
    );
    assert_eq!(
        out["responseTemplates"],
        json!({"DEFAULT": {"*/*": {"status": 418, "headers": {"a": "b"}, "body": "x"}}})
    );
    assert_eq!(again(&api), Ok(api));
}

#[test]
fn what_an_update_must_say() {
    let current = current();
    check_update(
        &current,
        &[("/id", Value::Null)],
        "id data.invalid: id must be id-1, the API that the request names",
    );
    check_update(
        &current,
        &[("/id", json!("other")), ("/visibility", Value::Null), ("/definitionVersion", Value::Null)],
        "definitionVersion data.invalid: definitionVersion must not be null, use 4.0.0 or V4\n\
visibility data.invalid: visibility must not be null, use one of PUBLIC, PRIVATE\n\
id data.invalid: id must be id-1, the API that the request names",
    );
    check_update(
        &current,
        &[("/type", json!("sync"))],
        "type apiType.notAllowed {}: type must stay async, it cannot be changed",
    );
    check_update(&current, &[("/type", json!("MESSAGE")), ("/description", Value::Null)], "accepted");
    check_update(
        &current,
        &[(
            "/properties",
            json!([{"key": "k"}, {"key": "k", "value": "********", "encrypted": true, "encryptable": true}]),
        )],
        "properties[0].value data.invalid: properties[0].value must not be null, a text is required\n\
properties[1].encryptable data.invalid: properties[1].encryptable must not be true: encryption of properties is not available in this version\n\
properties[1].key data.invalid: properties[1].key is used twice, choose another\n\
properties[1].value data.invalid: properties[1].value is masked and nothing is stored for it",
    );
    check_update(
        &current,
        &[("/resources", json!([{"type": "other"}, 5]))],
        "resources[1] data.invalid: resources[1] must be an object, found a number\n\
resources[0].name data.invalid: resources[0].name must not be blank, a text is required\n\
resources[0].type data.invalid: resources[0].type is not available in this version, set enabled to false or remove the resource",
    );
    check_update(
        &current,
        &[(
            "/responseTemplates",
            json!({"A": 1, "B": {"*/*": {}}, "C": {"x": {"status": 42, "headers": {"h": 1}}}}),
        )],
        "responseTemplates.A data.invalid: responseTemplates.A must be an object, found a number\n\
responseTemplates.B.*/*.statusCode data.invalid: responseTemplates.B.*/*.statusCode must not be null, a status from 100 to 599 is required\n\
responseTemplates.C.x.status data.invalid: responseTemplates.C.x.status must be between 100 and 599, found 42\n\
responseTemplates.C.x.headers.h data.invalid: responseTemplates.C.x.headers.h must be a string, found a number",
    );
    check_update(
        &current,
        &[("/services", json!({"dynamicProperty": {"type": "http-dynamic-properties"}}))],
        "services.dynamicProperty data.invalid: services.dynamicProperty is not available in this version, set enabled to false or remove it",
    );
}

#[test]
fn the_publication_state_moves_by_rules() {
    use crate::api::LifecycleState as S;
    #[track_caller]
    fn check(from: S, to: &str, expected: &str) {
        let mut current = current();
        current.lifecycle_state = from;
        let found = update(&current, &[("/lifecycleState", json!(to))]);
        same(&found.map_or_else(|v| lines(&v), |api| api.lifecycle_state.to_string()), expected);
    }
    check(S::Created, "PUBLISHED", "PUBLISHED");
    check(S::Published, "published", "PUBLISHED");
    check(
        S::Unpublished,
        "CREATED",
        r#"lifecycleState api.lifecycleState.invalid {"lifecycleState":"CREATED"}: lifecycleState cannot return to CREATED, the API was published once"#,
    );
    check(
        S::Archived,
        "CREATED",
        r#"lifecycleState api.lifecycleState.invalid {"lifecycleState":"CREATED"}: lifecycleState cannot be changed, the API is archived"#,
    );
    check(
        S::Deprecated,
        "DEPRECATED",
        r#"lifecycleState api.lifecycleState.invalid {"lifecycleState":"DEPRECATED"}: lifecycleState cannot be sent for a deprecated API, leave it out"#,
    );
    check(
        S::Created,
        "GONE",
        r#"lifecycleState data.invalid: lifecycleState has the unknown value "GONE", expected one of CREATED, PUBLISHED, UNPUBLISHED, DEPRECATED, ARCHIVED"#,
    );
}

#[test]
fn the_family_stays_that_of_the_creation() {
    let sse = json!({"type": "sse", "qos": "at-least-once"});
    let kafka = json!({"name": "g", "type": "kafka", "endpoints": [
        {"name": "e", "type": "kafka", "configuration": {"bootstrapServers": "k:1", "topics": ["t"]}}]});
    let changes = [("/listeners/0/entrypoints/0", sse), ("/endpointGroups/0", kafka)];
    let later = create(&with(with(mock_document(), &changes), &[("/type", json!("MESSAGE"))]));
    assert_eq!(again(&later), Ok(later), "its beta answer is accepted");
    let mut spelled_later = changes.to_vec();
    spelled_later.push(("/type", json!("MESSAGE")));
    check_update(
        &current(),
        &spelled_later,
        "listeners[0].entrypoints[0].qos listeners.entrypoints.qos.invalid {}: listeners[0].entrypoints[0].qos at-least-once is not possible for the entrypoint sse over the endpoint kafka (group g), use none or auto",
    );
}

#[test]
fn masked_secrets_keep_their_value() {
    let configuration = json!({"bootstrapServers": "k:1", "topics": ["t"],
        "security": {"sasl": {"saslMechanism": "PLAIN", "saslJaasConfig": "hush"}}});
    let group = json!({"name": "g", "type": "kafka", "sharedConfiguration": {"security": {"ssl": {"keyStore": {"key": "hush"}}}},
        "endpoints": [{"name": "e", "type": "kafka", "configuration": configuration}]});
    let api = create(&with(mock_document(), &[("/endpointGroups/0", group)]));
    let shown = Value::Object(beta_api(&api)).to_string();
    assert!(!shown.contains("hush"), "{shown}");
    assert_eq!(shown.matches("********").count(), 2);
    assert_eq!(again(&api), Ok(api.clone()));
    let mut renamed = beta_api(&api);
    renamed.insert("id".to_owned(), json!("id-1"));
    renamed["endpointGroups"][0]["endpoints"][0]["name"] = json!("f");
    let found = read_api(&Value::Object(renamed), ReadApi::Update { id: "id-1", current: &api });
    same(
        &lines(&found.unwrap_err()),
        "endpointGroups[0].endpoints[0].configuration.security.sasl.saslJaasConfig data.invalid: #: security.sasl.saslJaasConfig is masked and nothing is stored for it at this address, send the value",
    );
}
