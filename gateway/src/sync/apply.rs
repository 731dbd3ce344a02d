//! The call into the data plane, with its panics contained: one API that cannot be built without one becomes refused,
//! the others of its batch are applied.

use super::{Applier, ApplyChange, ApplyOp, ApplyOutcome, Level, Problem};
use futures::FutureExt;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use tracing::error;

/// Applies a batch and gives one outcome per change, in their order.
pub(super) async fn apply<A: Applier>(applier: &A, changes: Vec<ApplyChange>) -> Vec<ApplyOutcome> {
    if changes.is_empty() {
        return Vec::new();
    }
    if let Some(outcomes) = attempt(applier, changes.clone()).await {
        return complete(&changes, outcomes);
    }
    let mut outcomes = Vec::with_capacity(changes.len());
    for change in &changes {
        let alone = if changes.len() > 1 { attempt(applier, vec![change.clone()]).await } else { None };
        match alone {
            Some(outcome) => outcomes.extend(outcome),
            None => {
                error!(kind = change.kind, id = change.id, "applying it panicked");
                let message =
                    "the gateway could not build it because of a defect of its own: please report it";
                outcomes.push(refused(change, "PANIC", message));
            }
        }
    }
    complete(&changes, outcomes)
}

/// `None` if it panicked.
async fn attempt<A: Applier>(applier: &A, changes: Vec<ApplyChange>) -> Option<Vec<ApplyOutcome>> {
    // Unwind safety: the applier builds beside what serves and swaps last, so a panic leaves no half-made state.
    AssertUnwindSafe(async { applier.apply(changes).await }).catch_unwind().await.ok()
}

/// A change without an outcome is not known to serve.
fn complete(changes: &[ApplyChange], outcomes: Vec<ApplyOutcome>) -> Vec<ApplyOutcome> {
    let mut by_key: BTreeMap<(String, String), ApplyOutcome> =
        outcomes.into_iter().map(|outcome| ((outcome.kind.clone(), outcome.id.clone()), outcome)).collect();
    let outcome = |change: &ApplyChange| {
        by_key
            .remove(&(change.kind.clone(), change.id.clone()))
            .unwrap_or_else(|| refused(change, "NO_OUTCOME", "the gateway did not say what became of it"))
    };
    changes.iter().map(outcome).collect()
}

fn refused(change: &ApplyChange, code: &str, message: &str) -> ApplyOutcome {
    let digest = match &change.op {
        ApplyOp::Upsert { digest, .. } => Some(*digest),
        ApplyOp::Delete => None,
    };
    ApplyOutcome {
        kind: change.kind.clone(),
        id: change.id.clone(),
        digest,
        level: Level::Rejected,
        problem: Some(Problem { code: code.to_owned(), path: String::new(), message: message.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use pretty_assertions::assert_eq;

    /// Panics over one id, forgets another and applies the rest.
    struct Moody;

    impl Applier for Moody {
        async fn apply(&self, changes: Vec<ApplyChange>) -> Vec<ApplyOutcome> {
            assert!(changes.iter().all(|change| change.id != "poison"), "poison");
            let kept = changes.into_iter().filter(|change| change.id != "forgotten");
            kept.map(|change| ApplyOutcome {
                kind: change.kind,
                id: change.id,
                digest: None,
                level: Level::Active,
                problem: None,
            })
            .collect()
        }
    }

    async fn check(ids: &[&str]) -> String {
        let change = |id: &&str| ApplyChange {
            kind: "api".to_owned(),
            id: (*id).to_owned(),
            op: ApplyOp::Upsert { digest: [1; 32], body: Bytes::new(), revision: 1 },
        };
        let outcomes = apply(&Moody, ids.iter().map(change).collect()).await;
        let text = |outcome: &ApplyOutcome| {
            let code = outcome.problem.as_ref().map_or("", |problem| &problem.code);
            format!("{} {:?} {code}", outcome.id, outcome.level).trim_end().to_owned()
        };
        outcomes.iter().map(text).collect::<Vec<_>>().join(", ")
    }

    #[tokio::test]
    async fn a_panic_hurts_only_the_resource_that_caused_it() {
        assert_eq!(check(&["a", "poison", "b"]).await, "a Active, poison Rejected PANIC, b Active");
        assert_eq!(check(&["poison"]).await, "poison Rejected PANIC");
        assert_eq!(check(&["a", "forgotten"]).await, "a Active, forgotten Rejected NO_OUTCOME");
        assert_eq!(check(&[]).await, "");
    }
}
