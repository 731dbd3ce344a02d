//! What an expression is once it is read: a tree without positions and without parentheses.
//!
//! The height of a tree is bounded by the parser, so that walking, comparing and dropping one may recurse.

use std::sync::Arc;

/// One node.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(Arc<str>),
    /// `#name`
    Variable(Box<str>),
    /// `#name(…)`
    Function {
        name: Box<str>,
        arguments: Vec<Expression>,
    },
    /// `T(name)` or `T(name[])`
    Type {
        name: Box<str>,
        array: bool,
    },
    /// `new name(…)`
    New {
        name: Box<str>,
        arguments: Vec<Expression>,
    },
    /// `{a, b}`
    List(Vec<Expression>),
    /// `{key: value}`
    Map(Vec<(Key, Expression)>),
    /// The element of the selection or projection that is being evaluated; outside of one it is null. Written as nothing:
    /// a bare name is a property of it.
    Element,
    /// `target.name`
    Property {
        target: Box<Expression>,
        name: Box<str>,
        safe: bool,
    },
    /// `target.name(…)`
    Method {
        target: Box<Expression>,
        name: Box<str>,
        arguments: Vec<Expression>,
        safe: bool,
    },
    /// `target[index]`
    Index {
        target: Box<Expression>,
        index: Box<Expression>,
        safe: bool,
    },
    /// `target.?[predicate]` and its relatives.
    Select {
        target: Box<Expression>,
        kind: Selection,
        predicate: Box<Expression>,
        safe: bool,
    },
    Unary(Unary, Box<Expression>),
    Binary(Binary, Box<Expression>, Box<Expression>),
    /// `value ?: otherwise`
    Elvis(Box<Expression>, Box<Expression>),
    /// `condition ? yes : no`
    Choice(Box<Expression>, Box<Expression>, Box<Expression>),
}

/// The key of an entry of an inline map.
#[derive(Debug, Clone, PartialEq)]
pub enum Key {
    Name(Arc<str>),
    Computed(Expression),
}

/// What happens to the elements of a list or map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// `?[`: all elements for which the predicate holds.
    All,
    /// `^[`: the first one.
    First,
    /// `$[`: the last one.
    Last,
    /// `![`: the value of the predicate for each element.
    Project,
}

/// Operators in front of an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unary {
    Not,
    Minus,
    Plus,
}

/// Operators between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    InstanceOf,
    Between,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

/// How tightly an operator binds; a greater level binds tighter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Or,
    And,
    Relation,
    Sum,
    Product,
    Power,
}

impl Level {
    /// The level of the right operand of a left-associative operator.
    pub(super) fn tighter(self) -> Option<Level> {
        match self {
            Level::Or => Some(Level::And),
            Level::And => Some(Level::Relation),
            Level::Relation => Some(Level::Sum),
            Level::Sum => Some(Level::Product),
            Level::Product => Some(Level::Power),
            Level::Power => None,
        }
    }

    /// Whether `a op b op c` has a meaning without parentheses.
    pub(super) fn chains(self) -> bool {
        !matches!(self, Level::Relation | Level::Power)
    }
}

impl Binary {
    pub(super) fn level(self) -> Level {
        match self {
            Binary::Or => Level::Or,
            Binary::And => Level::And,
            Binary::Equal
            | Binary::NotEqual
            | Binary::Less
            | Binary::LessOrEqual
            | Binary::Greater
            | Binary::GreaterOrEqual
            | Binary::Matches
            | Binary::InstanceOf
            | Binary::Between => Level::Relation,
            Binary::Add | Binary::Subtract => Level::Sum,
            Binary::Multiply | Binary::Divide | Binary::Remainder => Level::Product,
            Binary::Power => Level::Power,
        }
    }

    /// By symbol or by keyword in any case.
    pub(super) fn from_spelling(spelling: &str) -> Option<Binary> {
        let known = |(spellings, operator): &(&[&str], Binary)| {
            spellings.iter().any(|known| known.eq_ignore_ascii_case(spelling)).then_some(*operator)
        };
        SPELLINGS.iter().find_map(known)
    }

    /// The spelling that is printed.
    pub fn spelling(self) -> &'static str {
        let of = |(spellings, operator): &(&[&'static str], Binary)| {
            (*operator == self).then(|| spellings.first().copied().unwrap_or_default())
        };
        SPELLINGS.iter().find_map(of).unwrap_or_default()
    }
}

const SPELLINGS: &[(&[&str], Binary)] = &[
    (&["||", "or"], Binary::Or),
    (&["&&", "and"], Binary::And),
    (&["==", "eq"], Binary::Equal),
    (&["!=", "ne"], Binary::NotEqual),
    (&["<", "lt"], Binary::Less),
    (&["<=", "le"], Binary::LessOrEqual),
    (&[">", "gt"], Binary::Greater),
    (&[">=", "ge"], Binary::GreaterOrEqual),
    (&["matches"], Binary::Matches),
    (&["instanceof"], Binary::InstanceOf),
    (&["between"], Binary::Between),
    (&["+"], Binary::Add),
    (&["-"], Binary::Subtract),
    (&["*"], Binary::Multiply),
    (&["/", "div"], Binary::Divide),
    (&["%", "mod"], Binary::Remainder),
    (&["^"], Binary::Power),
];

impl Selection {
    /// With the opening bracket.
    pub fn symbol(self) -> &'static str {
        match self {
            Selection::All => "?[",
            Selection::First => "^[",
            Selection::Last => "$[",
            Selection::Project => "![",
        }
    }
}
