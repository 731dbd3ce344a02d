//! Templates in the subset of Apache FreeMarker that content policies need, parsed once when an API is saved or deployed.
//!
//! A template is text with interpolations (`${…}`), directives (`<#if …>`) and comments (`<#-- … -->`). What is outside
//! the subset is refused with its place, so that nobody finds out with the first request. Objects cannot be made and
//! their methods not be called.

mod builtin;
mod expression;
mod literal;
mod scan;
mod strip;
#[cfg(test)]
mod tests;
mod tree;

pub use builtin::Builtin;

use crate::expression::Needs;

/// How deep expressions may be nested.
const EXPRESSION_DEPTH_MAX: usize = 64;
/// How deep directives may be nested.
const BLOCK_DEPTH_MAX: usize = 32;

/// A parsed template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    nodes: Vec<Node>,
    needs: Needs,
}

/// What is wrong with a template, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at line {line}, column {column}")]
pub struct SyntaxError {
    /// From 1.
    pub line: usize,
    /// Characters from 1.
    pub column: usize,
    pub message: String,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Text(String),
    /// `${…}`
    Output(Expr),
    /// The first branch whose expression is true, else the last part.
    If {
        branches: Vec<(Expr, Vec<Node>)>,
        otherwise: Vec<Node>,
    },
    /// The body once per element; two names: key and value of a hash. `otherwise`: there are none.
    List {
        over: Expr,
        names: Vec<String>,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
    /// What stands between two elements of the list around it.
    Sep(Vec<Node>),
    Assign {
        name: String,
        value: Expr,
    },
    /// Assigns the output of the body.
    Capture {
        name: String,
        body: Vec<Node>,
    },
    Break,
    Continue,
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    Text(String),
    /// A text with interpolations in it.
    Joined(Vec<Expr>),
    Integer(i64),
    Real(f64),
    Bool(bool),
    List(Vec<Expr>),
    Hash(Vec<(Expr, Expr)>),
    Range {
        from: Box<Expr>,
        to: Option<Box<Expr>>,
        kind: RangeKind,
    },
    Name(String),
    Member(Box<Expr>, String),
    Index(Box<Expr>, Box<Expr>),
    Builtin {
        of: Box<Expr>,
        name: Builtin,
        arguments: Vec<Expr>,
    },
    /// `a!b`; without `b` an empty value.
    Default(Box<Expr>, Option<Box<Expr>>),
    /// `a??`
    Exists(Box<Expr>),
    /// In parentheses a default covers every step, without them the last one only.
    Parentheses(Box<Expr>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
}

/// Which end a range has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeKind {
    /// `a..b`, with `b`.
    Inclusive,
    /// `a..<b`, without `b`.
    Exclusive,
    /// `a..*n`, n elements.
    Length,
}

/// An operator between two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Template {
    /// Parses.
    pub fn parse(source: &str) -> Result<Template, SyntaxError> {
        let nodes = scan::items(source).map(strip::stripped).and_then(tree::nodes);
        let nodes = nodes.map_err(|Fault { at, message }| SyntaxError::new(source, at, message))?;
        let mut needs = Needs::default();
        nodes.iter().for_each(|node| node.needs(&mut needs));
        Ok(Template { nodes, needs })
    }

    /// Its pieces in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Which bodies it reads.
    pub fn needs(&self) -> Needs {
        self.needs
    }
}

/// A syntax error at a byte of the source.
#[derive(Debug)]
struct Fault {
    at: usize,
    message: String,
}

impl Fault {
    fn new(at: usize, message: impl Into<String>) -> Fault {
        Fault { at, message: message.into() }
    }
}

impl SyntaxError {
    fn new(source: &str, at: usize, message: String) -> SyntaxError {
        let before = source.get(..at).unwrap_or(source);
        let line = before.rsplit('\n').next().unwrap_or_default();
        SyntaxError { line: before.matches('\n').count() + 1, column: line.chars().count() + 1, message }
    }
}

impl Node {
    fn needs(&self, needs: &mut Needs) {
        let all = |nodes: &[Node], needs: &mut Needs| nodes.iter().for_each(|node| node.needs(needs));
        match self {
            Node::Output(expr) | Node::Assign { value: expr, .. } => expr.needs(needs),
            Node::If { branches, otherwise } => {
                for (condition, body) in branches {
                    condition.needs(needs);
                    all(body, needs);
                }
                all(otherwise, needs);
            }
            Node::List { over, body, otherwise, .. } => {
                over.needs(needs);
                all(body, needs);
                all(otherwise, needs);
            }
            Node::Sep(body) | Node::Capture { body, .. } => all(body, needs),
            Node::Text(_) | Node::Break | Node::Continue => {}
        }
    }
}

impl Expr {
    fn needs(&self, needs: &mut Needs) {
        match self {
            Expr::Name(root) => note(root, needs),
            // Every other member is there without the body.
            Expr::Member(of, member) if matches!(**of, Expr::Name(_)) && member != "content" => {}
            Expr::Index(of, index) => {
                let other = matches!(&**index, Expr::Text(member) if member != "content");
                if !(other && matches!(**of, Expr::Name(_))) {
                    of.needs(needs);
                }
                index.needs(needs);
            }
            Expr::Joined(items) | Expr::List(items) => items.iter().for_each(|item| item.needs(needs)),
            Expr::Hash(entries) => entries.iter().for_each(|(key, value)| {
                key.needs(needs);
                value.needs(needs);
            }),
            Expr::Range { from, to, .. } => {
                from.needs(needs);
                to.iter().for_each(|to| to.needs(needs));
            }
            Expr::Builtin { of, arguments, .. } => {
                of.needs(needs);
                arguments.iter().for_each(|argument| argument.needs(needs));
            }
            Expr::Default(of, default) => {
                of.needs(needs);
                default.iter().for_each(|default| default.needs(needs));
            }
            Expr::Member(of, _)
            | Expr::Exists(of)
            | Expr::Parentheses(of)
            | Expr::Not(of)
            | Expr::Negative(of) => {
                of.needs(needs);
            }
            Expr::Binary(_, left, right) => {
                left.needs(needs);
                right.needs(needs);
            }
            Expr::Text(_) | Expr::Integer(_) | Expr::Real(_) | Expr::Bool(_) => {}
        }
    }
}

fn note(root: &str, needs: &mut Needs) {
    match root {
        "request" => needs.request_content = true,
        "response" => needs.response_content = true,
        "message" => needs.message = true,
        _ => {}
    }
}
