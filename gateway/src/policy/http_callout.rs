//! Policy `policy-http-callout`: asks another service and keeps what it answers for later steps.

use super::{Flow, Policy, Site, evaluate};
use crate::call::Call;
use crate::callout::{Answer, Callouts, Question, Unanswered};
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::seldom::warn_seldom;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::http_callout::{HttpCallout, Variable};
use definition::violation::Violation;
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use tokio::sync::Semaphore;
use url::Url;

/// Requests of one step to its service at once, unless its settings say otherwise.
const CONNECTIONS_DEFAULT: u16 = 20;
/// Requests of one step that nobody waits for, under way or waiting for their turn; further ones are not sent.
const FORGOTTEN_MAX: usize = 256;

const EXIT_ON_ERROR: &str = "CALLOUT_EXIT_ON_ERROR";
const HTTP_ERROR: &str = "CALLOUT_HTTP_ERROR";
const TERMINATED: &str = "Request is terminated.";

/// Builds the policy.
pub(crate) fn build(settings: &Settings, site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = HttpCallout::parse(settings)?;
    let connections =
        settings.http.as_ref().map_or(CONNECTIONS_DEFAULT, |http| http.max_concurrent_connections);
    let variables = settings.variables.iter().map(|variable| &variable.value);
    let templates = evaluate::templates(&settings.headers).chain(variables);
    let more = [&settings.url, &settings.error_condition].into_iter();
    let more = more.chain(&settings.body).chain(&settings.error_content);
    Ok(Arc::new(CalloutPolicy {
        needs: evaluate::needs(templates.chain(more)),
        service: Arc::new(Service {
            callouts: Arc::clone(&site.shared.callouts),
            turns: Semaphore::new(usize::from(connections)),
        }),
        forgotten: Arc::new(Semaphore::new(FORGOTTEN_MAX)),
        settings,
    }))
}

struct CalloutPolicy {
    settings: HttpCallout,
    needs: Needs,
    service: Arc<Service>,
    forgotten: Arc<Semaphore>,
}

/// The service of one step.
struct Service {
    callouts: Arc<Callouts>,
    turns: Semaphore,
}

impl Service {
    async fn ask(&self, question: Question) -> Result<Answer, Unanswered> {
        let _turn = self.turns.acquire().await.map_err(|_| Unanswered::Unreachable)?;
        self.callouts.ask(question).await
    }
}

#[async_trait]
impl Policy for CalloutPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.needs
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        self.call_out(call).await
    }

    async fn on_response(&self, call: &mut Call) -> Result<Flow, Failure> {
        self.call_out(call).await
    }
}

