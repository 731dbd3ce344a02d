//! Properties of the plan over random holdings, tags and capabilities.

use super::*;
use crate::sync::state::{Content, Entry};
use proptest::prelude::*;

type Holdings = BTreeMap<Key, Digest>;

fn holdings() -> impl Strategy<Value = Vec<(Key, Digest)>> {
    prop::collection::btree_map((0..3_u8, 0..12_u8), 0..4_u8, 0..20).prop_map(|rows| {
        rows.into_iter()
            .map(|((kind, id), content)| (Key::new(&format!("k{kind}"), &id.to_string()), [content; 32]))
            .collect()
    })
}

fn apply(mut held: Holdings, changes: &[Change]) -> Holdings {
    for change in changes {
        match change {
            Change::Upsert(key, digest) => held.insert(key.clone(), *digest),
            Change::Delete(key) => held.remove(key),
        };
    }
    held
}

#[derive(Debug, Clone)]
struct Write {
    id: u8,
    content: Option<u8>,
    tags: Vec<String>,
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let tags = prop::sample::subsequence(vec!["eu", "us", "internal"], 0..=2);
    let write = (0..8_u8, prop::option::weighted(0.8, 0..3_u8), tags).prop_map(|(id, content, tags)| Write {
        id,
        content,
        tags: tags.into_iter().map(str::to_owned).collect(),
    });
    prop::collection::vec(write, 0..30)
}

fn view() -> impl Strategy<Value = NodeView> {
    let tags = prop::sample::subsequence(vec!["eu", "us"], 0..=2);
    tags.prop_map(|tags| NodeView {
        tags: tags.into_iter().map(str::to_owned).collect(),
        ..NodeView::default()
    })
}

fn written(state: &EnvState, writes: &[Write]) -> EnvState {
    let mut head = state.head;
    writes.iter().fold(state.with(head, 0, Vec::new()), |state, write| {
        head += 1;
        let content =
            write.content.map(|digest| Content { digest: [digest; 32], schema_version: 1, size: 1 });
        let entry = Entry { revision: head, content, tags: write.tags.clone(), deployment: None };
        state.with(head, 0, vec![(Key::new("api", &write.id.to_string()), entry)])
    })
}

fn seen(state: &EnvState, view: &NodeView) -> Holdings {
    state.visible(view).map(|(key, content)| (key.clone(), content.digest)).collect()
}

proptest! {
    #[test]
    fn applying_a_plan_gives_the_desired_state_and_nothing_is_left(desired in holdings(), held in holdings()) {
        let changes = plan(desired.clone(), held.clone());
        let after = apply(held.into_iter().collect(), &changes);
        prop_assert_eq!(&after, &desired.clone().into_iter().collect::<Holdings>());
        prop_assert_eq!(plan(desired, after), vec![]);
    }

    #[test]
    fn the_order_of_the_arguments_does_not_matter(desired in holdings(), held in holdings()) {
        let forward = plan(desired.clone(), held.clone());
        prop_assert_eq!(forward, plan(desired.into_iter().rev(), held.into_iter().rev()));
    }

    #[test]
    fn upserts_come_before_deletes(desired in holdings(), held in holdings()) {
        let changes = plan(desired, held);
        prop_assert!(changes.is_sorted_by_key(|change| matches!(change, Change::Delete(_))));
    }

    #[test]
    fn a_delta_leads_from_what_was_seen_to_what_is_seen(
        before in writes(), after in writes(), view in view(),
    ) {
        let old = written(&EnvState::default(), &before);
        let new = written(&old, &after);
        let reached = apply(seen(&old, &view), &delta(&old, &new, &view));
        prop_assert_eq!(&reached, &seen(&new, &view));
        prop_assert_eq!(new.summary(&view).count as usize, reached.len());
        prop_assert_eq!(delta(&new, &new, &view), vec![]);
    }
}

#[test]
fn a_removal_without_a_row_is_not_explained() {
    let gone = Key::new("api", "gone");
    let tombstone = Entry { revision: 1, content: None, tags: Vec::new(), deployment: None };
    let state = EnvState::new(1, 0, vec![(gone.clone(), tombstone)]);
    assert!(removals_are_explained(&[Change::Delete(gone)], &state));
    assert!(!removals_are_explained(&[Change::Delete(Key::new("api", "unknown"))], &state));
}
