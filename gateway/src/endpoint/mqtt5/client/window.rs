//! What one session has received and the broker does not know to be delivered.
//!
//! Acknowledgements go out in the order in which messages came, as the protocol asks: what is settled waits for what came before
//! it. An acknowledgement belongs to the connection that brought its message; after that connection the same number means
//! another message, so none may outlive it. A broker that resumes a session sends what was not acknowledged once more, under the
//! same packet number and marked as a duplicate: what a reader has already is recognised by that and not handed out again.

use crate::endpoint::fanout::Received;
use crate::endpoint::fanout::ring::Kept as _;
use std::collections::VecDeque;
use std::sync::Arc;

/// Messages that the broker sent without asking for an acknowledgement are dropped beyond this, bytes. The others are bounded
/// by the number that the broker may send.
const UNCONFIRMED_MAX_BYTES: usize = 8 * 1024 * 1024;

/// A message that nobody has yet.
#[derive(Clone)]
pub(super) struct Item {
    number: u64,
    pub(super) received: Arc<Received>,
}

/// The place of a message that a reader has.
#[derive(Clone)]
pub(super) struct Receipt {
    connection: u64,
    item: Item,
}

/// A message that the broker waits for.
struct Open {
    item: Item,
    packet: u16,
    /// A reader has it.
    handed: bool,
    settled: bool,
}

/// What a packet says about its delivery.
#[derive(Clone, Copy)]
pub(super) struct Packet {
    pub(super) number: u16,
    /// The broker sent it before.
    pub(super) duplicate: bool,
}

/// The messages of one session.
#[derive(Default)]
pub(super) struct Window {
    connection: u64,
    connected: bool,
    /// Nothing of connections before this one comes again.
    forgotten: u64,
    next: u64,
    waiting: VecDeque<Item>,
    open: VecDeque<Open>,
    /// What readers had when the last connection ended, until the broker sends it again.
    doubtful: Vec<Open>,
    /// At-most-once: acknowledged, but nobody knows whether the broker knows.
    confirming: Vec<Item>,
    /// At-most-once: the broker knows that they are read.
    confirmed: VecDeque<Item>,
    /// Bytes of what waits and has no acknowledgement.
    unconfirmed_bytes: usize,
}

impl Window {
    /// A connection is there. `resumed`: the broker remembers what it sent before, and sends it again.
    pub(super) fn connect(&mut self, resumed: bool) {
        self.lose();
        self.connected = true;
        let open = std::mem::take(&mut self.open);
        self.doubtful.clear();
        if resumed {
            // Those without an acknowledgement do not come again.
            self.waiting.retain(|item| !open.iter().any(|open| open.item.number == item.number));
            self.doubtful.extend(open.into_iter().filter(|open| open.handed));
        } else {
            self.forgotten = self.connection;
            // Nor do those that came back from a reader meanwhile.
            let back = |open: &Open| !open.handed && !open.settled;
            for Open { item, .. } in open.into_iter().filter(back) {
                if !self.waiting.iter().any(|waiting| waiting.number == item.number) {
                    self.offer_again(item);
                }
            }
        }
    }

    /// The connection is gone, and so is the worth of everything that was sent on it.
    pub(super) fn lose(&mut self) {
        self.connection += 1;
        self.connected = false;
        self.confirming.clear();
    }

    /// The session is somebody else's, who gets what is open.
    pub(super) fn hand_over(&mut self) {
        self.connect(true);
        self.lose();
        self.doubtful.clear();
    }

    /// A message came. `packet`: absent when the broker waits for no acknowledgement. Whether there was room.
    pub(super) fn receive(&mut self, packet: Option<Packet>, received: Received) -> bool {
        if packet.is_some_and(|packet| self.recognised(packet, &received)) {
            return true;
        }
        if packet.is_none() {
            if self.unconfirmed_bytes + received.size() > UNCONFIRMED_MAX_BYTES {
                return false;
            }
            self.unconfirmed_bytes += received.size();
        }
        let item = Item { number: self.next, received: Arc::new(received) };
        self.next += 1;
        if let Some(packet) = packet {
            let open = Open { item: item.clone(), packet: packet.number, handed: false, settled: false };
            self.open.push_back(open);
        }
        self.waiting.push_back(item);
        true
    }

    /// Whether a reader has it. It was never acknowledged, so that its packet number cannot mean another message; the content is
    /// compared because not every broker keeps the number.
    fn recognised(&mut self, packet: Packet, received: &Received) -> bool {
        let same = |open: &Open| open.packet == packet.number && is_same(&open.item.received, received);
        let Some(index) = self.doubtful.iter().position(same).filter(|_| packet.duplicate) else {
            return false;
        };
        self.open.push_back(self.doubtful.remove(index));
        true
    }

    fn opened(&mut self, number: u64) -> Option<&mut Open> {
        self.open.iter_mut().find(|open| open.item.number == number)
    }

    fn took(&mut self, item: &Item) {
        if self.opened(item.number).is_none() {
            self.unconfirmed_bytes = self.unconfirmed_bytes.saturating_sub(item.received.size());
        }
    }

