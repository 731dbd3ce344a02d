use super::*;
use pretty_assertions::assert_eq;
use proptest::prelude::*;

const ENVIRONMENT: &str = "o/e";

fn owner(name: &str) -> Owner {
    Owner { node: name.to_owned(), process: format!("process of {name}") }
}

fn node(name: &str) -> Node {
    Node {
        owner: owner(name),
        tags: BTreeSet::new(),
        environments: BTreeSet::from([ENVIRONMENT.to_owned()]),
        ready: true,
        draining: false,
        alive: true,
        refused: BTreeSet::new(),
    }
}

fn lease(number: u128, owned: Option<&str>) -> Lease {
    Lease {
        subscription: Uuid::from_u128(number),
        environment: ENVIRONMENT.to_owned(),
        api: "api".to_owned(),
        tags: Some(Vec::new()),
        wanted: true,
        owner: owned.map(owner),
        generation: 7,
    }
}

/// The moves as `number→node`, `-` for nobody.
fn check(nodes: &[Node], leases: &[Lease]) -> String {
    let moves = assign(nodes, leases, true);
    let text = |change: &Move| {
        assert_eq!(change.generation, 7);
        let to = change.to.as_ref().map_or("-", |owner| &owner.node);
        format!("{}→{to}", change.subscription.as_u128())
    };
    moves.iter().map(text).collect::<Vec<_>>().join(" ")
}

#[test]
fn whoever_has_the_fewest_gets_what_nobody_has() {
    assert_eq!(
        check(&[node("a"), node("b")], &[lease(1, None), lease(2, None), lease(3, None)]),
        "1→a 2→b 3→a"
    );
    assert_eq!(check(&[node("a"), node("b")], &[lease(1, Some("a")), lease(2, None)]), "2→b");
    assert_eq!(check(&[], &[lease(1, None)]), "");
}

#[test]
fn owners_keep_what_they_have_until_the_difference_is_two() {
    let two = [node("a"), node("b")];
    assert_eq!(check(&two, &[lease(1, Some("a"))]), "");
    assert_eq!(check(&two, &[lease(1, Some("a")), lease(2, Some("a"))]), "1→b");
}

#[test]
fn what_a_dead_or_a_later_process_had_goes_to_others() {
    let dead = Node { alive: false, ..node("a") };
    let leases = [lease(1, Some("a"))];
    assert_eq!(check(&[dead.clone(), node("b")], &leases), "1→b");
    assert_eq!(
        assign(&[dead.clone(), node("b")], &leases, false),
        [],
        "not before one has looked for long enough"
    );
    assert_eq!(check(&[dead], &leases), "", "nobody else can take it: it may still run there");
    let restarted = Owner { process: "another".to_owned(), ..owner("a") };
    assert_eq!(check(&[Node { owner: restarted, ..node("a") }], &leases), "1→a");
    assert_eq!(check(&[node("b")], &leases), "1→b");
    assert_eq!(check(&[], &leases), "1→-");
}

#[test]
fn who_drains_keeps_what_runs_and_gets_nothing() {
    let draining = Node { draining: true, ..node("a") };
    let leases = [lease(1, Some("a")), lease(2, Some("a")), lease(3, None)];
    assert_eq!(check(&[draining.clone(), node("b")], &leases), "3→b");
    assert_eq!(check(&[draining], &leases), "");
    let cold = Node { ready: false, ..node("b") };
    assert_eq!(check(&[node("a"), cold], &leases), "3→a", "nothing moves to who does not hold the APIs yet");
}

#[test]
fn only_who_carries_the_api_can_own() {
    let tagged = |name: &str, tag: &str| Node { tags: BTreeSet::from([tag.to_owned()]), ..node(name) };
    let nodes = [tagged("a", "x"), tagged("b", "y")];
    let of = |tags: &[&str], owned| {
        let tags = Some(tags.iter().map(|&tag| tag.to_owned()).collect());
        Lease { tags, ..lease(1, owned) }
    };
    assert_eq!(check(&nodes, &[of(&["y"], None)]), "1→b");
    assert_eq!(check(&nodes, &[of(&["y"], Some("a"))]), "1→b", "the tags changed");
    assert_eq!(check(&nodes, &[of(&["z"], Some("a"))]), "1→-");
    let elsewhere = Lease { environment: "o/other".to_owned(), ..lease(1, Some("a")) };
    assert_eq!(check(&nodes, &[elsewhere]), "1→-");
    let undeployed = Lease { tags: None, ..lease(1, Some("a")) };
    assert_eq!(check(&nodes, &[undeployed]), "1→-");
    let unwanted = Lease { wanted: false, ..lease(1, Some("a")) };
    assert_eq!(check(&nodes, &[unwanted]), "1→-");
}

#[test]
fn who_refused_the_api_gets_it_last() {
    let refuses = |name: &str| Node { refused: BTreeSet::from(["api".to_owned()]), ..node(name) };
    let two = [lease(1, Some("a")), lease(2, Some("a"))];
    assert_eq!(check(&[refuses("a"), node("b")], &two), "1→b 2→b");
    assert_eq!(check(&[node("a"), refuses("b")], &two), "");
    let again = check(&[refuses("a"), refuses("b")], &two);
    assert_eq!(again, "1→b", "whoever refused it may still run an earlier version");
    assert_eq!(check(&[refuses("a")], &[lease(1, None)]), "1→a");
}

