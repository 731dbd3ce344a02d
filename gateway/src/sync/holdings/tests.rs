//! The rules of holdings: batches in, verdicts out.

use super::*;
use definition::deployment::{API_SCHEMA_VERSION, KIND_API};
use pretty_assertions::assert_eq;

const EPOCH: &[u8] = b"epoch-1";

fn upsert_change(id: &str, revision: u64, body: &str) -> Change {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let digest = resource_digest(KIND_API, API_SCHEMA_VERSION, &body);
    Change {
        kind: KIND_API.to_owned(),
        id: id.to_owned(),
        operation: Operation::Upsert.into(),
        resource_revision: revision,
        digest: Bytes::copy_from_slice(&digest),
        body,
        schema_version: API_SCHEMA_VERSION,
        ..Change::default()
    }
}

fn delete_change(id: &str, revision: u64) -> Change {
    Change {
        kind: KIND_API.to_owned(),
        id: id.to_owned(),
        operation: Operation::Delete.into(),
        resource_revision: revision,
        ..Change::default()
    }
}

fn batch(kind: BatchKind, previous: u64, revision: u64, changes: Vec<Change>) -> Batch {
    let removals = changes.iter().filter(|change| change.operation() == Operation::Delete).count();
    Batch {
        environment: "o/e".to_owned(),
        epoch: Bytes::from_static(EPOCH),
        previous_revision: previous,
        revision,
        changes,
        kind: kind.into(),
        removals: u32::try_from(removals).unwrap(),
        ..Batch::default()
    }
}

fn delta(previous: u64, revision: u64, changes: Vec<Change>) -> Batch {
    batch(BatchKind::Delta, previous, revision, changes)
}

fn reconcile(revision: u64, changes: Vec<Change>) -> Batch {
    batch(BatchKind::Reconcile, 0, revision, changes)
}

/// Takes a batch in as a session does: what reaches the applier serves, except ids that begin with "bad".
/// The verdict as text, one word per change.
fn take(environment: &mut Environment, mut batch: Batch) -> String {
    let checked = match environment.check(&batch) {
        Verdict::Apply(checked) => checked,
        Verdict::Resync(why) => return format!("resync {why}"),
        Verdict::Stale(_) => return "stale".to_owned(),
        Verdict::Invalid(_) => return "invalid".to_owned(),
    };
    let applied = checked.changes.into_iter().map(|change| {
        let (digest, good) = match change.op {
            ApplyOp::Upsert { digest, .. } => (Some(digest), Level::Active),
            ApplyOp::Delete => (None, Level::Removed),
        };
        let bad = change.id.starts_with("bad");
        let problem = Problem { code: "BAD".to_owned(), path: String::new(), message: String::new() };
        let (level, problem) = if bad { (Level::Rejected, Some(problem)) } else { (good, None) };
        ApplyOutcome { kind: change.kind, id: change.id, digest, level, problem }
    });
    let outcomes: Vec<_> = applied.chain(checked.settled).collect();
    environment.note(&batch, &outcomes);
    batch.count_after = environment.count();
    batch.digest_after = Bytes::copy_from_slice(&environment.digest());
    let finished = environment.finish(&batch);
    let words = outcomes.iter().map(|outcome| match &outcome.problem {
        None => format!("{}:{:?}", outcome.id, outcome.level),
        Some(problem) => format!("{}:{}", outcome.id, problem.code),
    });
    let words: Vec<_> = words.collect();
    format!("{finished:?} {}", words.join(" ")).trim_end().to_owned()
}

/// An environment that holds these ids since revision 5.
fn holding(ids: &[&str]) -> Environment {
    let mut environment = Environment::default();
    let changes = ids.iter().map(|id| upsert_change(id, 5, "{}")).collect();
    assert!(take(&mut environment, reconcile(5, changes)).starts_with("Complete"));
    environment
}

fn ids(environment: &Environment) -> Vec<&str> {
    environment.resources.keys().map(|(_, id)| id.as_str()).collect()
}

#[test]
fn deltas_apply_on_exactly_what_they_were_made_for() {
    let mut held = holding(&["a"]);
    assert_eq!(take(&mut held, delta(4, 6, vec![upsert_change("b", 6, "{}")])), "resync chain");
    assert_eq!(take(&mut held, delta(6, 7, vec![upsert_change("b", 7, "{}")])), "resync chain");
    assert_eq!(take(&mut held, delta(5, 6, vec![upsert_change("b", 6, "{}")])), "Complete b:Active");
    assert_eq!(take(&mut held, delta(6, 7, vec![delete_change("a", 7)])), "Complete a:Removed");
    assert_eq!((ids(&held), held.revision), (vec!["b"], 7));
    let other_epoch = Batch { epoch: Bytes::from_static(b"epoch-2"), ..delta(7, 8, vec![]) };
    assert_eq!(take(&mut held, other_epoch), "resync epoch");
    assert_eq!(take(&mut Environment::default(), delta(0, 1, vec![])), "resync epoch");
}

#[test]
fn nothing_moves_backwards_inside_an_epoch() {
    let mut held = holding(&["a"]);
    assert_eq!(take(&mut held, reconcile(4, vec![delete_change("a", 4)])), "stale");
    let older = upsert_change("a", 4, "[]");
    assert_eq!(take(&mut held, reconcile(6, vec![older.clone()])), "Complete a:STALE");
    assert_eq!(held.resources.values().next().unwrap().revision, 5);
    // Another epoch counts anew.
    let restored = Batch { epoch: Bytes::from_static(b"epoch-2"), ..reconcile(4, vec![older]) };
    assert_eq!(take(&mut held, restored), "Complete a:Active");
    assert_eq!((held.revision, &held.epoch[..]), (4, &b"epoch-2"[..]));
}

