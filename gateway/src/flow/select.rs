//! Which flows apply to a call.

use super::path::readings;
use super::{Door, Flow, Selector};
use crate::call::Call;
use definition::api::ChannelOperation;
use definition::connector::Mode;
use std::sync::Arc;

impl Selector {
    pub(super) fn matches(&self, call: &Call, door: Door<'_>) -> bool {
        let method = call.request.head.method.as_str();
        let allowed = |list: &[String], value: &str| {
            list.is_empty() || list.iter().any(|known| known.eq_ignore_ascii_case(value))
        };
        let operation = |operation: &ChannelOperation| match operation {
            ChannelOperation::Subscribe => door.modes.contains(&Mode::Subscribe),
            ChannelOperation::Publish => door.modes.contains(&Mode::Publish),
        };
        allowed(&self.methods, method)
            && allowed(&self.entrypoints, door.id)
            && (self.operations.is_empty() || self.operations.iter().any(operation))
            && self.takes(call.request.path_info())
    }
}

impl Selector {
    /// A flow that guards a path guards every spelling of it: what a backend may read as that path is taken too.
    fn takes(&self, path_info: &str) -> bool {
        let matches = |path: &str| self.pattern.matches(path, self.operator);
        matches(path_info) || readings(path_info).iter().any(|path| matches(path))
    }
}

/// The flow whose path fits best, segment by segment from the left; of equal ones the first.
pub(super) fn best<'a>(candidates: &[&'a Arc<Flow>], path_info: &str) -> Option<&'a Arc<Flow>> {
    let request: Vec<&str> = path_info.split('/').collect();
    let mut champion = *candidates.first()?;
    for challenger in &candidates[1..] {
        if beats(&challenger.selector.path, &champion.selector.path, &request) {
            champion = challenger;
        }
    }
    Some(champion)
}

fn beats(challenger: &str, champion: &str, request: &[&str]) -> bool {
    let challenger: Vec<&str> = challenger.split('/').collect();
    let champion: Vec<&str> = champion.split('/').collect();
    for (at, segment) in challenger.iter().enumerate() {
        let Some(other) = champion.get(at) else { return true };
        let (own, other) = (score(segment, request.get(at)), score(other, request.get(at)));
        if own != other {
            return own > other;
        }
    }
    false
}

/// Twice the score of one segment: equal, or beyond the request's end; a parameter; neither.
fn score(segment: &str, requested: Option<&&str>) -> u8 {
    match requested {
        None => 2,
        Some(requested) if *requested == segment => 2,
        Some(_) if segment.starts_with(':') => 1,
        Some(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_path_is_found_from_left_to_right() {
        let check = |paths: &[&str], path_info: &str, expected: &str| {
            let request: Vec<&str> = path_info.split('/').collect();
            let best = paths.iter().copied().reduce(|champion, challenger| {
                if beats(challenger, champion, &request) { challenger } else { champion }
            });
            assert_eq!(best, Some(expected), "{paths:?} {path_info}");
        };
        check(&["/:id/staticId", "/myPath/:id"], "/myPath/553", "/myPath/:id");
        check(&["/myPath/:id", "/myPath/staticId"], "/myPath/staticId", "/myPath/staticId");
        check(&["/", "/a", "/a/b"], "/a/b", "/a/b");
        check(&["/:x", "/:y"], "/a", "/:x");
        check(&["/a/:b", "/:a/b"], "/a/b", "/a/:b");
    }
}
