//! Create, start, stop, deploy, delete.

use super::{APIS, Rest, document, editable, on_both_engines, store};
use crate::deploy_log::store::revisions_after;
use crate::scope::Scope;
use serde_json::json;

on_both_engines! {
    an_api_is_born_stopped_and_private,
    the_first_start_deploys_and_later_ones_do_not,
    deploying_keeps_the_state,
    actions_out_of_order,
    an_api_without_listeners_is_a_draft,
    deleting,
    every_change_leaves_one_audit_row,
}

fn scope() -> Scope {
    Scope { organization: "DEFAULT".to_owned(), environment: "DEFAULT".to_owned() }
}

impl Rest {
    /// Revisions that gateways have been given so far.
    async fn revisions(&self) -> usize {
        revisions_after(&self.db, &scope(), 0).await.unwrap().len()
    }
}

async fn an_api_is_born_stopped_and_private(rest: Rest) {
    let mut sent = document("/data/kafka");
    sent["visibility"] = json!("PUBLIC");
    sent["unknown"] = json!({"a": 1});
    let answer = rest.post(APIS, &sent).await.is(201);
    let api = answer.json();
    let id = api["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("http://management.example{APIS}/{id}"));
    assert!(!answer.headers.contains_key("etag"));
    assert_eq!(api["listeners"][0]["paths"][0]["path"], "/data/kafka/");
    assert_eq!(api["state"], "STOPPED");
    assert_eq!(api["visibility"], "PRIVATE");
    assert_eq!(api["lifecycleState"], "CREATED");
    assert_eq!(api["plans"], json!([]));
    assert_eq!(api["primaryOwner"]["displayName"], "admin");
    assert!(api.get("deployedAt").is_none());
    let members: Vec<&str> = api.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        members[..12],
        [
            "id",
            "name",
            "apiVersion",
            "definitionVersion",
            "type",
            "createdAt",
            "updatedAt",
            "description",
            "listeners",
            "endpointGroups",
            "plans",
            "flowMode"
        ]
    );
    assert_eq!(rest.get(&format!("{APIS}/{id}")).await.is(200).json(), api);
    assert_eq!(rest.revisions().await, 0);
}

async fn the_first_start_deploys_and_later_ones_do_not(rest: Rest) {
    let api = rest.api("/a").await;
    rest.plan(&api, "published").await;
    let started = rest.act(&format!("{api}?action=start")).await.is(204);
    assert_eq!(started.text, "");
    assert_eq!(started.header("etag"), "\"2\"");
    let first = started.header("x-tidegate-deployment").to_owned();
    let shown = rest.get(&api).await;
    assert_eq!(shown.header("etag"), "\"2\"");
    let deployed_at = shown.json()["deployedAt"].clone();
    assert_eq!(shown.json()["state"], "STARTED");
    assert_eq!(rest.revisions().await, 1);

    let mut edited = editable(&rest, &api).await;
    edited["name"] = json!("Edited");
    rest.put(&api, &edited).await.is(200);
    assert_eq!(rest.revisions().await, 1, "an update reaches no gateway");

    rest.act(&format!("{api}?action=STOP")).await.is(204);
    let again = rest.act(&format!("{api}?action=Start")).await.is(204);
    assert_ne!(again.header("x-tidegate-deployment"), first);
    assert_eq!(rest.get(&api).await.json()["deployedAt"], deployed_at, "starting again deploys nothing new");
    assert_eq!(rest.revisions().await, 3);
    let bodies = store::count(&rest.db, "select count(*) from resource_version").await;
    assert_eq!(bodies, 1, "the content is still the one of the first start");
}

async fn deploying_keeps_the_state(rest: Rest) {
    let api = rest.api("/a").await;
    let stopped = rest.act(&format!("{api}/deploy")).await.is(200);
    assert_eq!(stopped.json()["state"], "STOPPED");
    assert!(!stopped.headers.contains_key("x-tidegate-deployment"), "no gateway was told");
    assert_eq!(stopped.json()["deployedAt"], stopped.json()["updatedAt"]);
    assert_eq!(rest.revisions().await, 0, "nothing is wanted of a stopped API");
    rest.act(&format!("{api}?action=start")).await.is(204);
    assert_eq!(rest.revisions().await, 1);

    let mut edited = editable(&rest, &api).await;
    edited["name"] = json!("Edited");
    rest.put(&api, &edited).await.is(200);
    let deployed = rest.post(&format!("{api}/deploy"), &json!({"deploymentLabel": "v2"})).await.is(200);
    assert_eq!(deployed.json()["state"], "STARTED");
    assert!(deployed.headers.contains_key("x-tidegate-deployment"));
    assert_eq!(rest.revisions().await, 2);
    rest.act(&format!("{api}/deploy")).await.is(200);
    assert_eq!(rest.revisions().await, 2, "equal content spends no revision");
    let too_long = json!({"deploymentLabel": "x".repeat(40)});
    let refused = rest.post(&format!("{api}/deploy"), &too_long).await;
    assert_eq!(refused.refusal(), "400 data.invalid");
    assert_eq!(refused.json()["details"][0]["path"], "deploymentLabel");
}