    /// The next message, to be settled. Nothing is handed out that would come again after a reconnect.
    pub(super) fn take(&mut self) -> Option<(Item, Receipt)> {
        if !self.connected {
            return None;
        }
        let item = self.waiting.pop_front()?;
        self.took(&item);
        if let Some(open) = self.opened(item.number) {
            open.handed = true;
        }
        let receipt = Receipt { connection: self.connection, item: item.clone() };
        Some((item, receipt))
    }

    /// The next message that the broker knows to be read.
    pub(super) fn take_confirmed(&mut self) -> Option<Item> {
        self.confirmed.pop_front()
    }

    /// What became of a message. One that failed is offered again.
    pub(super) fn settle(&mut self, receipt: Receipt, delivered: bool) {
        let Receipt { connection, item } = receipt;
        let connected = self.connected;
        if let Some(open) = self.opened(item.number) {
            (open.settled, open.handed) = (delivered, delivered);
            if !delivered && connected {
                self.offer_again(item);
            }
        } else if let Some(index) = self.doubtful.iter().position(|open| open.item.number == item.number) {
            if delivered {
                self.doubtful[index].settled = true;
            } else {
                // It comes again for somebody else.
                self.doubtful.remove(index);
            }
        } else if !delivered && (connection == self.connection || connection < self.forgotten) {
            // There is nobody who would send it again.
            self.offer_again(item);
        }
    }

    fn offer_again(&mut self, item: Item) {
        let place = self.waiting.partition_point(|waiting| waiting.number < item.number);
        self.waiting.insert(place, item);
    }

    /// The packet whose acknowledgement is due next.
    pub(super) fn due(&self) -> Option<u16> {
        self.open.front().filter(|open| open.settled && self.connected).map(|open| open.packet)
    }

    /// The acknowledgement that was due is on its way.
    pub(super) fn acknowledged(&mut self) {
        self.open.pop_front();
    }

    /// At-most-once: whether there is something to confirm.
    pub(super) fn can_confirm(&self) -> bool {
        self.connected && self.confirming.is_empty() && self.confirmed.is_empty() && !self.waiting.is_empty()
    }

    /// At-most-once: settles up to `count` messages that will be handed out when the broker is known to know it. The
    /// connection that this belongs to.
    pub(super) fn begin_confirm(&mut self, count: usize) -> u64 {
        for _ in 0..count {
            let Some(item) = self.waiting.pop_front() else { break };
            self.took(&item);
            if let Some(open) = self.opened(item.number) {
                open.settled = true;
            }
            self.confirming.push(item);
        }
        self.connection
    }

    /// Whether every acknowledgement of what is being confirmed is on its way.
    pub(super) fn is_acknowledged(&self) -> bool {
        let confirmed = |open: &Open| self.confirming.iter().any(|item| item.number == open.item.number);
        !self.open.iter().any(confirmed)
    }

    /// The broker answered what was sent after the acknowledgements.
    pub(super) fn end_confirm(&mut self, connection: u64) {
        if connection == self.connection {
            self.confirmed.extend(self.confirming.drain(..));
        }
    }

    /// Whether there is a connection.
    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Whether no message is left that the broker waits for.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
            && self.open.is_empty()
            && self.confirming.is_empty()
            && self.confirmed.is_empty()
    }
}

