//! The deploy log on SQLite.

use super::*;
use crate::db::Db;
use pretty_assertions::assert_eq;

async fn store() -> (tempfile::TempDir, Db) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let db = Db::connect(&url).await.unwrap();
    (folder, db)
}

fn scope() -> Scope {
    Scope { organization: "DEFAULT".to_owned(), environment: "DEFAULT".to_owned() }
}

async fn deploy(
    db: &Db,
    id: &str,
    operation: Operation,
    body: Option<&str>,
    tags: &[&str],
) -> sqlx::Result<Appended> {
    let mut tx = db.begin().await?;
    let digest = match body {
        Some(body) => Some(put_content(&mut tx, "api", 1, body.as_bytes()).await?),
        None => None,
    };
    let tags: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
    let change =
        Change { kind: "api", id, operation, digest, tags: &tags, actor: "admin", label: Some("first") };
    let appended = append(&mut tx, &scope(), change).await?;
    tx.commit().await?;
    Ok(appended)
}

#[tokio::test]
async fn equal_content_and_tags_spend_no_revision() {
    let (_folder, db) = store().await;
    let first = deploy(&db, "a", Operation::Publish, Some("{}"), &["x", "y"]).await.unwrap();
    assert_eq!((first.revision, first.changed), (1, true));

    let again = deploy(&db, "a", Operation::Publish, Some("{}"), &["y", "x", "x"]).await.unwrap();
    assert_eq!(again, Appended { changed: false, ..first });

    let tagged = deploy(&db, "a", Operation::Publish, Some("{}"), &["x"]).await.unwrap();
    assert_eq!((tagged.revision, tagged.changed), (2, true));
    assert_ne!(tagged.deployment, first.deployment);

    let other = deploy(&db, "b", Operation::Publish, Some("{}"), &[]).await.unwrap();
    assert_eq!((other.revision, other.changed), (3, true));
}

#[tokio::test]
async fn stop_start_and_delete_leave_a_trace_once() {
    let (_folder, db) = store().await;
    let never = deploy(&db, "a", Operation::Delete, None, &[]).await.unwrap();
    assert_eq!(never, Appended { deployment: Uuid::nil(), revision: 0, changed: false });

    deploy(&db, "a", Operation::Publish, Some("{}"), &["x"]).await.unwrap();
    let stopped = deploy(&db, "a", Operation::Stop, None, &["x"]).await.unwrap();
    assert_eq!((stopped.revision, stopped.changed), (2, true));
    let deleted = deploy(&db, "a", Operation::Delete, None, &[]).await.unwrap();
    assert_eq!(deleted, Appended { changed: false, ..stopped });
    let started = deploy(&db, "a", Operation::Start, Some("{}"), &["x"]).await.unwrap();
    assert_eq!((started.revision, started.changed), (3, true));
}

#[tokio::test]
async fn a_rollback_gives_its_revision_back() {
    let (_folder, db) = store().await;
    let mut tx = db.begin().await.unwrap();
    let digest = put_content(&mut tx, "api", 1, b"{}").await.unwrap();
    let change = Change {
        kind: "api",
        id: "a",
        operation: Operation::Publish,
        digest: Some(digest),
        tags: &[],
        actor: "admin",
        label: None,
    };
    assert_eq!(append(&mut tx, &scope(), change).await.unwrap().revision, 1);
    drop(tx);
    assert_eq!(deploy(&db, "b", Operation::Publish, Some("{}"), &[]).await.unwrap().revision, 1);
    assert_eq!(store::revisions_after(&db, &scope(), 0).await.unwrap(), [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_misses_no_revision_of_racing_writers() {
    let (_folder, db) = store().await;
    proof::revisions_are_contiguous(&db, 8, 25).await.unwrap();
}
