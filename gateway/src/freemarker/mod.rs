//! Renders FreeMarker templates: what a call and a message are, in the words of template authors.
//!
//! Whoever sends a request chooses much of what a template works on, so that every rendering has a budget of steps and of
//! bytes. It is read-only: templates see values, never the objects behind them.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "built-ins and operators know a few kinds of values; every other kind is the same mistake"
)]

mod evaluate;
mod loops;
mod model;
mod number;
mod sequences;
#[cfg(test)]
mod tests;
mod texts;
mod value;

use crate::call::Call;
use crate::message::Message;
use definition::freemarker::{Expr, Node, Template};
use loops::Loop;
use std::collections::HashMap;
use value::Value;

/// Work for one rendering: about one per expression, element or 64 bytes of text.
const STEPS_MAX: usize = 500_000;
/// Greatest text that a rendering makes, bytes.
const TEXT_MAX_BYTES: usize = 10 * 1024 * 1024;

/// What a template may look at.
#[derive(Clone, Copy)]
pub(crate) struct Model<'a> {
    pub(crate) call: &'a Call,
    /// In message phases.
    pub(crate) message: Option<&'a Message>,
    /// Once the endpoint answered.
    pub(crate) response: bool,
}

/// Why a template has no text. Names places of the template, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RenderError {
    #[error("{0} is missing")]
    Missing(String),
    #[error("{place} is {found}, expected {expected}")]
    Type { place: String, found: &'static str, expected: &'static str },
    #[error("{0}")]
    Other(&'static str),
}

/// Renders a template. The bodies that it `needs` must be there.
pub(crate) fn render(template: &Template, model: Model<'_>) -> Result<String, RenderError> {
    let mut run =
        Run { model, variables: HashMap::new(), loops: Vec::new(), steps: 0, output: String::new() };
    run.nodes(template.nodes())?;
    Ok(run.output)
}

/// One rendering.
struct Run<'a> {
    model: Model<'a>,
    variables: HashMap<String, Value>,
    /// Innermost last.
    loops: Vec<Loop>,
    steps: usize,
    output: String,
}

/// How a part ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Fully,
    Break,
    Continue,
}

impl Run<'_> {
    fn nodes(&mut self, nodes: &[Node]) -> Result<Ended, RenderError> {
        for node in nodes {
            let ended = self.node(node)?;
            if ended != Ended::Fully {
                return Ok(ended);
            }
        }
        Ok(Ended::Fully)
    }

    fn node(&mut self, node: &Node) -> Result<Ended, RenderError> {
        self.spend(1)?;
        match node {
            Node::Text(text) => self.write(text)?,
            Node::Output(expr) => {
                let value = self.present(expr)?;
                let text = value.text(|| describe(expr))?;
                self.write(&text)?;
            }
            Node::Assign { name, value } => {
                let value = self.present(value)?;
                self.variables.insert(name.clone(), value);
            }
            Node::Capture { name, body } => {
                let before = std::mem::take(&mut self.output);
                let ended = self.nodes(body)?;
                let captured = std::mem::replace(&mut self.output, before);
                self.variables.insert(name.clone(), Value::text_of(captured));
                return Ok(ended);
            }
            Node::If { branches, otherwise } => {
                for (condition, body) in branches {
                    if self.truth(condition)? {
                        return self.nodes(body);
                    }
                }
                return self.nodes(otherwise);
            }
            Node::List { over, names, body, otherwise } => return self.list(over, names, body, otherwise),
            Node::Sep(body) => {
                if self.loops.last().is_some_and(Loop::has_next) {
                    return self.nodes(body);
                }
            }
            Node::Break => return Ok(Ended::Break),
            Node::Continue => return Ok(Ended::Continue),
        }
        Ok(Ended::Fully)
    }

    fn write(&mut self, text: &str) -> Result<(), RenderError> {
        self.spend(text.len() / 64)?;
        if self.output.len() + text.len() > TEXT_MAX_BYTES {
            return Err(RenderError::Other("the text is larger than 10 MiB"));
        }
        self.output.push_str(text);
        Ok(())
    }

    /// Takes steps from the budget.
    fn spend(&mut self, steps: usize) -> Result<(), RenderError> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > STEPS_MAX {
            return Err(RenderError::Other("the template takes too many steps"));
        }
        Ok(())
    }

    /// A new text, paid for by its length.
    fn made(&mut self, text: String) -> Result<Value, RenderError> {
        if text.len() > TEXT_MAX_BYTES {
            return Err(RenderError::Other("a text is larger than 10 MiB"));
        }
        self.spend(text.len() / 64)?;
        Ok(Value::text_of(text))
    }
}

/// An expression as errors name it.
fn describe(expr: &Expr) -> String {
    match expr {
        Expr::Name(name) => name.clone(),
        Expr::Member(of, name) => format!("{}.{name}", describe(of)),
        Expr::Index(of, index) => match &**index {
            Expr::Text(key) => format!("{}['{key}']", describe(of)),
            Expr::Integer(index) => format!("{}[{index}]", describe(of)),
            _ => format!("{}[…]", describe(of)),
        },
        Expr::Builtin { of, name, .. } => format!("{}?{}", describe(of), name.name()),
        Expr::Parentheses(inner) => format!("({})", describe(inner)),
        _ => "an expression".to_owned(),
    }
}
