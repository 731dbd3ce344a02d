//! The management API as its users call it, on both stores: the life of an API and of its plans, what is refused and how.

use crate::harness::client::{Answer, http};
use crate::harness::definitions::{all_entrypoints, api, mock};
use crate::harness::stack::{Stack, Store};
use reqwest::Method;
use serde_json::{Value, json};

fn document(path: &str) -> Value {
    api(path, &all_entrypoints(), &mock("{}", 100, None))
}

fn code(answer: &Answer) -> Value {
    answer.json()["technicalCode"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_lives_and_dies_on_sqlite() {
    life(&Stack::start(Store::Sqlite, 0).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_lives_and_dies_on_postgres() {
    life(&Stack::start(Store::Postgres, 0).await).await;
}

async fn life(stack: &Stack) {
    let client = &stack.client;
    let created = client.post("/v4/apis", Some(&document("//life"))).await.expect(201, "create");
    let body = created.json();
    let api = body["id"].as_str().expect("an id").to_owned();
    let path = format!("/v4/apis/{api}");
    assert!(created.header("location").ends_with(&path), "location: {}", created.header("location"));
    assert_eq!(body["listeners"][0]["paths"][0]["path"], "/life/");
    assert_eq!((&body["state"], &body["visibility"]), (&json!("STOPPED"), &json!("PRIVATE")));
    assert_eq!(body["listeners"][0]["entrypoints"][2], json!({ "type": "sse", "qos": "auto" }));
    assert!(body.get("deployedAt").is_none(), "nothing is deployed by a creation");

    let list = client.get("/v4/apis").await.expect(200, "list").json();
    assert_eq!(list["data"].as_array().map(|apis| apis[0]["id"].clone()), Some(json!(api)), "{list}");

    let plan = client.create_keyless_plan(&api).await;
    client.start(&api).await;
    client.post(&format!("{path}?action=START"), None).await.expect(400, "start twice");
    assert_eq!(client.get_api(&api).await["state"], "STARTED");

    let before = client.get(&path).await.expect(200, "get");
    let mut changed = before.json();
    changed["name"] = json!("Renamed");
    let updated = client.call(Method::PUT, &path, Some(&changed)).await.expect(200, "update");
    assert_eq!(updated.json()["name"], "Renamed");
    assert_ne!(before.header("etag"), updated.header("etag"));

    let deployed = client.deploy(&api).await;
    assert!(!deployed.header("x-tidegate-deployment").is_empty(), "a deployment has a name");
    assert!(deployed.json()["deployedAt"].is_number());

    let running = client.call(Method::DELETE, &path, None).await.expect(400, "delete while started");
    assert_eq!(code(&running), "api.running");
    client.stop(&api).await;
    let planned = client.call(Method::DELETE, &path, None).await.expect(400, "delete with a published plan");
    assert_eq!(code(&planned), "api.notDeletable");
    client.post(&format!("{path}/plans/{plan}/_close"), None).await.expect(200, "close the plan");
    client.call(Method::DELETE, &path, None).await.expect(204, "delete");
    let gone = client.get(&path).await.expect(404, "get after delete");
    assert_eq!(code(&gone), "api.notFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_against_an_old_version_is_refused() {
    let stack = Stack::start(Store::Sqlite, 0).await;
    let api = stack.client.create_api(&document("/versions")).await;
    let url = format!(
        "http://127.0.0.1:{}/management/organizations/DEFAULT/environments/DEFAULT/v4/apis/{api}",
        stack.management.rest
    );
    let first = stack.client.get(&format!("/v4/apis/{api}")).await.expect(200, "get");
    let put = async |etag: &str, name: &str| {
        let mut body = first.json();
        body["name"] = json!(name);
        let request = http().put(&url).basic_auth("admin", Some("admin")).header("If-Match", etag);
        Answer::read(request.json(&body).send().await.expect("management answers")).await
    };
    let etag = first.header("etag").to_owned();
    let second = put(&etag, "second").await.expect(200, "update with the current version");
    let refused = put(&etag, "third").await.expect(412, "update with an old version");
    assert_eq!(refused.text, "");
    put(&format!("W/{}", second.header("etag")), "fourth")
        .await
        .expect(200, "update with a weak current version");
    assert_eq!(stack.client.get_api(&api).await["name"], "fourth");
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_go_one_way() {
    let stack = Stack::start(Store::Postgres, 0).await;
    let client = &stack.client;
    let api = client.create_api(&document("/plans")).await;
    let plans = format!("/v4/apis/{api}/plans");
    let draft = json!({ "name": "p", "description": "d", "security": { "type": "KEY_LESS" } });
    let plan = client.post(&plans, Some(&draft)).await.expect(201, "create").json();
    assert_eq!((&plan["status"], &plan["validation"]), (&json!("staging"), &json!("auto")));
    let path = format!("{plans}/{}", plan["id"].as_str().expect("an id"));

    let early =
        client.post(&format!("{path}/_deprecate"), None).await.expect(400, "deprecate a staging plan");
    assert_eq!(code(&early), "plan.notPublished");
    let published = client.post(&format!("{path}/_publish"), None).await.expect(200, "publish").json();
    assert_eq!((&published["status"], &published["order"]), (&json!("published"), &json!(1)));
    let again = client.post(&format!("{path}/_publish"), None).await.expect(400, "publish twice");
    assert_eq!(code(&again), "plan.published");

    let second = client.post(&plans, Some(&draft)).await.expect(201, "create a second one").json();
    let second = format!("{plans}/{}", second["id"].as_str().expect("an id"));
    let clash =
        client.post(&format!("{second}/_publish"), None).await.expect(400, "publish a second key-less plan");
    assert_eq!(code(&clash), "plan.keyless.exists");

    client.post(&format!("{path}/_deprecate"), None).await.expect(200, "deprecate");
    client.post(&format!("{path}/_close"), None).await.expect(200, "close");
    let closed = client.get(&path).await.expect(200, "get the plan").json();
    assert_eq!(closed["status"], "closed");
    assert!(closed["closedAt"].is_number());
    let twice = client.post(&format!("{path}/_close"), None).await.expect(400, "close twice");
    assert_eq!(code(&twice), "plan.closed");
    let listed = client.get(&format!("{plans}?status=STAGING,CLOSED")).await.expect(200, "list").json();
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_as_people_write_them_are_understood() {
    let stack = Stack::start(Store::Sqlite, 0).await;
    let client = &stack.client;
    let text = serde_json::to_vec(&document("/as-written")).expect("JSON");
    let created =
        client.post_raw("/v4/apis/", "text/plain", text).await.expect(201, "slash and a strange type");
    let api = created.json()["id"].as_str().expect("an id").to_owned();
    client.create_keyless_plan(&api).await;
    client.post(&format!("/v4/apis/{api}/?action=start"), None).await.expect(204, "slash and lower case");
    client.post(&format!("/v4/apis/{api}/deploy/"), None).await.expect(200, "deploy without a body");
    client.change_api(&api, |body| body["validation"] = json!("an unknown member")).await;
    client.post(&format!("/v4/apis/{api}?action=stop"), None).await.expect(204, "stop");
    client.post(&format!("/v4/apis/{api}?action=jump"), None).await.expect(400, "an unknown action");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_oversized_bodies_and_wrong_addresses_are_turned_away() {
    let stack = Stack::start(Store::Sqlite, 0).await;
    let base =
        format!("http://127.0.0.1:{}/management/organizations/DEFAULT/environments/", stack.management.rest);
    let http = http();
    for request in [
        http.get(format!("{base}DEFAULT/v4/apis")),
        http.get(format!("{base}DEFAULT/v4/apis")).basic_auth("admin", Some("wrong")),
    ] {
        let answer = Answer::read(request.send().await.expect("an answer")).await.expect(401, "a stranger");
        assert_eq!(answer.text, "");
        assert!(answer.header("www-authenticate").starts_with("Basic realm="), "{:?}", answer.headers);
    }
    let nowhere = http.get(format!("{base}NOPE/v4/apis")).basic_auth("admin", Some("admin")).send().await;
    let nowhere = Answer::read(nowhere.expect("an answer")).await.expect(404, "an unknown environment");
    assert!(nowhere.text.contains("NOPE"), "{}", nowhere.text);

    let mut large = document("/large");
    large["description"] = json!("x".repeat(3 * 1024 * 1024));
    stack.client.post("/v4/apis", Some(&large)).await.expect(413, "a body of three megabytes");
    let unknown = stack.client.get("/v4/nothing").await.expect(404, "an unknown route").json();
    assert_eq!(unknown["http_status"], 404);
    assert!(unknown["message"].is_string(), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_concurrent_claims_to_one_path_one_wins_on_sqlite() {
    one_wins(&Stack::start(Store::Sqlite, 0).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_concurrent_claims_to_one_path_one_wins_on_postgres() {
    one_wins(&Stack::start(Store::Postgres, 0).await).await;
}

async fn one_wins(stack: &Stack) {
    for round in 0..5 {
        // Each path is a prefix of the next, so any two of them exclude each other.
        let documents = [
            format!("/claim-{round}"),
            format!("/claim-{round}/below"),
            format!("/claim-{round}/below/this"),
        ]
        .map(|path| document(&path));
        let answers =
            futures::future::join_all(documents.iter().map(|body| stack.client.post("/v4/apis", Some(body))))
                .await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
        assert_eq!(won.len(), 1, "{answers:?}");
        for answer in lost {
            assert_eq!(
                (answer.status.as_u16(), code(answer)),
                (400, json!("api.listener.paths.path.exists"))
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_saved_is_there_after_a_kill() {
    let mut stack = Stack::start(Store::Sqlite, 0).await;
    let api = stack.client.create_api(&document("/kept")).await;
    stack.client.create_keyless_plan(&api).await;
    stack.client.start(&api).await;
    let before = stack.client.get_api(&api).await;
    stack.management.process.kill().await;
    stack.management.start().await;
    assert_eq!(stack.client.get_api(&api).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_of_the_api_and_its_page_are_served() {
    let stack = Stack::start(Store::Sqlite, 0).await;
    let origin = format!("http://127.0.0.1:{}", stack.management.rest);
    let document = http().get(format!("{origin}/openapi.json")).send().await.expect("an answer");
    let document = Answer::read(document).await.expect(200, "the document").json();
    assert!(
        document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")),
        "{}",
        document["openapi"]
    );
    let paths = document["paths"].as_object().expect("a document has paths");
    let create =
        paths.iter().find(|(path, _)| path.ends_with("/v4/apis")).map(|(_, methods)| &methods["post"]);
    assert!(create.is_some_and(|create| create["requestBody"].is_object()), "creating an API is documented");
    let text = document.to_string();
    for level in ["none", "auto", "at-most-once", "at-least-once"] {
        assert!(text.contains(&format!("\"{level}\"")), "the level {level} is spelled out");
    }
    let page = http().get(format!("{origin}/swagger-ui/")).send().await.expect("an answer");
    let page = Answer::read(page).await.expect(200, "Swagger UI");
    assert!(page.text.contains("swagger"), "{}", page.text);
}
