//! Who got what: ids that the broker acknowledged on one side, ids that a client got on the other, and a verdict by level.

use definition::api::Qos;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Beginning of ids that only show that messages flow. They may be missed at every level.
const PROBE: &str = "probe-";

/// What was produced, by id.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    produced: BTreeSet<String>,
    /// Sent without an answer that says whether the broker has them.
    doubtful: BTreeSet<String>,
    next: usize,
    probes: usize,
}

impl Ledger {
    /// Ids for `count` messages. They count as produced: the caller fails when the broker does not acknowledge them.
    pub(crate) fn next(&mut self, count: usize) -> Vec<String> {
        let ids: Vec<String> = (self.next..self.next + count).map(|number| format!("m{number:06}")).collect();
        self.next += count;
        self.produced.extend(ids.iter().cloned());
        ids
    }

    /// An id that counts as nothing yet: [`Ledger::answered`] decides.
    #[allow(dead_code, reason = "only the soak sends one by one")]
    pub(crate) fn one(&mut self) -> String {
        self.next += 1;
        format!("m{:06}", self.next - 1)
    }

    /// Whether a message was acknowledged; if not, nobody has to get it and everybody may.
    #[allow(dead_code, reason = "only the soak sends one by one")]
    pub(crate) fn answered(&mut self, id: String, acknowledged: bool) {
        let ids = if acknowledged { &mut self.produced } else { &mut self.doubtful };
        ids.insert(id);
    }

    /// An id that nobody has to get.
    pub(crate) fn probe(&mut self) -> String {
        self.probes += 1;
        format!("{PROBE}{}", self.probes)
    }

    /// The ids that were produced and are not among `delivered`.
    pub(crate) fn missing(&self, delivered: &[String]) -> Vec<String> {
        let seen: BTreeSet<&str> = delivered.iter().map(|payload| id(payload)).collect();
        self.produced.iter().filter(|id| !seen.contains(id.as_str())).cloned().collect()
    }

    /// Compares what a client got with what was produced.
    pub(crate) fn verdict(&self, delivered: &[String]) -> Verdict {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for payload in delivered {
            *counts.entry(id(payload)).or_default() += 1;
        }
        let repeated = counts.iter().filter(|(_, count)| **count > 1).map(|(id, _)| (*id).to_owned());
        let known =
            |id: &str| id.starts_with(PROBE) || self.produced.contains(id) || self.doubtful.contains(id);
        Verdict {
            produced: self.produced.len(),
            delivered: delivered.len(),
            lost: self.missing(delivered),
            repeated: repeated.collect(),
            strange: counts.keys().filter(|id| !known(id)).map(|id| (*id).to_owned()).collect(),
        }
    }
}

/// The id of a payload: its first word; what follows only makes it larger.
pub(crate) fn id(payload: &str) -> &str {
    payload.split(' ').next().unwrap_or_default()
}

/// Whether an id only shows that messages flow.
pub(crate) fn is_probe(payload: &str) -> bool {
    payload.starts_with(PROBE)
}

/// What a ledger says about one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) produced: usize,
    pub(crate) delivered: usize,
    pub(crate) lost: Vec<String>,
    pub(crate) repeated: Vec<String>,
    /// Delivered and never produced: cut off, glued together or from elsewhere.
    pub(crate) strange: Vec<String>,
}

impl Verdict {
    /// Whether a level's promise is kept.
    pub(crate) fn keeps(&self, qos: Qos) -> bool {
        self.strange.is_empty()
            && match qos {
                Qos::AtLeastOnce => self.lost.is_empty(),
                Qos::AtMostOnce => self.repeated.is_empty(),
                Qos::None | Qos::Auto => true,
            }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { produced, delivered, lost, repeated, strange } = self;
        write!(f, "produced {produced}, delivered {delivered}")?;
        for (what, ids) in [("lost", lost), ("repeated", repeated), ("never produced", strange)] {
            write!(f, ", {what} {}", ids.len())?;
            if let (Some(first), Some(last)) = (ids.first(), ids.last()) {
                write!(f, " ({first} … {last})")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_goes_by_the_level() {
        let mut ledger = Ledger::default();
        let ids = ledger.next(3);
        let probe = ledger.probe();
        let verdict = |delivered: &[&str]| {
            ledger.verdict(&delivered.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>())
        };
        let kept = |verdict: &Verdict| -> Vec<bool> {
            [Qos::None, Qos::Auto, Qos::AtMostOnce, Qos::AtLeastOnce].map(|qos| verdict.keeps(qos)).into()
        };
        let [a, b, c] = [&*ids[0], &*ids[1], &*ids[2]];
        assert_eq!(kept(&verdict(&[a, b, &format!("{c} filler"), &probe])), [true; 4]);
        let lost = verdict(&[a, c]);
        assert_eq!(kept(&lost), [true, true, true, false]);
        assert_eq!(
            lost.to_string(),
            "produced 3, delivered 2, lost 1 (m000001 … m000001), repeated 0, never produced 0"
        );
        assert_eq!(kept(&verdict(&[a, b, b, c])), [true, true, false, true]);
        assert_eq!(kept(&verdict(&[a, b, c, "m0000"])), [false; 4]);
    }
}
