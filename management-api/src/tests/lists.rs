//! Pages of APIs.

use super::{APIS, Rest, document, on_both_engines};
use serde_json::{Value, json};

on_both_engines! {
    pages,
    items_of_a_page_have_their_own_plans,
}

async fn pages(rest: Rest) {
    let empty = rest.get(APIS).await.is(200).json();
    assert_eq!(empty, json!({"data": [], "pagination": {}, "links": {}}));
    for name in ["c", "a", "b"] {
        let mut sent = document(&format!("/{name}"));
        sent["name"] = json!(name);
        rest.post(APIS, &sent).await.is(201);
    }
    let names = |page: &Value| {
        page["data"].as_array().unwrap().iter().map(|api| api["name"].clone()).collect::<Vec<_>>()
    };
    let all = rest.get(APIS).await.is(200).json();
    assert_eq!(names(&all), ["a", "b", "c"]);
    assert_eq!(
        all["pagination"],
        json!({"page": 1, "perPage": 10, "pageCount": 1, "pageItemsCount": 3, "totalCount": 3})
    );
    let second = rest.get(&format!("{APIS}?page=2&size=2")).await.is(200).json();
    assert_eq!(names(&second), ["c"]);
    assert_eq!(second["links"]["previous"], format!("http://management.example{APIS}?page=1&size=2"));
    assert!(second["links"].get("next").is_none());
    let past = rest.get(&format!("{APIS}?page=9")).await.is(200).json();
    assert_eq!((&past["data"], &past["links"]), (&json!([]), &json!({})));
    for query in ["page=0", "size=0", "size=101", "page=x", "size=1e3", "page=99999999999999999999"] {
        let refused = rest.get(&format!("{APIS}?{query}")).await;
        assert_eq!(refused.refusal(), "400 data.invalid");
        assert_eq!(refused.json()["details"][0]["path"], query.split('=').next().unwrap());
    }
}

async fn items_of_a_page_have_their_own_plans(rest: Rest) {
    let (one, other) = (rest.api("/a").await, rest.api("/b").await);
    rest.plan(&one, "staging").await;
    rest.plan(&other, "published").await;
    rest.plan(&other, "closed").await;
    let page = rest.get(APIS).await.json();
    for item in page["data"].as_array().unwrap() {
        let alone = rest.get(&format!("{APIS}/{}", item["id"].as_str().unwrap())).await.json();
        assert_eq!(*item, alone);
    }
}
