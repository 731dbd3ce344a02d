//! PUT, entity tags, and paths that collide.

use super::{APIS, Rest, document, editable, on_both_engines};
use serde_json::json;

on_both_engines! {
    what_is_read_can_be_sent_back,
    properties_resources_and_templates_are_kept_from_the_start,
    identity_and_type_stay,
    entity_tags_rise_and_guard,
    paths_exclude_each_other_by_prefix,
    of_two_creations_at_once_one_gets_the_path,
    plans_of_a_document,
    deprecating_an_api_deprecates_its_plans,
}

async fn what_is_read_can_be_sent_back(rest: Rest) {
    let api = rest.api("/a").await;
    rest.plan(&api, "published").await;
    rest.plan(&api, "closed").await;
    let before = editable(&rest, &api).await;
    let answer = rest.put(&api, &before).await.is(200);
    assert_eq!(answer.header("etag"), "\"2\"");
    let mut after = answer.json();
    for value in [&mut after, &mut before.clone()] {
        assert!(value["updatedAt"].is_number());
    }
    after["updatedAt"] = before["updatedAt"].clone();
    for (index, plan) in before["plans"].as_array().unwrap().iter().enumerate() {
        after["plans"][index]["updatedAt"] = plan["updatedAt"].clone();
    }
    assert_eq!(after, before);
}

async fn properties_resources_and_templates_are_kept_from_the_start(rest: Rest) {
    let mut sent = document("/p");
    sent["properties"] = json!([{"key": "k", "value": "v"}]);
    sent["resources"] =
        json!([{"name": "r", "type": "unknown", "enabled": false, "configuration": {"a": 1}}]);
    sent["responseTemplates"] = json!({"DEFAULT": {"*/*": {"status": 400, "body": "no"}}});
    let created = rest.post(APIS, &sent).await.is(201).json();
    assert_eq!(created["properties"][0]["value"], "v");
    assert_eq!(created["resources"][0]["configuration"], json!({"a": 1}));
    assert_eq!(created["responseTemplates"]["DEFAULT"]["*/*"]["body"], "no");
    let api = format!("{APIS}/{}", created["id"].as_str().unwrap());
    assert_eq!(rest.get(&api).await.is(200).json(), created);
    for member in ["properties", "resources", "responseTemplates"] {
        let mut wrong = document("/q");
        wrong[member] = json!("text");
        let refused = rest.post(APIS, &wrong).await;
        assert_eq!(refused.refusal(), "400 data.invalid", "{member}");
        assert_eq!(refused.json()["details"][0]["path"], member);
    }
}

async fn identity_and_type_stay(rest: Rest) {
    let api = rest.api("/a").await;
    let mut other_id = editable(&rest, &api).await;
    other_id["id"] = json!("0b5c6f2e-0000-4000-8000-000000000000");
    rest.put(&api, &other_id).await.is(400);
    let mut other_type = editable(&rest, &api).await;
    other_type["type"] = json!("sync");
    assert_eq!(rest.put(&api, &other_type).await.refusal(), "400 apiType.notAllowed");
    let nowhere = format!("{APIS}/nope");
    assert_eq!(rest.put(&nowhere, &other_id).await.refusal(), "404 api.notFound");
}

async fn entity_tags_rise_and_guard(rest: Rest) {
    let api = rest.api("/a").await;
    let tag = |answer: &super::Answer| answer.header("etag").trim_matches('"').parse::<i64>().unwrap();
    let first = tag(&rest.get(&api).await);
    let body = editable(&rest, &api).await.to_string();
    let put = async |if_match: &str| rest.call("PUT", &api, &[("if-match", if_match)], &body).await;
    let second = tag(&put(&format!("W/\"{first}-gzip\"")).await.is(200));
    assert!(second > first);
    let stale = put(&format!("\"{first}\"")).await.is(412);
    assert_eq!(stale.text, "");
    put("*").await.is(200);
    let stale = [("if-match", "\"1\"")];
    for (method, path) in
        [("POST", format!("{api}?action=start")), ("POST", format!("{api}/deploy")), ("DELETE", api.clone())]
    {
        rest.call(method, &path, &stale, "").await.is(412);
    }
    let third = tag(&rest.act(&format!("{api}?action=start")).await.is(204));
    let fourth = tag(&rest.act(&format!("{api}/deploy")).await.is(200));
    let fifth = tag(&rest.act(&format!("{api}?action=stop")).await.is(204));
    assert!(third < fourth && fourth < fifth);
    let last = [("if-match", &*format!("\"{fifth}\""))];
    rest.call("DELETE", &api, &last, "").await.is(204);
}

