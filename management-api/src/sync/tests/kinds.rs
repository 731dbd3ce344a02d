//! Who is sent which kinds of resources.

use super::probe::{Probe, hello};
use super::{Operation, Plane};
use pretty_assertions::assert_eq;
use proto::sync::v1::{Capability, Hello};

fn knowing(kind: &str, version: u32) -> Hello {
    let mut hello = hello("new");
    let capability =
        Capability { kind: kind.to_owned(), schema_version_min: version, schema_version_max: version };
    hello.capabilities.push(capability);
    hello
}

#[tokio::test]
async fn a_kind_goes_to_those_who_declared_it() {
    let plane = Plane::start().await;
    plane.deploy("a", "{}").await;
    plane.change_of("subscription", "s", Operation::Publish, Some("{}"), &[]).await;

    let mut old = Probe::converged(&plane, hello("old")).await;
    assert_eq!(old.held.keys().collect::<Vec<_>>(), ["a"]);
    plane.change_of("subscription", "s", Operation::Publish, Some("[]"), &[]).await;
    plane.deploy("b", "{}").await;
    let batch = old.take_batch().await;
    assert_eq!(batch.changes.iter().map(|change| change.id.as_str()).collect::<Vec<_>>(), ["b"]);

    let mut new = Probe::connect(&plane, knowing("subscription", 1)).await;
    assert_eq!(new.welcome.environments[0].expected_count, 3);
    new.send_inventory().await;
    let (_, batch) = new.receive().await;
    let kinds: Vec<_> =
        batch.changes.iter().map(|change| (change.kind.as_str(), change.id.as_str())).collect();
    assert_eq!(kinds, [("api", "a"), ("api", "b"), ("subscription", "s")]);
    assert_eq!(&batch.changes[2].body[..], b"[]");
}

#[tokio::test]
async fn a_version_that_cannot_be_read_is_announced_without_its_body() {
    let plane = Plane::start().await;
    plane.change_of("subscription", "s", Operation::Publish, Some("{}"), &[]).await;
    let mut probe = Probe::connect(&plane, knowing("subscription", 2)).await;
    probe.send_inventory().await;
    let (_, batch) = probe.receive().await;
    assert_eq!(batch.changes.len(), 1);
    assert!(batch.changes[0].body.is_empty());
}

#[tokio::test]
async fn tags_keep_consumers_where_their_api_is() {
    let plane = Plane::start().await;
    plane.change_of("subscription", "east", Operation::Publish, Some("{}"), &["east"]).await;
    plane.change_of("subscription", "west", Operation::Publish, Some("{}"), &["west"]).await;
    let hello = Hello { sharding_tags: vec!["west".to_owned()], ..knowing("subscription", 1) };
    let mut probe = Probe::connect(&plane, hello).await;
    assert_eq!(probe.welcome.environments[0].expected_count, 1);
    probe.send_inventory().await;
    let (_, batch) = probe.receive().await;
    assert_eq!(batch.changes[0].id, "west");
}