/// Whether two packets bring the same message. What the broker counts, and when it came, may differ.
fn is_same(one: &Received, other: &Received) -> bool {
    let topic = |received: &Received| {
        received.metadata.iter().find(|(name, _)| name == "topic").map(|(_, value)| value.clone())
    };
    one.content == other.content && one.headers == other.headers && topic(one) == topic(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(packets: &[u16]) -> Window {
        let mut window = Window::default();
        window.connect(false);
        packets.iter().for_each(|packet| assert!(window.receive(first(*packet), text(&packet.to_string()))));
        window
    }

    fn first(number: u16) -> Option<Packet> {
        Some(Packet { number, duplicate: false })
    }

    fn again(number: u16) -> Option<Packet> {
        Some(Packet { number, duplicate: true })
    }

    fn text(text: &str) -> Received {
        Received { content: Some(text.to_owned().into()), ..Received::default() }
    }

    fn content(item: &Item) -> String {
        String::from_utf8(item.received.content.clone().expect("content").to_vec()).expect("text")
    }

    fn take(window: &mut Window) -> (String, Receipt) {
        let (item, receipt) = window.take().expect("a message");
        (content(&item), receipt)
    }

    fn flush(window: &mut Window) -> Vec<u16> {
        std::iter::from_fn(|| {
            let due = window.due()?;
            window.acknowledged();
            Some(due)
        })
        .collect()
    }

    #[test]
    fn acknowledgements_keep_the_order_of_the_messages() {
        let mut window = window(&[7, 3, 9]);
        let receipts: Vec<Receipt> = (0..3).map(|_| take(&mut window).1).collect();
        window.settle(receipts[1].clone(), true);
        window.settle(receipts[2].clone(), true);
        assert!(flush(&mut window).is_empty());
        window.settle(receipts[0].clone(), true);
        assert_eq!(flush(&mut window), [7, 3, 9]);
        assert!(window.is_empty());
    }

    #[test]
    fn what_failed_is_offered_again_in_its_place() {
        let mut window = window(&[1, 2, 3]);
        let (first, second) = (take(&mut window).1, take(&mut window).1);
        window.settle(second, false);
        window.settle(first, false);
        assert_eq!(
            (take(&mut window).0, take(&mut window).0, take(&mut window).0),
            ("1".into(), "2".into(), "3".into())
        );
        assert!(window.take().is_none());
    }

    #[test]
    fn no_acknowledgement_outlives_its_connection() {
        let mut window = window(&[1, 2]);
        let (_, receipt) = take(&mut window);
        window.lose();
        assert!(window.take().is_none(), "it would come again");
        window.connect(true);
        assert!(window.receive(first(1), text("another")));
        window.settle(receipt, true);
        assert!(flush(&mut window).is_empty(), "number 1 is another message now");
        assert_eq!(take(&mut window).0, "another", "what nobody had was forgotten: it comes again");
    }

    #[test]
    fn what_a_reader_has_is_not_handed_out_again_when_the_session_is_resumed() {
        let mut window = window(&[1, 2, 3]);
        let (_, one) = take(&mut window);
        let (_, two) = take(&mut window);
        window.settle(two, true);
        window.connect(true);
        for packet in [1, 2, 3] {
            assert!(window.receive(again(packet), text(&packet.to_string())));
        }
        assert_eq!(take(&mut window).0, "3", "nobody had this one");
        assert!(window.take().is_none());
        assert!(flush(&mut window).is_empty(), "the first reader is not done");
        window.settle(one, true);
        assert_eq!(flush(&mut window), [1, 2], "on the new connection");
    }

    #[test]
    fn what_failed_while_the_connection_was_away_is_handed_out_again() {
        let mut window = window(&[1, 2]);
        let (one, two) = (take(&mut window).1, take(&mut window).1);
        window.lose();
        window.settle(one, false);
        window.connect(true);
        window.settle(two, false);
        assert!(window.receive(again(1), text("1")) && window.receive(again(2), text("2")));
        assert_eq!((take(&mut window).0, take(&mut window).0), ("1".into(), "2".into()));
    }

    #[test]
    fn another_message_under_the_same_number_is_handed_out() {
        let mut window = window(&[1]);
        let (_, receipt) = take(&mut window);
        window.connect(true);
        assert!(window.receive(again(1), text("another")) && window.receive(first(1), text("1")));
        window.settle(receipt, true);
        assert!(flush(&mut window).is_empty());
        assert_eq!((take(&mut window).0, take(&mut window).0), ("another".into(), "1".into()));
    }

    #[test]
    fn a_broker_that_forgot_the_session_sends_nothing_again() {
        let mut window = window(&[1, 2]);
        let (_, receipt) = take(&mut window);
        window.connect(false);
        window.settle(receipt, false);
        let (first, receipt) = take(&mut window);
        window.settle(receipt, true);
        let (second, receipt) = take(&mut window);
        window.settle(receipt, true);
        assert_eq!((first.as_str(), second.as_str(), flush(&mut window).len()), ("1", "2", 0));
        assert!(window.is_empty());
    }

    #[test]
    fn at_most_once_hands_out_only_what_the_broker_knows_to_be_read() {
        let mut window = window(&[1, 2, 3]);
        assert!(window.can_confirm());
        let connection = window.begin_confirm(2);
        assert!(!window.can_confirm() && !window.is_acknowledged() && window.take_confirmed().is_none());
        assert_eq!(flush(&mut window), [1, 2]);
        assert!(window.is_acknowledged());
        window.end_confirm(connection);
        assert_eq!(window.take_confirmed().map(|item| content(&item)).as_deref(), Some("1"));
        window.connect(true);
        assert_eq!(
            window.take_confirmed().map(|item| content(&item)).as_deref(),
            Some("2"),
            "it stays confirmed"
        );
    }

    #[test]
    fn at_most_once_drops_what_a_lost_connection_left_in_doubt() {
        let mut window = window(&[1, 2]);
        let connection = window.begin_confirm(2);
        flush(&mut window);
        window.connect(true);
        window.end_confirm(connection);
        assert!(
            window.take_confirmed().is_none() && window.is_empty(),
            "the broker sends them again, or not"
        );
    }

    #[test]
    fn messages_without_acknowledgement_are_bounded_and_do_not_come_again() {
        let mut window = Window::default();
        window.connect(false);
        let big =
            || Received { content: Some(vec![0; UNCONFIRMED_MAX_BYTES / 2].into()), ..Received::default() };
        assert!(window.receive(None, big()));
        assert!(!window.receive(None, big()), "the overhead makes it too much");
        window.connect(true);
        let (_, receipt) = window.take().expect("it is still there");
        window.settle(receipt, false);
        assert!(window.take().is_some(), "and is offered again");
        assert!(window.receive(None, big()));
    }
}