async fn paths_exclude_each_other_by_prefix(rest: Rest) {
    let api = rest.api("/data/kafka").await;
    for path in ["/data/kafka", "data//kafka/", "/data", "/data/kafka/sub", "/"] {
        let answer = rest.post(APIS, &document(path)).await;
        assert_eq!(answer.refusal(), "400 api.listener.paths.path.exists", "{path}");
        assert!(answer.json()["parameters"]["api.listeners['http'].paths[].path.exists"].is_string());
        assert_eq!(answer.json()["details"][0]["path"], "listeners[0].paths[0].path");
    }
    for path in ["/data/kafka2", "/dat", "/data2", "/DATA/kafka"] {
        rest.api(path).await;
    }
    let mut hosted = document("/data/kafka");
    hosted["listeners"][0]["paths"][0]["host"] = json!("a.example");
    rest.post(APIS, &hosted).await.is(201);
    hosted["listeners"][0]["paths"][0]["path"] = json!("/data");
    rest.post(APIS, &hosted).await.is(400);
    hosted["listeners"][0]["paths"][0]["host"] = json!("b.example");
    rest.post(APIS, &hosted).await.is(201);

    let own = editable(&rest, &api).await;
    rest.put(&api, &own).await.is(200);
    let mut moved = own.clone();
    moved["listeners"][0]["paths"] = json!([{"path": "/data2/x"}]);
    assert_eq!(rest.put(&api, &moved).await.refusal(), "400 api.listener.paths.path.exists");
    moved["listeners"][0]["paths"] = json!([{"path": "/free"}, {"path": "/free/"}]);
    rest.put(&api, &moved).await.is(400);
    moved["listeners"][0]["paths"] = json!([{"path": "/free"}, {"path": "/free/sub"}]);
    rest.put(&api, &moved).await.is(200);
    rest.api("/data/kafka").await;
}

async fn of_two_creations_at_once_one_gets_the_path(rest: Rest) {
    let (one, other) = (document("/race"), document("/race/sub"));
    let answers = tokio::join!(rest.post(APIS, &one), rest.post(APIS, &other));
    let mut statuses = [answers.0.status.as_u16(), answers.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400]);
}

async fn plans_of_a_document(rest: Rest) {
    let api = rest.api("/a").await;
    rest.plan(&api, "published").await;
    rest.plan(&api, "closed").await;
    let mut edited = editable(&rest, &api).await;
    edited["plans"][0]["name"] = json!("renamed");
    assert_eq!(rest.put(&api, &edited).await.is(200).json()["plans"][0]["name"], "renamed");
    let closed = edited["plans"].as_array().unwrap().iter().position(|p| p["status"] == "closed").unwrap();
    edited["plans"][closed]["status"] = json!("published");
    assert_eq!(rest.put(&api, &edited).await.refusal(), "400 data.invalid");
    edited["plans"] = json!([{"id": "0b5c6f2e-0000-4000-8000-000000000000", "name": "n", "description": "d",
        "validation": "auto", "security": {"type": "key-less"}, "flows": []}]);
    let unknown = rest.put(&api, &edited).await;
    assert_eq!(unknown.refusal(), "400 data.invalid");
    assert_eq!(unknown.json()["details"][0]["path"], "plans[0].id");
    edited.as_object_mut().unwrap().remove("plans");
    assert_eq!(rest.put(&api, &edited).await.is(200).json()["plans"][0]["name"], "renamed");
}

async fn deprecating_an_api_deprecates_its_plans(rest: Rest) {
    let api = rest.api("/a").await;
    rest.plan(&api, "staging").await;
    rest.plan(&api, "published").await;
    rest.plan(&api, "closed").await;
    let mut edited = editable(&rest, &api).await;
    edited["lifecycleState"] = json!("DEPRECATED");
    let plans = rest.put(&api, &edited).await.is(200).json()["plans"].clone();
    let mut statuses: Vec<&str> =
        plans.as_array().unwrap().iter().filter_map(|p| p["status"].as_str()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["closed", "deprecated", "deprecated"]);
    let refused = rest.post(&format!("{api}/plans"), &super::plan("staging")).await;
    assert_eq!(refused.refusal(), "400 api.deprecated");
}