impl CalloutPolicy {
    async fn call_out(&self, call: &mut Call) -> Result<Flow, Failure> {
        let question = self.question(call)?;
        if self.settings.fire_and_forget {
            self.send_and_forget(question);
            return Ok(Flow::Continue);
        }
        match self.service.ask(question).await {
            Ok(answer) => self.keep(call, &answer)?,
            Err(unanswered) if self.settings.exit_on_error => {
                return Err(Failure::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    HTTP_ERROR,
                    unanswered.to_string(),
                ));
            }
            Err(_) => return Err(Failure::unexpected()),
        }
        Ok(Flow::Continue)
    }

    fn question(&self, call: &Call) -> Result<Question, Failure> {
        let (settings, scope) = (&self.settings, Scope::of(call));
        let url = evaluate::text(&settings.url, &scope)?;
        let url = Url::parse(url.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(url) = url else {
            tracing::debug!(expression = settings.url.source(), "a callout has no address of HTTP");
            return Err(Failure::unexpected());
        };
        let headers = evaluate::headers(&settings.headers, &scope).map_err(|error| {
            tracing::debug!(%error, "a header of a callout cannot be evaluated");
            Failure::unexpected()
        })?;
        let body = settings.body.as_ref().map(|body| expression::text(body, &scope).map_err(|e| (body, e)));
        let body = body.transpose().map_err(|(body, error)| evaluate::unexpected(body, &error))?.flatten();
        let method = Method::from_bytes(settings.method.label().as_bytes()).unwrap_or(Method::GET);
        Ok(Question { method, url, headers, body: body.map(|body| body.into_owned().into()) })
    }

    fn send_and_forget(&self, question: Question) {
        let Ok(place) = Arc::clone(&self.forgotten).try_acquire_owned() else {
            warn_seldom!("a callout is not sent, {FORGOTTEN_MAX} of its step are under way");
            return;
        };
        let service = Arc::clone(&self.service);
        tokio::spawn(async move {
            if let Err(unanswered) = service.ask(question).await {
                tracing::debug!(%unanswered, "a callout that nobody waits for failed");
            }
            drop(place);
        });
    }

    /// Ends the request when the answer is an error, otherwise sets the attributes.
    fn keep(&self, call: &mut Call, answer: &Answer) -> Result<(), Failure> {
        let roots = [("calloutResponse", root(answer))];
        if self.settings.exit_on_error {
            let scope = Scope { extra: &roots, ..Scope::of(call) };
            let condition = &self.settings.error_condition;
            // Whether it is an error is what the author wants to know; not knowing is no reason to go on.
            let error = expression::truth(condition, &scope);
            if error.map_err(|error| evaluate::unexpected(condition, &error))? == Some(true) {
                return Err(self.exit(&scope));
            }
        }
        for Variable { name, value, evaluate_as_string } in &self.settings.variables {
            call.attributes.remove(name);
            let scope = Scope { extra: &roots, ..Scope::of(call) };
            let value = match evaluate_as_string {
                true => expression::text(value, &scope).map(|text| text.map(|text| text.into_owned().into())),
                false => expression::json(value, &scope),
            };
            match value {
                Ok(Some(value)) => call.attributes.set(name, value),
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, name, "a variable of a callout stays unset"),
            }
        }
        Ok(())
    }

    fn exit(&self, scope: &Scope<'_>) -> Failure {
        let content = self.settings.error_content.as_ref().map(|content| expression::text(content, scope));
        let message = match content {
            Some(Ok(Some(content))) => content.into_owned(),
            None | Some(Ok(None) | Err(_)) => TERMINATED.to_owned(),
        };
        let status = StatusCode::from_u16(self.settings.error_status_code);
        Failure::new(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), EXIT_ON_ERROR, message)
    }
}

