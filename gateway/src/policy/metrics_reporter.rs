//! Policy `metrics-reporter`: tells another server about each response. The client waits for nothing, and what goes wrong
//! with a report is nobody's failure.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::freemarker::{self, Model};
use crate::outbound;
use crate::seldom::warn_seldom;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::{Needs, Template};
use definition::policy::Phase;
use definition::policy::metrics_reporter::MetricsReporter;
use definition::violation::Violation;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Reports of one step that are on their way at the same time; further ones are left out.
const REPORTS_MAX: usize = 64;
/// Time for the connection, milliseconds.
const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// Time for a report, milliseconds.
const REPORT_TIMEOUT_MS: u64 = 10_000;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = MetricsReporter::parse(settings)?;
    let permits = Arc::new(Semaphore::new(REPORTS_MAX));
    Ok(Arc::new(Reporter { settings, permits, client: OnceLock::new() }))
}

struct Reporter {
    settings: MetricsReporter,
    permits: Arc<Semaphore>,
    /// Made with the first report.
    client: OnceLock<reqwest::Client>,
}

#[async_trait]
impl Policy for Reporter {
    fn needs(&self, _phase: Phase) -> Needs {
        let headers = self.settings.headers.iter().filter_map(|header| header.value.as_ref());
        let templates = headers.chain([&self.settings.url]).map(Template::needs);
        let body = self.settings.body.as_ref().map(definition::freemarker::Template::needs);
        templates.chain(body).fold(Needs::default(), |needs, more| needs | more)
    }

    async fn on_response(&self, call: &mut Call) -> Result<Flow, Failure> {
        match (Arc::clone(&self.permits).try_acquire_owned(), self.report(call)) {
            (Ok(permit), Ok(report)) => {
                let api = Arc::clone(&call.api.id);
                tokio::spawn(async move {
                    if let Err(error) = report.send().await {
                        tracing::debug!(api.id = &*api, %error, "a report about a response was not delivered");
                    }
                    drop(permit);
                });
            }
            (Err(_), _) => warn_seldom!(
                api.id = &*call.api.id,
                "a report about a response is left out, too many are on their way"
            ),
            (_, Err(error)) => {
                warn_seldom!(api.id = &*call.api.id, %error, "a report about a response cannot be made");
            }
        }
        Ok(Flow::Continue)
    }
}

impl Reporter {
    fn report(&self, call: &Call) -> anyhow::Result<reqwest::RequestBuilder> {
        let (settings, scope) = (&self.settings, Scope::of(call));
        let url = expression::text(&settings.url, &scope)?.unwrap_or_default();
        let method = reqwest::Method::from_bytes(settings.method.label().as_bytes())?;
        let mut report = self.client()?.request(method, &*url);
        for header in settings.headers.iter().filter(|header| !header.name.trim().is_empty()) {
            let value =
                header.value.as_ref().map(|value| expression::text(value, &scope)).transpose()?.flatten();
            if let Some(value) = value {
                report = report.header(header.name.trim(), &*value);
            }
        }
        if let Some(body) = &settings.body {
            report = report.body(freemarker::render(body, Model { call, message: None, response: true })?);
        }
        Ok(report)
    }

    fn client(&self) -> anyhow::Result<&reqwest::Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = outbound::client(&outbound::Wishes {
            connect_timeout: Duration::from_millis(CONNECT_TIMEOUT_MS),
            request_timeout: Duration::from_millis(REPORT_TIMEOUT_MS),
            follow_redirects: false,
            use_system_proxy: self.settings.use_system_proxy,
        })?;
        Ok(self.client.get_or_init(|| client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    const DEADLINE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_response_is_reported_and_not_held_up() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/report", server.local_addr().unwrap());
        let policy = super::super::sample::build(
            build,
            json!({"url": url, "headers": [{"name": "X-A", "value": "1"}],
                "body": "${request.method} ${response.status} ${response.content}"}),
        );
        assert!(policy.needs(Phase::Response).response_content);
        let mut call = Call::sample("GET /ctx", &[], "");
        call.response.set_body("answer");
        policy.on_response(&mut call).await.unwrap();
        assert_eq!(call.response.body.bytes().unwrap(), "answer");
        let (mut peer, _) = timeout(DEADLINE, server.accept()).await.unwrap().unwrap();
        let mut seen = String::new();
        while !seen.ends_with("GET 200 answer") {
            let mut buffer = [0; 1024];
            let count = timeout(DEADLINE, peer.read(&mut buffer)).await.unwrap().unwrap();
            assert!(count > 0, "{seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        assert!(seen.starts_with("POST /report HTTP/1.1\r\n") && seen.contains("x-a: 1\r\n"), "{seen}");
        peer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    }

    #[tokio::test]
    async fn a_report_that_cannot_be_made_or_sent_fails_nothing() {
        for settings in
            [json!({"url": "http://127.0.0.1:1/"}), json!({"url": "http://h/", "body": "${none}"})]
        {
            let policy = super::super::sample::build(build, settings);
            let mut call = Call::sample("GET /ctx", &[], "");
            assert_eq!(policy.on_response(&mut call).await.unwrap(), Flow::Continue);
        }
    }
}
