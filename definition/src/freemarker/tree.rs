//! From the flat list of items to nested nodes.

use super::scan::{Directive, Item, ItemKind};
use super::{BLOCK_DEPTH_MAX, Fault, Node};
use std::iter::Peekable;
use std::vec::IntoIter;

/// Nests the items of a whole template.
pub(super) fn nodes(items: Vec<Item>) -> Result<Vec<Node>, Fault> {
    let mut tree = Tree { items: items.into_iter().peekable(), depth: 0, lists: 0 };
    let nodes = tree.block()?;
    match tree.items.next() {
        None => Ok(nodes),
        Some(Item { at, kind: ItemKind::Close(name) }) => {
            Err(Fault::new(at, format!("</#{name}> closes nothing that is open here")))
        }
        Some(Item { at, .. }) => {
            Err(Fault::new(at, "<#else> or <#elseif> belongs to nothing that is open here"))
        }
    }
}

struct Tree {
    items: Peekable<IntoIter<Item>>,
    depth: usize,
    /// Lists around the current item.
    lists: usize,
}

impl Tree {
    /// Nodes up to an end tag or another branch, which is left for the caller.
    fn block(&mut self) -> Result<Vec<Node>, Fault> {
        let mut nodes = Vec::new();
        while let Some(item) = self.items.next_if(|item| !ends_block(&item.kind)) {
            let at = item.at;
            match item.kind {
                ItemKind::Text(text) => nodes.push(Node::Text(text)),
                ItemKind::Output(expr) => nodes.push(Node::Output(expr)),
                ItemKind::Comment | ItemKind::Close(_) => {}
                ItemKind::Open(Directive::Assign(assigned)) => {
                    nodes.extend(assigned.into_iter().map(|(name, value)| Node::Assign { name, value }));
                }
                ItemKind::Open(directive) => {
                    self.depth += 1;
                    if self.depth > BLOCK_DEPTH_MAX {
                        return Err(Fault::new(
                            at,
                            format!("directives are nested more than {BLOCK_DEPTH_MAX} deep"),
                        ));
                    }
                    nodes.push(self.directive(at, directive)?);
                    self.depth -= 1;
                }
            }
        }
        Ok(nodes)
    }

    fn directive(&mut self, at: usize, directive: Directive) -> Result<Node, Fault> {
        match directive {
            Directive::If(condition) => self.branches(at, condition),
            Directive::List { over, names } => {
                self.lists += 1;
                let body = self.block()?;
                self.lists -= 1;
                let otherwise = if self.is_else() { self.block()? } else { Vec::new() };
                self.close(at, "list")?;
                Ok(Node::List { over, names, body, otherwise })
            }
            Directive::Sep => {
                self.in_list(at, "sep")?;
                let body = self.block()?;
                // The end of the list ends it as well.
                self.items.next_if(|item| matches!(&item.kind, ItemKind::Close(name) if name == "sep"));
                Ok(Node::Sep(body))
            }
            Directive::Capture(name) => {
                let body = self.block()?;
                self.close(at, "assign")?;
                Ok(Node::Capture { name, body })
            }
            Directive::Break => self.in_list(at, "break").map(|()| Node::Break),
            Directive::Continue => self.in_list(at, "continue").map(|()| Node::Continue),
            Directive::ElseIf(_) | Directive::Else | Directive::Assign(_) => {
                Err(Fault::new(at, "this directive cannot stand here"))
            }
        }
    }

    fn branches(&mut self, at: usize, condition: super::Expr) -> Result<Node, Fault> {
        let mut branches = vec![(condition, self.block()?)];
        loop {
            if self.is_else() {
                let otherwise = self.block()?;
                self.close(at, "if")?;
                return Ok(Node::If { branches, otherwise });
            }
            let next = self.items.next_if(|item| matches!(item.kind, ItemKind::Open(Directive::ElseIf(_))));
            let Some(Item { kind: ItemKind::Open(Directive::ElseIf(condition)), .. }) = next else {
                self.close(at, "if")?;
                return Ok(Node::If { branches, otherwise: Vec::new() });
            };
            branches.push((condition, self.block()?));
        }
    }

    fn is_else(&mut self) -> bool {
        self.items.next_if(|item| matches!(item.kind, ItemKind::Open(Directive::Else))).is_some()
    }

    /// Takes the end tag of the directive that began at `at`.
    fn close(&mut self, at: usize, name: &str) -> Result<(), Fault> {
        match self.items.next() {
            Some(Item { kind: ItemKind::Close(found), .. }) if found == name => Ok(()),
            Some(Item { at, .. }) => Err(Fault::new(at, format!("</#{name}> is due before this tag"))),
            None => Err(Fault::new(at, format!("<#{name}> is not closed, write </#{name}>"))),
        }
    }

    fn in_list(&self, at: usize, name: &str) -> Result<(), Fault> {
        match self.lists {
            0 => Err(Fault::new(at, format!("<#{name}> is possible inside a list only"))),
            _ => Ok(()),
        }
    }
}

fn ends_block(kind: &ItemKind) -> bool {
    matches!(kind, ItemKind::Close(_) | ItemKind::Open(Directive::Else | Directive::ElseIf(_)))
}
