//! The REST service as clients see it: one suite, on SQLite always, and on Postgres where the run has a server.

mod api_keys;
mod applications;
mod catalogue;
mod errors;
mod life_cycle;
mod lists;
mod nodes;
mod plans;
mod published;
mod requests;
mod server;
pub(crate) mod store;
mod subscriptions;
mod subscriptions_v2;
mod updates;

use crate::app::AppState;
use crate::clock::Clock;
use crate::db::Db;
use crate::environments::{self, DEFAULT};
use crate::router;
use crate::scope::Scope;
use crate::seal::SealKey;
use crate::users::{self, User};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

/// Makes a test per engine of each function. One that is not listed is unused code, which the build refuses.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(crate::tests::Rest::on_sqlite().await).await;
                }
            )+
        }

        mod on_postgres {
            $(
                #[tokio::test]
                async fn $name() {
                    if let Some(rest) = crate::tests::Rest::on_postgres().await {
                        super::$name(rest).await;
                    }
                }
            )+
        }
    };
}
pub(crate) use on_both_engines;

/// Where the default environment's APIs are.
pub(crate) const APIS: &str = "/management/organizations/DEFAULT/environments/DEFAULT/v4/apis";

/// Where the default environment's applications are.
const APPLICATIONS: &str = "/management/organizations/DEFAULT/environments/DEFAULT/applications";

/// A REST service with the user admin/admin.
pub(crate) struct Rest {
    router: Router,
    app: AppState,
    pub(crate) db: Db,
    _folder: tempfile::TempDir,
}

/// What a call was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    pub(crate) text: String,
}

impl Rest {
    pub(crate) async fn on_sqlite() -> Rest {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/store.db", folder.path().display());
        Rest::start(&url, folder).await
    }

    pub(crate) async fn on_postgres() -> Option<Rest> {
        Some(Rest::start(&store::postgres().await?, tempfile::tempdir().unwrap()).await)
    }

    async fn start(url: &str, folder: tempfile::TempDir) -> Rest {
        let db = Db::connect(url).await.unwrap();
        let scope = Scope { organization: DEFAULT.to_owned(), environment: DEFAULT.to_owned() };
        environments::store::seed(&db, &scope).await.unwrap();
        let password_hash = quick_hash("admin");
        let user = User { id: Uuid::new_v4(), name: "admin".to_owned(), password_hash };
        users::store::insert_if_absent(&db, &user, Clock::system().now()).await.unwrap();
        let app = AppState::new(db.clone(), Clock::system(), Some(&seal_key()), CancellationToken::new());
        Rest { router: router::service(app.clone()), app, db, _folder: folder }
    }

    /// Any request; `headers` come on top of those of an ordinary client.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .header(HOST, "management.example")
            .header(AUTHORIZATION, format!("Basic {}", BASE64_STANDARD.encode("admin:admin")));
        for (name, value) in headers {
            if name.eq_ignore_ascii_case("authorization") {
                request.headers_mut().unwrap().remove(AUTHORIZATION);
            }
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, &[], &body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call("PUT", path, &[], &body.to_string()).await
    }

    /// An action without a body.
    pub(crate) async fn act(&self, path: &str) -> Answer {
        self.call("POST", path, &[], "").await
    }

    /// Creates an API on `path` and answers its URL.
    pub(crate) async fn api(&self, path: &str) -> String {
        let created = self.post(APIS, &document(path)).await.is(201).json();
        format!("{APIS}/{}", created["id"].as_str().unwrap())
    }

    /// Gives an API a key-less plan and answers its URL.
    pub(crate) async fn plan(&self, api: &str, status: &str) -> String {
        let created = self.post(&format!("{api}/plans"), &plan(status)).await.is(201).json();
        format!("{api}/plans/{}", created["id"].as_str().unwrap())
    }

    /// Gives an API a published plan of a security type and answers its id.
    pub(crate) async fn plan_of(&self, api: &str, security: &str, validation: &str) -> String {
        let configuration = match security {
            "jwt" => json!({"signature": "HMAC_HS256", "resolverParameter": "a secret"}),
            "oauth2" => json!({"oauthResource": "{#api.properties['server']}"}),
            _ => Value::Null,
        };
        let plan = json!({"name": security, "description": "d", "status": "published", "validation": validation,
            "security": {"type": security, "configuration": configuration}});
        let created = self.post(&format!("{api}/plans"), &plan).await.is(201).json();
        created["id"].as_str().unwrap().to_owned()
    }

    /// Creates an application and answers its id.
    pub(crate) async fn application(&self, client_id: Option<&str>) -> String {
        let app = json!({"name": "app", "description": "d", "settings": {"app": {"client_id": client_id}}});
        let created = self.post(APPLICATIONS, &app).await.is(201).json();
        created["id"].as_str().unwrap().to_owned()
    }

    /// Subscribes as the API's side and answers the URL of the subscription.
    pub(crate) async fn subscription(&self, api: &str, plan: &str, application: &str) -> String {
        let path = format!("{api}/subscriptions?application={application}&plan={plan}");
        let created = self.act(&path).await.is(201).json();
        format!("{api}/subscriptions/{}", created["id"].as_str().unwrap())
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Answer {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    #[track_caller]
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
    }

    /// `400 plan.closed` or `404 -`.
    fn refusal(&self) -> String {
        let body: Value = serde_json::from_str(&self.text).unwrap_or_default();
        assert_eq!(body["http_status"], self.status.as_u16(), "{}", self.text);
        format!("{} {}", self.status.as_u16(), body["technicalCode"].as_str().unwrap_or("-"))
    }
}

fn seal_key() -> SealKey {
    SealKey::parse(&BASE64_STANDARD.encode([7; 32])).unwrap()
}

/// An argon2 hash with the least work there is: verifying reads the parameters from the hash.
fn quick_hash(password: &str) -> String {
    let params = Params::new(Params::MIN_M_COST, Params::MIN_T_COST, Params::MIN_P_COST, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password(password.as_bytes()).unwrap().to_string()
}

/// A definition as users send it.
fn document(path: &str) -> Value {
    json!({
        "name": "Mock", "apiVersion": "1", "definitionVersion": "4.0.0", "type": "async", "description": "d",
        "listeners": [{"type": "http", "paths": [{"path": path}],
            "entrypoints": [{"type": "http-get"}, {"type": "http-post"}]}],
        "endpointGroups": [{"name": "default", "type": "mock", "endpoints": [{"name": "default", "type": "mock",
            "configuration": {"messageCount": 5, "messageInterval": 100, "messageContent": "x"}}]}]
    })
}

fn plan(status: &str) -> Value {
    json!({"name": "p", "description": "d", "status": status, "security": {"type": "key-less"}})
}

/// The document of a GET, to be changed and sent back.
async fn editable(rest: &Rest, api: &str) -> Value {
    rest.get(api).await.is(200).json()
}
