//! The state machine of one environment over random histories: whatever is deployed, however answers are delayed and
//! connections break, the gateway ends with what it should hold and its revision never falls.

use super::*;
use crate::sync::state::{Content, Entry};
use proptest::prelude::*;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Event {
    /// A resource changes; without content it is removed.
    Deploy { id: u8, content: Option<u8> },
    /// The server has time to send.
    Run,
    /// The gateway answers what it was sent last.
    Answer,
    /// The gateway answers something that is long void.
    AnswerVoid,
    /// The connection breaks; the gateway connects again with what it holds.
    Reconnect,
    /// The store was restored: revisions start to mean something else.
    NewEpoch,
    /// The gateway forgets the chain and tells its inventory unasked.
    Inventory,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (0..6_u8, prop::option::weighted(0.7, 0..3_u8)).prop_map(|(id, content)| Event::Deploy { id, content }),
        4 => Just(Event::Run),
        4 => Just(Event::Answer),
        1 => Just(Event::AnswerVoid),
        1 => Just(Event::Reconnect),
        1 => Just(Event::NewEpoch),
        1 => Just(Event::Inventory),
    ];
    prop::collection::vec(event, 0..60)
}

struct World {
    epoch: Uuid,
    current: Arc<EnvState>,
    server: Environment,
    nonce: u64,
    sent: Option<(u64, Outgoing)>,
    held: BTreeMap<Key, Digest>,
    held_epoch: Uuid,
    revision: u64,
    now: Instant,
    view: NodeView,
}

impl World {
    fn new() -> Self {
        let epoch = Uuid::now_v7();
        World {
            epoch,
            current: Arc::default(),
            server: Environment::unknown(epoch),
            nonce: 0,
            sent: None,
            held: BTreeMap::new(),
            held_epoch: Uuid::nil(),
            revision: 0,
            now: Instant::now(),
            view: NodeView::default(),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deploy { id, content } => {
                let head = self.current.head + 1;
                let content = content.map(|n| Content { digest: [n; 32], schema_version: 1, size: 200_000 });
                let entry = Entry { revision: head, content, tags: Vec::new(), deployment: None };
                let rows = vec![(Key::new("api", &id.to_string()), entry)];
                self.current = Arc::new(self.current.with(head, 0, rows));
            }
            Event::Run => self.run(),
            Event::Answer => self.answer(),
            Event::AnswerVoid => assert!(matches!(self.server.acknowledged(u64::MAX), Settled::Stale)),
            Event::Reconnect => {
                self.sent = None;
                let held: Vec<_> =
                    self.current.visible(&self.view).map(|(key, c)| (key.clone(), c.digest)).collect();
                let same = self.held_epoch == self.epoch
                    && held == self.held.clone().into_iter().collect::<Vec<_>>();
                self.server = if same {
                    self.revision = self.current.head;
                    Environment::up_to_date(self.epoch, Arc::clone(&self.current))
                } else {
                    Environment::unknown(self.epoch)
                };
                if !same {
                    self.inventory();
                }
            }
            Event::NewEpoch => self.epoch = Uuid::now_v7(),
            Event::Inventory => self.inventory(),
        }
    }

    fn inventory(&mut self) {
        self.sent = None;
        assert!(self.server.inventory(self.held.clone(), true, self.epoch, &self.current, &self.view));
    }

    fn run(&mut self) {
        self.nonce += 1;
        match self.server.next(self.nonce, self.now, self.epoch, &self.current, &self.view) {
            Step::Nothing => {}
            Step::AskInventory => self.inventory(),
            Step::Advance => self.revision = self.current.head,
            Step::Send(outgoing) => {
                assert!(self.sent.is_none(), "two batches are under way");
                if outgoing.kind == BatchKind::Delta {
                    assert_eq!((outgoing.previous, outgoing.epoch), (self.revision, self.held_epoch));
                }
                self.sent = Some((self.nonce, outgoing));
            }
        }
    }

    fn answer(&mut self) {
        let Some((nonce, outgoing)) = self.sent.take() else { return };
        for change in outgoing.changes {
            match change {
                Change::Upsert(key, digest) => self.held.insert(key, digest),
                Change::Delete(key) => self.held.remove(&key),
            };
        }
        if !outgoing.more {
            assert!(outgoing.epoch != self.held_epoch || outgoing.target.head >= self.revision, "it fell");
            self.revision = outgoing.target.head;
            self.held_epoch = outgoing.epoch;
            assert_eq!(outgoing.after.count as usize, self.held.len());
        }
        assert!(!matches!(self.server.acknowledged(nonce), Settled::Stale));
    }
}

proptest! {
    #[test]
    fn a_gateway_always_gets_there(events in events()) {
        let mut world = World::new();
        world.inventory();
        for event in events {
            world.happen(event);
        }
        for _ in 0..40 {
            world.run();
            world.answer();
        }
        let wanted: BTreeMap<_, _> =
            world.current.visible(&world.view).map(|(key, content)| (key.clone(), content.digest)).collect();
        prop_assert_eq!(&world.held, &wanted);
        prop_assert_eq!(world.revision, world.current.head);
        prop_assert!(world.server.steady().is_some());
    }
}