/// The answer as `#calloutResponse`.
fn root(answer: &Answer) -> Value {
    let mut headers = Map::new();
    for name in answer.headers.keys() {
        let values = answer.headers.get_all(name).iter();
        let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        headers.insert(name.to_string(), texts.collect::<Vec<_>>().into());
    }
    let content = String::from_utf8_lossy(&answer.body);
    json!({"status": answer.status.as_u16(), "headers": headers, "content": content})
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// A service on the loopback interface that gives one answer to every request. Its address, and what it was asked.
    async fn service(answer: &'static str) -> (String, tokio::sync::mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (sender, asked) = tokio::sync::mpsc::channel(8);
        tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                let mut buffer = vec![0; 4096];
                let mut length = 0;
                while !String::from_utf8_lossy(&buffer[..length]).contains("END") {
                    length += tcp.read(&mut buffer[length..]).await.unwrap();
                }
                sender.send(String::from_utf8_lossy(&buffer[..length]).into_owned()).await.unwrap();
                tcp.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (address, asked)
    }

    const GOOD: &str =
        "HTTP/1.1 200 OK\r\ncontent-length: 15\r\nX-Who: me\r\nconnection: close\r\n\r\n{\"field\":[1,2]}";
    const BAD: &str = "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbusy";
    const MOVED: &str = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n";

    async fn called(url: &str, mut settings: Value) -> Result<Call, Failure> {
        settings["url"] = json!(format!("{url}/{{#request.params['x'][0]}}"));
        settings["body"] = json!("{#request.content} END");
        settings["method"] = json!("post");
        let mut call = Call::sample("GET /ctx?x=1", &[], "body");
        call.attributes.set("a", "before");
        sample::build(build, settings).on_request(&mut call).await.map(|_| call)
    }

    #[tokio::test]
    async fn the_answer_becomes_attributes() {
        let (url, mut asked) = service(GOOD).await;
        let settings = json!({"headers": [{"name": "h", "value": "{#request.method}"}, {"name": "none"}], "variables": [
            {"name": "field"},
            {"name": "raw", "value": "{#jsonPath(#calloutResponse.content, '$.field')}", "evaluateAsString": false},
            {"name": "who", "value": "{#calloutResponse.status} {#calloutResponse.headers['X-WHO'][0]}"},
            {"name": "a", "value": "{#calloutResponse.headers['none'][0]}"},
        ]});
        let call = called(&url, settings).await.unwrap();
        assert_eq!(call.attributes.get("field"), Some(&json!("1,2")));
        assert_eq!(call.attributes.get("raw"), Some(&json!([1, 2])));
        assert_eq!(call.attributes.get("who"), Some(&json!("200 me")));
        assert_eq!(call.attributes.get("a"), None, "reset before it is set");
        let asked = asked.recv().await.unwrap();
        assert!(
            asked.starts_with("POST /1 HTTP/1.1\r\nh: GET\r\n") && asked.ends_with("\r\n\r\nbody END"),
            "{asked}"
        );
    }

    async fn failed(url: &str, settings: Value) -> String {
        match called(url, settings).await {
            Ok(_) => "went on".to_owned(),
            Err(failure) => format!("{} {:?} {}", failure.status.as_u16(), failure.key, failure.message),
        }
    }

    #[tokio::test]
    async fn an_error_of_the_service_ends_the_request_when_the_author_wants_it() {
        let (url, _asked) = service(BAD).await;
        let check = async |settings: Value, expected: &str| {
            assert_eq!(failed(&url, settings.clone()).await, expected, "{settings}");
        };
        let exit = |more: Value| {
            let mut settings = json!({"exitOnError": true});
            settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            settings
        };
        check(json!({}), "went on").await;
        let terminated = "500 Some(\"CALLOUT_EXIT_ON_ERROR\") Request is terminated.";
        check(exit(json!({})), terminated).await;
        let content = json!({"errorStatusCode": "502", "errorContent": "it said {#calloutResponse.content}"});
        check(exit(content), "502 Some(\"CALLOUT_EXIT_ON_ERROR\") it said busy").await;
        check(exit(json!({"errorCondition": "{#calloutResponse.status == 404}"})), "went on").await;
        let unknown = json!({"errorCondition": "{#calloutResponse.headers['none'][0] == 'x'}"});
        check(exit(unknown), "500 None Internal Server Error").await;
    }

    #[tokio::test]
    async fn a_service_that_is_not_there_is_told_apart() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", gone.local_addr().unwrap());
        drop(gone);
        let unreachable = "500 Some(\"CALLOUT_HTTP_ERROR\") the service cannot be reached";
        assert_eq!(failed(&url, json!({"exitOnError": true})).await, unreachable);
        assert_eq!(failed(&url, json!({})).await, "500 None Internal Server Error");
        assert_eq!(failed("ftp://h", json!({"exitOnError": true})).await, "500 None Internal Server Error");
        assert_eq!(failed(&url, json!({"fireAndForget": true})).await, "went on");
    }

    #[tokio::test]
    async fn nobody_waits_for_what_is_forgotten_and_redirections_are_answers() {
        let (url, mut asked) = service(MOVED).await;
        assert_eq!(failed(&url, json!({"fireAndForget": true, "exitOnError": true})).await, "went on");
        assert!(asked.recv().await.unwrap().starts_with("POST /1"));
        let variables = json!({"variables": [{"name": "status", "value": "{#calloutResponse.status}"}]});
        let call = called(&url, variables).await.unwrap();
        assert_eq!(call.attributes.text("status"), Some("302"));
    }
}
