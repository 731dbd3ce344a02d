//! What clients get through a cache, and how often the backend is asked.

use super::super::layered::{Act, Backend, answer, through};
use super::super::sample;
use super::*;
use crate::endpoint::Shared;
use crate::resource::Resources;
use crate::table::facts::ApiFacts;
use definition::api::Resource as Definition;
use serde_json::{Value, json};

struct Cached {
    policy: Arc<dyn Policy>,
    backend: Arc<Backend>,
}

impl Cached {
    fn new(mut settings: Value, acts: &[Act]) -> Cached {
        settings["cacheName"] = json!("c");
        let definition: Definition =
            serde_json::from_value(json!({"name": "c", "type": "cache", "enabled": true})).unwrap();
        let (api, shared) = (Arc::<ApiFacts>::default(), Shared::default());
        let resources = Resources::build(&[definition], &shared).map_err(|_| "resources").unwrap();
        let site = Site { api: &api, resources: &resources, shared: &shared, step: "s" };
        let policy = build(settings.as_object().unwrap(), &site).unwrap();
        Cached { policy, backend: Backend::acting(acts) }
    }

    /// The status and the body of the answer.
    async fn ask(&self, line: &str, headers: &[(&str, &str)]) -> String {
        let mut call = Call::sample(line, headers, "");
        through(&*self.policy, &mut call, &self.backend).await.unwrap();
        let body = String::from_utf8_lossy(call.response.buffer().await.unwrap()).into_owned();
        format!("{} {body}", call.response.status.as_u16())
    }
}

fn numbered(headers: &[(&'static str, &'static str)]) -> Vec<Act> {
    ["1", "2", "3", "4"].map(|body| answer(200, headers, body)).to_vec()
}

#[tokio::test]
async fn the_second_answer_comes_from_the_cache() {
    let cached = Cached::new(json!({}), &numbered(&[]));
    assert_eq!(cached.ask("GET /ctx?a=1&b=2", &[]).await, "200 1");
    assert_eq!(cached.ask("GET /ctx?b=2&a=1", &[]).await, "200 1");
    assert_eq!(cached.ask("GET /ctx?a=2", &[]).await, "200 2");
    assert_eq!(cached.ask("POST /ctx?a=1&b=2", &[]).await, "200 3");
    assert_eq!(cached.backend.asked().len(), 3);
}

#[tokio::test]
async fn a_client_may_go_around_the_cache_or_renew_it() {
    let cached = Cached::new(json!({}), &numbered(&[]));
    assert_eq!(cached.ask("GET /ctx", &[]).await, "200 1");
    assert_eq!(cached.ask("GET /ctx", &[("X-Gravitee-Cache", "BY_PASS")]).await, "200 2");
    assert_eq!(cached.ask("GET /ctx", &[]).await, "200 1");
    assert_eq!(cached.ask("GET /ctx?cache=REFRESH", &[]).await, "200 3");
    assert_eq!(cached.ask("GET /ctx", &[]).await, "200 3");
    assert_eq!(cached.backend.asked()[2], "GET /ctx - ", "the backend does not see the wish");
}

#[tokio::test]
async fn only_good_answers_are_kept_unless_the_author_says_which() {
    let acts = [answer(500, &[], "bad"), answer(404, &[("x-keep", "yes")], "kept"), answer(200, &[], "last")];
    let cached = Cached::new(json!({}), &acts);
    for expected in ["500 bad", "404 kept", "200 last", "200 last"] {
        assert_eq!(cached.ask("GET /ctx", &[]).await, expected);
    }
    let condition = "{#upstreamResponse.status == 404 && #upstreamResponse.headers['X-Keep'][0] == 'yes'}";
    let cached = Cached::new(json!({"responseCondition": condition}), &acts);
    for expected in ["500 bad", "404 kept", "404 kept"] {
        assert_eq!(cached.ask("GET /ctx", &[]).await, expected);
    }
}

#[tokio::test]
async fn keys_of_the_author_and_methods_tell_requests_apart() {
    let settings = json!({"key": "{#request.headers['lang'][0]}", "methods": ["post"]});
    let cached = Cached::new(settings, &numbered(&[]));
    assert_eq!(cached.ask("POST /ctx", &[("lang", "a")]).await, "200 1");
    assert_eq!(cached.ask("POST /ctx", &[("lang", "b")]).await, "200 2");
    assert_eq!(cached.ask("POST /ctx", &[("lang", "a")]).await, "200 1");
}

#[tokio::test]
async fn the_backend_may_forbid_and_shorten() {
    let twice = async |settings: Value, headers: &[_]| {
        let cached = Cached::new(settings, &numbered(headers));
        cached.ask("GET /ctx", &[]).await;
        cached.ask("GET /ctx", &[]).await
    };
    let no_store = [("cache-control", "no-store")];
    assert_eq!(twice(json!({"useResponseCacheHeaders": true}), &no_store).await, "200 2");
    assert_eq!(twice(json!({}), &no_store).await, "200 1", "the author decides");
    assert_eq!(twice(json!({}), &[("vary", "*")]).await, "200 2");
    let cached = Cached::new(json!({}), &numbered(&[("vary", "Accept"), ("set-cookie", "s=1")]));
    assert_eq!(cached.ask("GET /ctx", &[("accept", "a")]).await, "200 1");
    assert_eq!(cached.ask("GET /ctx", &[("accept", "b")]).await, "200 2");
    assert_eq!(cached.ask("GET /ctx", &[("accept", "b")]).await, "200 2");
    let mut call = Call::sample("GET /ctx", &[("accept", "b")], "");
    through(&*cached.policy, &mut call, &cached.backend).await.unwrap();
    let names: Vec<_> = call.response.headers.keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["vary", "content-length"], "no cookie of another client");
}

#[tokio::test]
async fn an_answer_is_forgotten_after_its_time() {
    let cached = Cached::new(json!({"timeToLiveSeconds": 1}), &numbered(&[]));
    assert_eq!(cached.ask("GET /ctx", &[]).await, "200 1");
    let renewed = async {
        while cached.ask("GET /ctx", &[]).await == "200 1" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), renewed).await.expect("the entry ends");
    assert_eq!(cached.backend.asked().len(), 2);
}

#[tokio::test]
async fn a_cache_that_is_not_there_is_named() {
    let policy = sample::build(build, json!({"cacheName": "none"}));
    let failure = policy.on_request(&mut Call::sample("GET /ctx", &[], "")).await.unwrap_err();
    assert_eq!((failure.status.as_u16(), failure.key.as_deref()), (500, None));
    assert_eq!(failure.message, "No cache has been defined with name none");
}
