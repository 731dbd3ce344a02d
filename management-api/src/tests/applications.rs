//! Applications: their resource, their lists, their end and their way back.

use super::{APPLICATIONS, Rest, on_both_engines, store};
use serde_json::{Value, json};

on_both_engines! {
    an_application_as_printed,
    what_an_application_must_have,
    client_identifiers_are_unique_while_active,
    lists_filter_and_order,
    archiving_closes_and_restoring_does_not_reopen,
    a_new_name_reaches_gateways,
}

fn simple(name: &str) -> Value {
    json!({"name": name, "description": "d", "settings": {"app": {"type": "t"}}})
}

async fn an_application_as_printed(rest: Rest) {
    let answer = rest.post(APPLICATIONS, &simple("app-x")).await.is(201);
    let created = answer.json();
    let id = created["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("http://management.example{APPLICATIONS}/{id}"));
    for (member, expected) in [
        ("name", json!("app-x")),
        ("description", json!("d")),
        ("groups", json!([])),
        ("status", json!("ACTIVE")),
        ("type", json!("SIMPLE")),
        ("settings", json!({"app": {"type": "t"}})),
        ("disable_membership_notifications", json!(false)),
        ("api_key_mode", json!("UNSPECIFIED")),
    ] {
        assert_eq!(created[member], expected, "{member}");
    }
    assert_eq!(created["owner"]["displayName"], "admin");
    assert!(created["created_at"].is_i64() && created["updated_at"].is_i64());
    let url = format!("{APPLICATIONS}/{id}");
    assert_eq!(rest.get(&url).await.is(200).json(), created);
    let changed = rest.put(&url, &json!({"name": "other", "description": ""})).await.is(200).json();
    assert_eq!((&changed["name"], &changed["settings"]), (&json!("other"), &created["settings"]));
    let unknown = rest.get(&format!("{APPLICATIONS}/nope")).await;
    assert_eq!(unknown.refusal(), "404 application.notFound");
    assert_eq!(unknown.json()["parameters"], json!({"application": "nope"}));
}

async fn what_an_application_must_have(rest: Rest) {
    let refused =
        rest.post(APPLICATIONS, &json!({"name": " ", "settings": {"app": {}, "oauth": {}}})).await.is(400);
    let places: Vec<Value> =
        refused.json()["details"].as_array().unwrap().iter().map(|detail| detail["path"].clone()).collect();
    assert_eq!(places, ["name", "description", "settings"], "every fault at once");
    for (document, code) in [
        (
            json!({"name": "n", "description": "d", "settings": {"app": {}, "oauth": {}}}),
            "application.invalid",
        ),
        (
            json!({"name": "n", "description": "d", "api_key_mode": "SHARED"}),
            "application.apiKeyMode.invalid",
        ),
    ] {
        assert_eq!(rest.post(APPLICATIONS, &document).await.refusal(), format!("400 {code}"));
    }
    let bare = rest.post(APPLICATIONS, &json!({"name": "n", "description": ""})).await.is(201).json();
    assert_eq!(bare["settings"], json!({"app": {}}));
}

async fn client_identifiers_are_unique_while_active(rest: Rest) {
    let first = rest.application(Some("c")).await;
    let second = json!({"name": "n", "description": "d", "settings": {"oauth": {"client_id": "c"}}});
    let refused = rest.post(APPLICATIONS, &second).await;
    assert_eq!(refused.refusal(), "400 application.clientId.exists");
    assert_eq!(refused.json()["parameters"], json!({"clientId": "c"}));
    rest.call("DELETE", &format!("{APPLICATIONS}/{first}"), &[], "").await.is(204);
    rest.post(APPLICATIONS, &second).await.is(201);
    let refused = rest.act(&format!("{APPLICATIONS}/{first}/_restore")).await;
    assert_eq!(refused.refusal(), "400 application.clientId.exists");
}

async fn lists_filter_and_order(rest: Rest) {
    for name in ["beta", "alpha", "Gamma"] {
        rest.post(APPLICATIONS, &simple(name)).await.is(201);
    }
    let names = |list: &Value| {
        list.as_array()
            .unwrap()
            .iter()
            .map(|app| app["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for (query, expected) in [
        ("", vec!["Gamma", "alpha", "beta"]),
        ("?order=-name", vec!["beta", "alpha", "Gamma"]),
        ("?order=updated_at", vec!["beta", "alpha", "Gamma"]),
        ("?query=AM", vec!["Gamma"]),
        ("?status=ARCHIVED", vec![]),
        ("?ids=nope", vec![]),
    ] {
        let list = rest.get(&format!("{APPLICATIONS}{query}")).await.is(200).json();
        assert_eq!(names(&list), expected, "{query}");
    }
    let page = rest.get(&format!("{APPLICATIONS}/_paged?page=2&size=2")).await.is(200).json();
    assert_eq!(names(&page["data"]), ["beta"]);
    let position = json!({"current": 2, "size": 1, "per_page": 2, "total_pages": 2, "total_elements": 3});
    assert_eq!(page["page"], position);
    for wrong in ["order=size", "status=NOPE"] {
        assert_eq!(rest.get(&format!("{APPLICATIONS}?{wrong}")).await.refusal(), "400 data.invalid");
    }
}

async fn archiving_closes_and_restoring_does_not_reopen(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let plan = rest.plan_of(&api, "api-key", "auto").await;
    let subscription = rest.subscription(&api, &plan, &application).await;
    let url = format!("{APPLICATIONS}/{application}");
    rest.call("DELETE", &url, &[], "").await.is(204);
    assert_eq!(rest.get(&url).await.is(200).json()["status"], "ARCHIVED");
    assert_eq!(rest.get(&subscription).await.is(200).json()["status"], "CLOSED");
    let keys = rest.get(&format!("{subscription}/apikeys")).await.is(200).json();
    assert_eq!(keys[0]["revoked"], true);
    assert_eq!(rest.wanted().await, Vec::<String>::new());

    let again = format!("{api}/subscriptions?application={application}&plan={plan}");
    assert_eq!(rest.act(&again).await.refusal(), "400 application.archived");
    assert_eq!(rest.put(&url, &simple("x")).await.refusal(), "400 application.archived");
    assert_eq!(rest.call("DELETE", &url, &[], "").await.refusal(), "400 application.archived");
    assert_eq!(rest.act(&format!("{url}/_restore")).await.is(200).json()["status"], "ACTIVE");
    assert_eq!(rest.get(&subscription).await.is(200).json()["status"], "CLOSED");
    rest.act(&again).await.is(201);
}

async fn a_new_name_reaches_gateways(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(Some("old")).await);
    let plan = rest.plan_of(&api, "jwt", "auto").await;
    rest.subscription(&api, &plan, &application).await;
    let url = format!("{APPLICATIONS}/{application}");
    let renamed = json!({"name": "renamed", "description": "d", "settings": {"app": {"client_id": "new"}}});
    rest.put(&url, &renamed).await.is(200);
    let body = &rest.wanted().await[0];
    assert!(
        body.contains(r#""applicationName":"renamed""#) && body.contains(r#""clientId":"new""#),
        "{body}"
    );
    let without = json!({"name": "renamed", "description": "d", "settings": {"app": {}}});
    assert_eq!(rest.put(&url, &without).await.refusal(), "400 application.clientId.missing");
    assert_eq!(store::count(&rest.db, "select count(*) from deployed where kind = 'subscription'").await, 1);
}
