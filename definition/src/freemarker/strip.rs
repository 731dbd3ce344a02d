//! Lines that hold nothing but tags leave nothing behind: neither their indentation nor their line break.

use super::scan::{Item, ItemKind};

/// Takes the white space of such lines away.
pub(super) fn stripped(items: Vec<Item>) -> Vec<Item> {
    let mut kept = Vec::new();
    let mut line = Line::default();
    for Item { at, kind } in items {
        match kind {
            ItemKind::Text(text) => {
                let mut offset = 0;
                for part in text.split_inclusive('\n') {
                    line.has_text |= !part.trim().is_empty();
                    line.items.push(Item { at: at + offset, kind: ItemKind::Text(part.to_owned()) });
                    offset += part.len();
                    if part.ends_with('\n') {
                        line.end(&mut kept);
                    }
                }
            }
            ItemKind::Output(_) => {
                line.has_text = true;
                line.items.push(Item { at, kind });
            }
            ItemKind::Comment | ItemKind::Open(_) | ItemKind::Close(_) => {
                line.has_tag = true;
                line.items.push(Item { at, kind });
            }
        }
    }
    line.end(&mut kept);
    kept
}

#[derive(Default)]
struct Line {
    items: Vec<Item>,
    has_tag: bool,
    has_text: bool,
}

impl Line {
    fn end(&mut self, kept: &mut Vec<Item>) {
        let line = std::mem::take(self);
        let blank = line.has_tag && !line.has_text;
        for item in line.items {
            match (item.kind, kept.last_mut()) {
                (ItemKind::Comment, _) => {}
                (ItemKind::Text(_), _) if blank => {}
                (ItemKind::Text(text), Some(Item { kind: ItemKind::Text(before), .. })) => {
                    before.push_str(&text)
                }
                (kind, _) => kept.push(Item { at: item.at, kind }),
            }
        }
    }
}