async fn actions_out_of_order(rest: Rest) {
    let api = rest.api("/a").await;
    for query in ["", "?action=", "?action=pause"] {
        assert_eq!(rest.act(&format!("{api}{query}")).await.refusal(), "400 -");
    }
    let stop = rest.act(&format!("{api}?action=STOP")).await;
    assert_eq!(stop.json(), json!({"message": "API is already stopped", "http_status": 400}));
    rest.act(&format!("{api}?action=START")).await.is(204);
    let start = rest.act(&format!("{api}?action=START")).await;
    assert_eq!(start.json(), json!({"message": "API is already started", "http_status": 400}));

    let mut archived = editable(&rest, &api).await;
    archived["lifecycleState"] = json!("ARCHIVED");
    rest.put(&api, &archived).await.is(200);
    assert_eq!(rest.act(&format!("{api}?action=STOP")).await.refusal(), "400 -");
}

async fn an_api_without_listeners_is_a_draft(rest: Rest) {
    let mut draft = document("/x");
    draft["listeners"] = json!([]);
    let created = rest.post(APIS, &draft).await.is(201).json();
    let api = format!("{APIS}/{}", created["id"].as_str().unwrap());
    let refused = rest.act(&format!("{api}?action=start")).await.is(400);
    assert_eq!(refused.json()["details"][0]["path"], "listeners");
    rest.act(&format!("{api}/deploy")).await.is(400);
    assert_eq!(rest.get(&api).await.json()["state"], "STOPPED");
}

async fn deleting(rest: Rest) {
    let api = rest.api("/a").await;
    let id = api.rsplit('/').next().unwrap();
    rest.plan(&api, "published").await;
    rest.plan(&api, "staging").await;
    rest.act(&format!("{api}?action=start")).await.is(204);
    let running = rest.call("DELETE", &api, &[], "").await;
    assert_eq!(running.refusal(), "400 api.running");
    assert_eq!(running.json()["parameters"], json!({"api": id}));
    rest.act(&format!("{api}?action=stop")).await.is(204);
    let open = rest.call("DELETE", &api, &[], "").await;
    assert_eq!(open.refusal(), "400 api.notDeletable");
    assert_eq!(open.json()["parameters"], json!({"plans": "p"}));
    let gone = rest.call("DELETE", &format!("{api}?closePlans=true"), &[], "").await.is(204);
    assert_eq!(gone.text, "");
    assert_eq!(rest.get(&api).await.refusal(), "404 api.notFound");
    assert_eq!(rest.call("DELETE", &api, &[], "").await.refusal(), "404 api.notFound");
    let left =
        store::count(&rest.db, "select (select count(*) from plans) + (select count(*) from api_paths)")
            .await;
    assert_eq!(left, 0);
    rest.api("/a").await;
}

async fn every_change_leaves_one_audit_row(rest: Rest) {
    let api = rest.api("/a").await;
    let plan = rest.plan(&api, "staging").await;
    rest.act(&format!("{plan}/_publish")).await.is(200);
    rest.act(&format!("{api}?action=start")).await.is(204);
    rest.act(&format!("{api}?action=start")).await.is(400);
    rest.act(&format!("{api}/deploy")).await.is(200);
    rest.act(&format!("{plan}/_close")).await.is(200);
    rest.act(&format!("{api}?action=stop")).await.is(204);
    rest.call("DELETE", &api, &[], "").await.is(204);
    let rows = store::texts(&rest.db, "select action from audit order by id").await;
    assert_eq!(
        rows,
        [
            "api.create",
            "plan.create",
            "plan.publish",
            "api.start",
            "api.deploy",
            "plan.close",
            "api.stop",
            "api.delete"
        ]
    );
}