#[test]
fn damaged_and_unreadable_content_is_refused_and_the_old_one_serves() {
    let mut held = holding(&["a"]);
    let serving = held.serving(KIND_API, "a");
    let damaged = Change { body: Bytes::from_static(b"[]x"), ..upsert_change("a", 6, "[]") };
    assert_eq!(take(&mut held, delta(5, 6, vec![damaged])), "Complete a:DIGEST_MISMATCH");
    let newer = Change { schema_version: 2, body: Bytes::new(), ..upsert_change("a", 7, "1") };
    assert_eq!(take(&mut held, delta(6, 7, vec![newer])), "Complete a:INCOMPATIBLE");
    let unknown = Change { operation: 9, ..upsert_change("a", 8, "2") };
    assert_eq!(take(&mut held, delta(7, 8, vec![unknown])), "Complete a:UNKNOWN_OPERATION");
    assert!(serving.is_some());
    assert_eq!(held.serving(KIND_API, "a"), serving);
    assert_eq!(held.exceptions().len(), 1);
}

#[test]
fn a_refused_change_keeps_the_old_version_and_equal_content_costs_nothing() {
    let mut held = holding(&[]);
    assert_eq!(take(&mut held, delta(5, 6, vec![upsert_change("bad", 6, "{}")])), "Complete bad:BAD");
    assert_eq!(held.serving(KIND_API, "bad"), None);
    // Sent again, it is not built again.
    let again = held.check(&delta(6, 7, vec![upsert_change("bad", 7, "{}")]));
    assert!(matches!(again, Verdict::Apply(Checked { changes, .. }) if changes.is_empty()));
    let mut held = holding(&["a"]);
    let equal = held.check(&delta(5, 6, vec![upsert_change("a", 6, "{}")]));
    assert!(matches!(equal, Verdict::Apply(Checked { changes, .. }) if changes.is_empty()));
}

#[test]
fn losing_most_of_what_is_held_needs_an_explanation() {
    let names: Vec<String> = (10..30).map(|n| n.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let deletes = |count| names[..count].iter().map(|id| delete_change(id, 6)).collect::<Vec<_>>();

    let mut held = holding(&names);
    let all_but_nine = reconcile(6, deletes(11));
    assert!(take(&mut held, all_but_nine.clone()).starts_with("Guarded 10:MASS_DELETE_GUARD"));
    assert_eq!(held.resources.len(), 20);

    let explained = Batch { allow_mass_delete: true, ..all_but_nine };
    assert!(take(&mut held, explained).starts_with("Complete 10:Removed"));
    assert_eq!(held.resources.len(), 9);

    // Half may go, and so may a few.
    assert!(take(&mut holding(&names), reconcile(6, deletes(10))).starts_with("Complete"));
    assert!(take(&mut holding(&names[..9]), reconcile(6, deletes(9))).starts_with("Complete"));
}

#[test]
fn the_guard_looks_at_the_whole_sequence() {
    let names: Vec<String> = (10..30).map(|n| n.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut held = holding(&names);
    let part = |ids: &[&str], more| Batch {
        more,
        removals: 12,
        ..reconcile(6, ids.iter().map(|id| delete_change(id, 6)).collect())
    };
    assert!(take(&mut held, part(&names[..6], true)).starts_with("Part 10:MASS_DELETE_GUARD"));
    assert_eq!(held.revision, 5);
    assert!(take(&mut held, part(&names[6..12], false)).starts_with("Guarded 16:MASS_DELETE_GUARD"));
    assert_eq!((held.resources.len(), held.revision), (20, 6));
}

#[test]
fn count_and_digest_are_checked_against_what_management_says() {
    let mut held = holding(&["a"]);
    let wrong = delta(5, 6, Vec::new());
    assert!(matches!(held.check(&wrong), Verdict::Apply(_)));
    assert_eq!(held.finish(&wrong), Finished::Mismatch);
    let (count, digest) = (held.count(), held.digest());
    assert!(!held.confirm(Bytes::new(), 9, count + 1, &digest));
    assert!(!held.confirm(Bytes::new(), 9, count, &[0; 32]));
    assert!(held.confirm(Bytes::from_static(EPOCH), 9, count, &digest));
    assert_eq!(held.revision, 9);
}

#[test]
fn the_head_moves_the_watermark_only_when_nothing_is_under_way() {
    let mut held = holding(&["a"]);
    held.advertised(9, 7);
    assert_eq!((held.revision, held.head), (7, 9));
    held.advertised(9, 6);
    assert_eq!(held.revision, 7);
    let mut part = reconcile(8, vec![upsert_change("b", 8, "{}")]);
    part.more = true;
    assert_eq!(take(&mut held, part), "Part b:Active");
    held.advertised(9, 9);
    assert_eq!(held.revision, 7);
}

#[test]
fn a_gateway_without_any_environment_is_not_complete() {
    let mut holdings = Holdings::default();
    assert!(!holdings.are_complete());
    take(holdings.environment("o/e"), reconcile(0, Vec::new()));
    assert!(holdings.are_complete());
    holdings.environment("o/other");
    assert!(!holdings.are_complete());
    assert_eq!(holdings.resume().len(), 1);
}
