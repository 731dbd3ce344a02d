//! What holds for every request: credentials, scope, paths, methods, bodies, headers.

use super::{APIS, Rest, document, on_both_engines};
use definition::limits::{DEFINITION_MAX_BYTES, MANAGEMENT_BODY_MAX_BYTES};
use serde_json::{Value, json};

on_both_engines! {
    credentials_come_before_everything,
    unknown_scopes_are_named,
    unknown_routes_and_methods_have_the_same_body,
    paths_may_end_in_slashes,
    any_content_type_is_json,
    bodies_that_are_no_documents,
    bodies_that_are_too_large,
    head_is_get_without_a_body,
    every_answer_keeps_browsers_from_guessing,
    the_description_is_served_under_both_names,
}

async fn credentials_come_before_everything(rest: Rest) {
    for wrong in ["", "Basic", "Basic YWRtaW46d3Jvbmc=", "Basic bm9ib2R5OmFkbWlu", "Bearer x"] {
        for (method, path, body) in
            [("GET", APIS, ""), ("POST", APIS, "{"), ("PUT", &format!("{APIS}/x"), "{")]
        {
            let answer = rest.call(method, path, &[("authorization", wrong)], body).await.is(401);
            assert_eq!(answer.text, "");
            assert_eq!(answer.header("www-authenticate"), r#"Basic realm="Tidegate Management API""#);
        }
    }
}

async fn unknown_scopes_are_named(rest: Rest) {
    let answer = rest.get("/management/organizations/nope/environments/DEFAULT/v4/apis").await;
    assert_eq!(answer.refusal(), "404 organization.notFound");
    assert_eq!(answer.json()["parameters"], json!({"organization": "nope"}));
    let nowhere = "/management/organizations/DEFAULT/environments/nope/v4/apis";
    let answer = rest.post(nowhere, &document("/x")).await;
    assert_eq!(answer.refusal(), "404 environment.notFound");
    assert_eq!(answer.json()["message"], "Environment [nope] can not be found.");
}

async fn unknown_routes_and_methods_have_the_same_body(rest: Rest) {
    let answer = rest.get("/management/nothing").await.is(404);
    assert_eq!(answer.json(), json!({"message": "HTTP 404 Not Found", "http_status": 404}));
    let answer = rest.call("PATCH", &format!("{APIS}/x"), &[], "").await.is(405);
    assert_eq!(answer.json(), json!({"message": "HTTP 405 Method Not Allowed", "http_status": 405}));
    assert!(answer.header("allow").contains("PUT"));
}

async fn paths_may_end_in_slashes(rest: Rest) {
    let created = rest.post(&format!("{APIS}/"), &document("/s")).await.is(201).json();
    let api = format!("{APIS}/{}", created["id"].as_str().unwrap());
    rest.get(&format!("{api}/")).await.is(200);
    rest.act(&format!("{api}/?action=start")).await.is(204);
    rest.act(&format!("{api}/deploy/")).await.is(200);
    rest.get("/swagger-ui/").await.is(200);
    rest.get("/swagger-ui").await.is(303);
}

async fn any_content_type_is_json(rest: Rest) {
    for (index, content_type) in
        ["text/plain", "application/x-www-form-urlencoded", "nonsense"].iter().enumerate()
    {
        let body = document(&format!("/c{index}")).to_string();
        rest.call("POST", APIS, &[("content-type", content_type)], &body).await.is(201);
    }
    rest.call("POST", APIS, &[("accept", "application/xml")], &document("/d").to_string()).await.is(201);
}

async fn bodies_that_are_no_documents(rest: Rest) {
    assert_eq!(rest.act(APIS).await.refusal(), "400 -");
    let answer = rest.call("POST", APIS, &[], "{\"name\":\n oops}").await;
    assert_eq!(answer.refusal(), "400 data.invalid");
    assert_eq!(answer.json()["parameters"], json!({"line": 2, "column": 2}));
    for body in ["[]", "null", "1", "\"text\""] {
        let answer = rest.call("POST", APIS, &[], body).await.is(400);
        assert!(!answer.json()["message"].as_str().unwrap().is_empty());
    }
    let deep = "[".repeat(100_000);
    rest.call("POST", APIS, &[], &deep).await.is(400);
    rest.call("POST", APIS, &[], "{\"name\":\"\\u0000\"}").await.is(400);
}

async fn bodies_that_are_too_large(rest: Rest) {
    let body = " ".repeat(MANAGEMENT_BODY_MAX_BYTES + 1);
    assert_eq!(rest.call("POST", APIS, &[], &body).await.refusal(), "413 -");
    let mut large = document("/large");
    large["description"] = Value::from("x".repeat(DEFINITION_MAX_BYTES));
    assert_eq!(rest.post(APIS, &large).await.refusal(), "413 -");
    assert_eq!(rest.get(APIS).await.json()["data"], json!([]));
}

async fn head_is_get_without_a_body(rest: Rest) {
    let api = rest.api("/h").await;
    let answer = rest.call("HEAD", &api, &[], "").await.is(200);
    assert_eq!(answer.text, "");
    assert_eq!(answer.header("etag"), "\"1\"");
}

async fn every_answer_keeps_browsers_from_guessing(rest: Rest) {
    for path in [APIS, "/nothing", "/openapi.json"] {
        let answer = rest.call("GET", path, &[("origin", "https://elsewhere.example")], "").await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
}

async fn the_description_is_served_under_both_names(rest: Rest) {
    let document = rest.call("GET", "/openapi.json", &[("authorization", "")], "").await.is(200).json();
    assert_eq!(document["info"]["title"], "Tidegate Management API");
    assert_eq!(rest.get("/swagger.json").await.is(200).json(), document);
    let page = rest.get("/swagger-ui/swagger-initializer.js").await.is(200);
    assert!(page.text.contains("/openapi.json"), "{}", page.text);
}
