//! What gateways report, turned into a watermark and exceptions.

use super::environment::Settled;
use super::{End, Session};
use crate::scope::Scope;
use crate::sync::state::{EnvState, Key};
use crate::sync::status::book::{EnvironmentUpdate, Issue, IssueLevel, Watermark};
use chrono::{DateTime, Utc};
use proto::sync::v1::{ApplyReport, BatchKind, Level, Problem, Result as Outcome};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// Characters of a problem's code, path and message that are kept.
const PROBLEM_MAX_CHARS: usize = 1_000;

impl Session {
    pub(super) fn report(&mut self, report: ApplyReport) -> Result<(), End> {
        let scope = self.scope(&report.environment)?;
        let issues = issues(report.results);
        let Some(served) = self.served.get_mut(&scope) else { return Ok(()) };
        if report.snapshot {
            let update = EnvironmentUpdate { forget_issues: true, issues, watermark: None };
            self.entry.environment(&scope, update, true);
            if let Some(steady) = served.environment.steady().cloned() {
                self.reached(&scope, &steady, Some(report.active_digest.to_vec()));
            }
            return Ok(());
        }
        if !report.done {
            served.environment.progressed(report.nonce, Instant::now());
            served.mark.received_revision = served.mark.received_revision.max(report.received_revision);
            let watermark = Some(served.mark.clone());
            let update = EnvironmentUpdate { watermark, ..EnvironmentUpdate::default() };
            self.entry.environment(&scope, update, false);
            return Ok(());
        }
        let settled = served.environment.acknowledged(report.nonce);
        match settled {
            Settled::Stale => {}
            Settled::Part => {
                let update = EnvironmentUpdate { issues, ..EnvironmentUpdate::default() };
                self.entry.environment(&scope, update, true);
            }
            Settled::Reached(state, kind) => {
                let update = EnvironmentUpdate { issues, ..EnvironmentUpdate::default() };
                self.entry.environment(&scope, update, true);
                self.reached(&scope, &state, Some(report.active_digest.to_vec()));
                if kind == BatchKind::Delta {
                    note_propagation(&state);
                }
            }
        }
        Ok(())
    }

    /// The gateway is done with a picture, except for its issues.
    pub(super) fn reached(&mut self, scope: &Scope, state: &EnvState, active_digest: Option<Vec<u8>>) {
        let expected = state.summary(&self.hello.view).digest;
        let Some(served) = self.served.get_mut(scope) else { return };
        let active_digest = active_digest.or_else(|| served.mark.active_digest.take());
        served.mark = Watermark {
            received_revision: state.head,
            active_revision: state.head,
            active_digest,
            expected_digest: Some(expected),
        };
        let watermark = Some(served.mark.clone());
        self.entry.environment(scope, EnvironmentUpdate { watermark, ..Default::default() }, true);
    }
}

/// From commit to report, by this side's clock alone.
fn note_propagation(state: &EnvState) {
    let committed = i64::try_from(state.committed_unix_ms).ok().and_then(DateTime::from_timestamp_millis);
    if let Some(elapsed) = committed.and_then(|at| (Utc::now() - at).to_std().ok()) {
        metrics::histogram!("tidegate_deploy_propagation_seconds").record(elapsed.as_secs_f64());
    }
}

/// What the store has to know of results: exceptions, and their end.
fn issues(results: Vec<Outcome>) -> BTreeMap<Key, Option<Issue>> {
    let news = results.into_iter().filter_map(|result| {
        let level = match result.level() {
            Level::Active | Level::Removed => None,
            Level::Rejected => Some(IssueLevel::Rejected),
            Level::Degraded => Some(IssueLevel::Degraded),
            // Not settled yet.
            Level::Received | Level::Accepted | Level::Unspecified => return None,
        };
        let Problem { code, path, message, .. } = result.problem.unwrap_or_default();
        let issue = level.map(|level| Issue {
            level,
            digest: Some(result.digest.to_vec()).filter(|digest| !digest.is_empty()),
            code: bounded(code),
            path: bounded(path),
            message: bounded(message),
            at: Utc::now(),
        });
        Some((Key::new(&result.kind, &result.id), issue))
    });
    news.collect()
}

fn bounded(text: String) -> String {
    match text.char_indices().nth(PROBLEM_MAX_CHARS) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}
