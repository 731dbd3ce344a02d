//! Leases in the store, on either engine: subscriptions come over REST, gateways from a roll, and several keepers
//! look at the same store.

use super::keeper::Keeper;
use super::roll::{Presence, Report, Roll};
use super::{Owned, Owner, Seen};
use crate::tests::{APIS, Rest, on_both_engines};
use definition::consumer::PushState;
use pretty_assertions::assert_eq;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

const ENVIRONMENT: &str = "DEFAULT/DEFAULT";

/// A management node's part in it.
struct Replica {
    roll: Arc<Roll>,
    keeper: Keeper,
    seen: watch::Receiver<Seen>,
}

impl Replica {
    fn of(rest: &Rest) -> Replica {
        let roll = Arc::<Roll>::default();
        let (keeper, seen) = Keeper::new(rest.db.clone(), Arc::clone(&roll), Arc::<Notify>::default());
        Replica { roll, keeper, seen }
    }

    /// A gateway that connects here and holds everything.
    fn gateway(&self, node: &str, process: u64) -> Presence {
        let owner = Owner { node: node.to_owned(), process: process.to_string() };
        let environments = BTreeSet::from([ENVIRONMENT.to_owned()]);
        let presence = self.roll.enter(process, owner, process, BTreeSet::new(), environments.clone());
        presence.serves(environments, true);
        presence
    }

    async fn look(&mut self) {
        self.keeper.look(true).await.unwrap();
    }

    /// Who owns what here.
    fn owners(&self) -> BTreeMap<Uuid, (String, u64)> {
        let picture = self.seen.borrow().clone().expect("it has looked");
        let owned = picture.owned.iter().flat_map(|(owner, owned)| {
            owned.iter().map(|(id, Owned { generation, .. })| (*id, (owner.node.clone(), *generation)))
        });
        owned.collect()
    }
}

/// A started API with a push plan; answers its URL and the plan's id.
async fn pushing_api(rest: &Rest) -> (String, String) {
    let api = rest.api("/push").await;
    rest.plan(&api, "published").await;
    let plan = rest.plan_of(&api, "subscription", "auto").await;
    rest.act(&format!("{api}?action=START")).await.is(204);
    (api, plan)
}

/// A push subscription; answers its URL.
async fn subscribed(rest: &Rest, api: &str, plan: &str) -> String {
    let application = rest.application(None).await;
    let body =
        json!({"configuration": {"entrypointId": "webhook", "callbackUrl": "https://callback.example"}});
    let path = format!("{api}/subscriptions?application={application}&plan={plan}");
    let created = rest.post(&path, &body).await.is(201).json();
    format!("{api}/subscriptions/{}", created["id"].as_str().unwrap())
}

fn id(subscription: &str) -> Uuid {
    Uuid::parse_str(subscription.rsplit('/').next().unwrap()).unwrap()
}

fn report(presence: &Presence, subscription: &str, generation: u64, state: PushState, reason: &str) {
    presence.report(Report {
        subscription: id(subscription),
        environment: ENVIRONMENT.to_owned(),
        owner: presence.owner().clone(),
        generation,
        state,
        reason: reason.to_owned(),
    });
}

async fn every_subscription_gets_one_owner_and_replicas_agree(rest: Rest) {
    let (api, plan) = pushing_api(&rest).await;
    let mut subscriptions = Vec::new();
    for _ in 0..4 {
        subscriptions.push(subscribed(&rest, &api, &plan).await);
    }
    let (mut first, mut second) = (Replica::of(&rest), Replica::of(&rest));
    let _a = first.gateway("a", 1);
    let _b = second.gateway("b", 2);
    first.look().await;
    let all_on_a = subscriptions.iter().map(|url| (id(url), ("a".to_owned(), 1))).collect();
    assert_eq!(first.owners(), all_on_a, "nobody else is known");
    second.look().await;
    let owners = second.owners();
    let of = |node: &str| owners.values().filter(|(owner, _)| owner == node).count();
    assert_eq!((of("a"), of("b")), (2, 2));
    assert!(owners.values().all(|(node, generation)| *generation == if node == "a" { 1 } else { 2 }));
    for replica in [&mut first, &mut second] {
        replica.look().await;
        assert_eq!(replica.owners(), owners, "nothing moves any more");
    }
    rest.act(&format!("{}/status?status=CLOSED", subscriptions[0])).await.is(200);
    first.look().await;
    assert!(!first.owners().contains_key(&id(&subscriptions[0])));
}