prop_compose! {
    fn some_node()(
        number in 0_usize..6, process in 0_u8..2, tag in 0_usize..3, ready: bool, draining in 0_u8..5, alive in 0_u8..5,
    ) -> Node {
        let owner = Owner { node: format!("n{number}"), process: process.to_string() };
        let tags = ["x", "y"].get(tag).map(|tag| (*tag).to_owned()).into_iter().collect();
        Node { owner, tags, ready, draining: draining == 0, alive: alive > 0, ..node("") }
    }
}

prop_compose! {
    fn some_lease()(
        number: u128, tag in 0_usize..4, owned in 0_usize..8, process in 0_u8..2, wanted in 0_u8..6,
    ) -> Lease {
        let tags = match tag { 0 => None, 1 => Some(vec!["x".to_owned()]), _ => Some(Vec::new()) };
        let owner = (owned < 6).then(|| Owner { node: format!("n{owned}"), process: process.to_string() });
        Lease { tags, owner, wanted: wanted > 0, ..lease(number, None) }
    }
}

/// Nodes have one row each, subscriptions too.
fn world() -> impl Strategy<Value = (Vec<Node>, Vec<Lease>)> {
    let nodes = proptest::collection::vec(some_node(), 0..6).prop_map(|nodes| {
        let nodes: BTreeMap<String, Node> =
            nodes.into_iter().map(|node| (node.owner.node.clone(), node)).collect();
        nodes.into_values().collect()
    });
    let leases = proptest::collection::vec(some_lease(), 0..40).prop_map(|leases| {
        let leases: BTreeMap<Uuid, Lease> =
            leases.into_iter().map(|lease| (lease.subscription, lease)).collect();
        leases.into_values().collect()
    });
    (nodes, leases)
}

fn applied(leases: &[Lease], moves: &[Move]) -> Vec<Lease> {
    let mut leases = leases.to_vec();
    for change in moves {
        let lease = leases.iter_mut().find(|lease| lease.subscription == change.subscription).unwrap();
        lease.owner = change.to.clone();
        lease.generation += 1;
    }
    leases
}

fn load(leases: &[Lease], owner: &Owner) -> usize {
    leases.iter().filter(|lease| lease.owner.as_ref() == Some(owner)).count()
}

proptest! {
    #[test]
    fn every_subscription_has_one_owner_where_there_can_be_one((nodes, leases) in world(), judge: bool) {
        let moves = assign(&nodes, &leases, judge);
        let after = applied(&leases, &moves);
        for (before, lease) in leases.iter().zip(&after) {
            let able: Vec<&Node> = nodes.iter().filter(|node| node.can_take(lease)).collect();
            match &lease.owner {
                None => prop_assert!(able.is_empty(), "{lease:?} could be owned"),
                Some(owner) => {
                    let node = nodes.iter().find(|node| node.owner == *owner);
                    prop_assert!(node.is_some_and(|node| node.serves(lease)));
                    let moved = before.owner != lease.owner;
                    prop_assert!(!moved || able.iter().any(|node| node.owner == *owner));
                    let dead = node.is_some_and(|node| !node.alive);
                    prop_assert!(!dead || !judge || able.is_empty(), "a dead owner although others could");
                }
            }
        }
        prop_assert_eq!(assign(&nodes, &after, judge), [], "deciding again changes nothing");
    }

    #[test]
    fn loads_differ_by_one_among_those_that_could_swap((nodes, leases) in world()) {
        let after = applied(&leases, &assign(&nodes, &leases, true));
        for lease in &after {
            let Some(owner) = &lease.owner else { continue };
            if !nodes.iter().any(|node| node.owner == *owner && node.can_take(lease)) {
                continue;
            }
            for other in nodes.iter().filter(|node| node.can_take(lease)) {
                prop_assert!(load(&after, owner) <= load(&after, &other.owner) + 1);
            }
        }
    }

    #[test]
    fn nothing_moves_without_need(count in 1_usize..6, leases in 0_usize..40) {
        let nodes: Vec<Node> = (0..count).map(|number| node(&number.to_string())).collect();
        let leases: Vec<Lease> = (0..leases).map(|number| lease(number as u128, None)).collect();
        let settled = applied(&leases, &assign(&nodes, &leases, true));
        // One that dies: only what it had moves, and at most as much again to even out.
        let mut fewer = nodes.clone();
        fewer[0].alive = false;
        let moves = assign(&fewer, &settled, true);
        if count > 1 {
            prop_assert_eq!(moves.len(), load(&settled, &nodes[0].owner));
        } else {
            prop_assert!(moves.is_empty());
        }
        // One that joins: only what it gets moves.
        let mut more = nodes;
        more.push(node("new"));
        let moves = assign(&more, &settled, true);
        prop_assert!(moves.iter().all(|change| change.to == Some(owner("new"))));
        prop_assert_eq!(moves.len(), leases.len() / (count + 1));
    }
}
