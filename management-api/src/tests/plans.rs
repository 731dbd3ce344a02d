//! Plans: their resource, their life cycle, their order.

use super::{APIS, Rest, on_both_engines, plan};
use serde_json::{Value, json};

on_both_engines! {
    a_plan_as_printed,
    the_life_of_a_plan,
    lists_filter_by_status_and_security,
    one_key_less_plan_is_published,
    plans_are_reached_through_their_api,
    an_author_may_choose_the_id_once,
    updates_answer_the_plan,
    what_a_new_plan_must_have,
    a_plan_in_force_has_what_it_names,
}

async fn a_plan_as_printed(rest: Rest) {
    let api = rest.api("/a").await;
    let mut sent = plan("PUBLISHED");
    sent["characteristics"] = json!([]);
    let answer = rest.post(&format!("{api}/plans"), &sent).await.is(201);
    let created = answer.json();
    let id = created["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("http://management.example{api}/plans/{id}"));
    assert_eq!(created["validation"], "auto");
    assert_eq!(created["status"], "published");
    assert_eq!(created["order"], 0);
    assert_eq!(created["publishedAt"], created["createdAt"]);
    assert_eq!(created["planSecurity"], json!({"type": "key-less"}));
    assert_eq!(created["planStatus"], "published");
    assert_eq!(created["apiId"], api.rsplit('/').next().unwrap());
    assert_eq!(rest.get(&format!("{api}/plans/{id}")).await.is(200).json(), created);
    assert_eq!(rest.get(&api).await.json()["plans"], json!([created]));
}

async fn the_life_of_a_plan(rest: Rest) {
    let api = rest.api("/a").await;
    let plan = rest.plan(&api, "staging").await;
    assert_eq!(rest.act(&format!("{plan}/_deprecate")).await.refusal(), "400 plan.notPublished");
    let published = rest.act(&format!("{plan}/_publish")).await.is(200).json();
    assert_eq!((&published["status"], &published["order"]), (&json!("published"), &json!(1)));
    let again = rest.act(&format!("{plan}/_publish")).await;
    assert_eq!(again.refusal(), "400 plan.published");
    assert_eq!(again.json()["parameters"]["plan"], published["id"]);
    assert_eq!(rest.act(&format!("{plan}/_depreciate")).await.is(200).json()["status"], "deprecated");
    assert_eq!(rest.act(&format!("{plan}/_deprecate")).await.refusal(), "400 plan.deprecated");
    let closed = rest.act(&format!("{plan}/_close")).await.is(200).json();
    assert!(closed["closedAt"].is_number());
    assert_eq!(rest.act(&format!("{plan}/_close")).await.refusal(), "400 plan.closed");
    rest.call("DELETE", &plan, &[], "").await.is(204);
    assert_eq!(rest.get(&plan).await.refusal(), "404 plan.notFound");
}

async fn lists_filter_by_status_and_security(rest: Rest) {
    let api = rest.api("/a").await;
    rest.plan(&api, "staging").await;
    rest.plan(&api, "published").await;
    for (query, count) in [
        ("", 1),
        ("?status=STAGING,published", 2),
        ("?status=closed", 0),
        ("?security=KEY_LESS", 1),
        ("?status=staging&security=jwt", 0),
    ] {
        let plans = rest.get(&format!("{api}/plans{query}")).await.is(200).json();
        assert_eq!(plans.as_array().unwrap().len(), count, "{query}");
    }
    for query in ["?status=nonsense", "?status=published,nonsense", "?security=nonsense"] {
        assert_eq!(rest.get(&format!("{api}/plans{query}")).await.refusal(), "400 data.invalid", "{query}");
    }
}

async fn one_key_less_plan_is_published(rest: Rest) {
    let api = rest.api("/a").await;
    let first = rest.plan(&api, "published").await;
    let refused = rest.post(&format!("{api}/plans"), &plan("published")).await;
    assert_eq!(refused.refusal(), "400 plan.keyless.exists");
    let second = rest.plan(&api, "staging").await;
    assert_eq!(rest.act(&format!("{second}/_publish")).await.refusal(), "400 plan.keyless.exists");
    rest.act(&format!("{first}/_deprecate")).await.is(200);
    assert_eq!(rest.act(&format!("{second}/_publish")).await.refusal(), "400 plan.keyless.exists");
    rest.act(&format!("{first}/_close")).await.is(200);
    rest.act(&format!("{second}/_publish")).await.is(200);
}

async fn plans_are_reached_through_their_api(rest: Rest) {
    let (api, other) = (rest.api("/a").await, rest.api("/b").await);
    let plan = rest.plan(&api, "staging").await;
    let id = plan.rsplit('/').next().unwrap();
    for (method, path) in [
        ("GET", format!("{other}/plans/{id}")),
        ("POST", format!("{other}/plans/{id}/_publish")),
        ("DELETE", format!("{other}/plans/{id}")),
        ("GET", format!("{api}/plans/nope")),
    ] {
        assert_eq!(rest.call(method, &path, &[], "").await.refusal(), "404 plan.notFound", "{method} {path}");
    }
    assert_eq!(rest.get(&format!("{APIS}/nope/plans")).await.refusal(), "404 api.notFound");
}

async fn an_author_may_choose_the_id_once(rest: Rest) {
    let api = rest.api("/a").await;
    let mut sent = plan("staging");
    sent["id"] = json!("0b5c6f2e-0000-4000-8000-000000000001");
    let created = rest.post(&format!("{api}/plans"), &sent).await.is(201).json();
    assert_eq!(created["id"], sent["id"]);
    assert_eq!(rest.post(&format!("{api}/plans"), &sent).await.refusal(), "400 plan.exists");
    sent["id"] = json!("notuuid");
    rest.post(&format!("{api}/plans"), &sent).await.is(400);
}

async fn updates_answer_the_plan(rest: Rest) {
    let api = rest.api("/a").await;
    let plan = rest.plan(&api, "published").await;
    let mut edited: Value = rest.get(&plan).await.json();
    edited["name"] = json!("renamed");
    edited["status"] = json!("closed");
    edited["order"] = json!(7);
    let answer = rest.put(&plan, &edited).await.is(200).json();
    assert_eq!((&answer["name"], &answer["status"]), (&json!("renamed"), &json!("published")));
    assert_eq!(answer["order"], 1, "the only published plan is the first one");
    edited.as_object_mut().unwrap().remove("flows");
    let refused = rest.put(&plan, &edited).await;
    assert_eq!(refused.refusal(), "400 plan.missing_flows");
    assert_eq!(refused.json()["parameters"]["plan"], answer["id"]);
}

async fn what_a_new_plan_must_have(rest: Rest) {
    let api = rest.api("/a").await;
    let plans = format!("{api}/plans");
    for (member, code) in
        [("security", "plan.invalid"), ("name", "data.invalid"), ("description", "data.invalid")]
    {
        let mut sent = plan("staging");
        sent.as_object_mut().unwrap().remove(member);
        assert_eq!(rest.post(&plans, &sent).await.refusal(), format!("400 {code}"));
    }
    let mut sent = plan("staging");
    sent["security"]["type"] = json!("nonsense");
    assert_eq!(rest.post(&plans, &sent).await.refusal(), "400 plan.invalid");
    assert_eq!(rest.post(&plans, &plan("nonsense")).await.refusal(), "400 data.invalid");
}

async fn a_plan_in_force_has_what_it_names(rest: Rest) {
    let api = rest.api("/a").await;
    let of = |security: &str, configuration: Value, status: &str| {
        json!({"name": "p", "description": "d", "status": status, "flows": [], "validation": "manual",
            "security": {"type": security, "configuration": configuration}})
    };
    let plans = format!("{api}/plans");
    for (security, field) in [("jwt", "resolverParameter"), ("oauth2", "oauthResource")] {
        let refused = rest.post(&plans, &of(security, Value::Null, "published")).await.is(400);
        assert_eq!(refused.json()["details"][0]["path"], format!("security.configuration.{field}"));
    }
    let drafted = rest.post(&plans, &of("oauth2", Value::Null, "staging")).await.is(201).json();
    let draft = format!("{plans}/{}", drafted["id"].as_str().unwrap());
    let refused = rest.act(&format!("{draft}/_publish")).await;
    assert_eq!(refused.refusal(), "400 data.invalid");
    assert!(refused.text.contains("oauthResource"), "{}", refused.text);

    let settings = json!({"oauthResource": "server"});
    rest.put(&draft, &of("oauth2", settings, "staging")).await.is(200);
    rest.act(&format!("{draft}/_publish")).await.is(400);
    let mut edited = super::editable(&rest, &api).await;
    edited["resources"] = json!([{"name": "server", "type": "oauth2", "configuration":
        {"introspectionEndpoint": "http://127.0.0.1:1/i", "clientId": "i", "clientSecret": "s"}}]);
    rest.put(&api, &edited).await.is(200);
    rest.act(&format!("{draft}/_publish")).await.is(200);

    edited = super::editable(&rest, &api).await;
    edited["resources"] = json!([]);
    let refused = rest.put(&api, &edited).await;
    assert_eq!(refused.refusal(), "400 data.invalid");
    assert!(refused.text.contains("\"server\\\" does not exist"), "{}", refused.text);
    assert_eq!(rest.get(&api).await.json()["resources"][0]["name"], "server", "nothing was changed");
    rest.act(&format!("{api}/deploy")).await.is(200);
}