async fn a_pause_ends_ownership_and_the_next_one_has_a_later_generation(rest: Rest) {
    let (api, plan) = pushing_api(&rest).await;
    let subscription = subscribed(&rest, &api, &plan).await;
    let mut replica = Replica::of(&rest);
    let _a = replica.gateway("a", 1);
    let owner = |replica: &Replica| replica.owners().get(&id(&subscription)).cloned();
    replica.look().await;
    assert_eq!(owner(&replica), Some(("a".to_owned(), 1)));
    for (pause, resume) in [("status?status=PAUSED", "status?status=RESUMED")] {
        rest.act(&format!("{subscription}/{pause}")).await.is(200);
        replica.look().await;
        assert_eq!(owner(&replica), None);
        rest.act(&format!("{subscription}/{resume}")).await.is(200);
        replica.look().await;
        assert_eq!(owner(&replica), Some(("a".to_owned(), 2)));
    }
    rest.act(&format!("{api}?action=STOP")).await.is(204);
    replica.look().await;
    assert_eq!(owner(&replica), None, "nobody runs a stopped API");
    rest.act(&format!("{api}?action=START")).await.is(204);
    replica.look().await;
    assert_eq!(owner(&replica), Some(("a".to_owned(), 3)));
    rest.act(&format!("{api}/plans/{plan}/_close")).await.is(200);
    replica.look().await;
    assert_eq!(owner(&replica), None, "closing the plan closed it");
}

async fn who_says_good_bye_or_comes_back_as_another_process_loses_at_once(rest: Rest) {
    let (api, plan) = pushing_api(&rest).await;
    let subscription = subscribed(&rest, &api, &plan).await;
    let (mut first, mut second) = (Replica::of(&rest), Replica::of(&rest));
    let a = first.gateway("a", 1);
    first.look().await;
    let _b = second.gateway("b", 2);
    second.look().await;
    assert_eq!(second.owners()[&id(&subscription)], ("a".to_owned(), 1));
    a.drains();
    first.look().await;
    second.look().await;
    assert_eq!(second.owners()[&id(&subscription)], ("a".to_owned(), 1), "it still runs there");
    report(&a, &subscription, 1, PushState::Released, "");
    first.look().await;
    assert_eq!(first.owners()[&id(&subscription)], ("b".to_owned(), 2));
    a.gone();
    let restarted = second.gateway("b", 3);
    second.look().await;
    assert_eq!(second.owners()[&id(&subscription)], ("b".to_owned(), 3), "its first process is gone");
    restarted.gone();
    second.look().await;
    assert_eq!(second.owners().get(&id(&subscription)), None);
}

async fn a_failure_is_shown_until_somebody_takes_it_up_again(rest: Rest) {
    let (api, plan) = pushing_api(&rest).await;
    let subscription = subscribed(&rest, &api, &plan).await;
    let mut replica = Replica::of(&rest);
    let a = replica.gateway("a", 1);
    replica.look().await;
    report(&a, &subscription, 0, PushState::Failed, "an earlier owner's");
    replica.look().await;
    let shown = rest.get(&subscription).await.is(200).json();
    assert_eq!(shown["consumerStatus"], "STARTED", "an earlier generation says nothing");

    let consumer = |subscription: &str| {
        let id = id(subscription);
        let path = subscription.split("/v4/").next().unwrap().to_owned();
        (path, id)
    };
    let application = shown["application"]["id"].as_str().unwrap().to_owned();
    let (base, subscription_id) = consumer(&subscription);
    let resume_by_consumer = format!(
        "{base}/applications/{application}/subscriptions/{subscription_id}/_changeConsumerStatus?status=STARTED"
    );
    let resume_by_publisher = format!("{subscription}/status?status=RESUMED");
    for (generation, resume) in [(1, &resume_by_consumer), (2, &resume_by_publisher)] {
        report(&a, &subscription, generation, PushState::Failed, "the callback answers 400");
        replica.look().await;
        let shown = rest.get(&subscription).await.is(200).json();
        assert_eq!((&shown["status"], &shown["consumerStatus"]), (&json!("ACCEPTED"), &json!("FAILURE")));
        assert_eq!(shown["failureCause"], "the callback answers 400");
        assert!(replica.owners().is_empty());
        replica.look().await;
        assert!(replica.owners().is_empty(), "nobody tries it again by himself");
        rest.act(resume).await.is(200);
        let shown = rest.get(&subscription).await.is(200).json();
        assert_eq!((&shown["consumerStatus"], shown.get("failureCause")), (&json!("STARTED"), None));
        replica.look().await;
        assert_eq!(replica.owners()[&id(&subscription)], ("a".to_owned(), generation + 1));
    }
    report(&a, &subscription, 3, PushState::Failed, "again");
    replica.look().await;
    let change =
        json!({"configuration": {"entrypointId": "webhook", "callbackUrl": "https://other.example"}});
    rest.put(&subscription, &change).await.is(200);
    replica.look().await;
    assert_eq!(replica.owners()[&id(&subscription)], ("a".to_owned(), 4), "a change is another try");
    let audited = crate::tests::store::count(
        &rest.db,
        "select count(*) from audit where action = 'subscription.failure'",
    );
    assert_eq!(audited.await, 3);
    assert!(rest.get(APIS).await.is(200).text.contains("/push"));
}

on_both_engines!(
    every_subscription_gets_one_owner_and_replicas_agree,
    a_pause_ends_ownership_and_the_next_one_has_a_later_generation,
    who_says_good_bye_or_comes_back_as_another_process_loses_at_once,
    a_failure_is_shown_until_somebody_takes_it_up_again,
);
