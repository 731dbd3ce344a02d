//! JSON paths in the dialect of Jayway: what they are once they are read. Evaluation is the gateway's.
//!
//! Values that stand in a path are made by whoever reads it, so that nothing is converted per evaluation.

mod parse;

use std::sync::Arc;

/// Why a text is no JSON path: the place and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonPathError(String);

/// Values that are written in a path.
pub trait Literal: Sized {
    /// A text in quotes.
    fn text(text: &str) -> Self;
    /// A list in brackets.
    fn list(items: Vec<Self>) -> Self;
    /// Any other value, as JSON; `None`: it is none.
    fn parse(text: &str) -> Option<Self>;
}

impl Literal for serde_json::Value {
    fn text(text: &str) -> Self {
        text.into()
    }

    fn list(items: Vec<Self>) -> Self {
        items.into()
    }

    fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// A path that was read.
#[derive(Debug)]
pub struct Path<L> {
    pub steps: Vec<Step<L>>,
    /// What is computed from the result.
    pub functions: Vec<Function<L>>,
}

/// One step into a document.
#[derive(Debug)]
pub enum Step<L> {
    /// `.name`, `['a', 'b']`
    Names(Vec<Arc<str>>),
    /// `[0]`, `[0, -1]`
    Places(Vec<i64>),
    /// `[1:3]`
    Slice(Option<i64>, Option<i64>),
    /// `.*`, `[*]`
    All,
    /// `..`: the step behind it, at every depth.
    Scan,
    /// `[?(…)]`
    Filter(Condition<L>),
}

/// A function at the end of a path: `.max()`.
#[derive(Debug)]
pub struct Function<L> {
    pub name: FunctionName,
    pub arguments: Vec<Operand<L>>,
}

/// What the element of a filter has to fulfil.
#[derive(Debug)]
pub enum Condition<L> {
    Any(Vec<Condition<L>>),
    All(Vec<Condition<L>>),
    Not(Box<Condition<L>>),
    Exists(Operand<L>),
    Compare(Operand<L>, Relation, Operand<L>),
}

/// One side of a comparison, or an argument.
#[derive(Debug)]
pub enum Operand<L> {
    Value(L),
    /// With its flags in front: `(?i)a+`.
    Pattern(String),
    /// From the element (`@`) or from the document (`$`).
    Path {
        from_root: bool,
        path: Path<L>,
    },
}

/// How two operands are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    In,
    NotIn,
    SubsetOf,
    AnyOf,
    NoneOf,
    Size,
    Empty,
    Contains,
}

impl Relation {
    /// Longest first.
    const SYMBOLS: &[(&str, Relation)] = &[
        ("==", Relation::Equal),
        ("=~", Relation::Matches),
        ("!=", Relation::NotEqual),
        ("<>", Relation::NotEqual),
        ("<=", Relation::LessOrEqual),
        (">=", Relation::GreaterOrEqual),
        ("<", Relation::Less),
        (">", Relation::Greater),
    ];

    fn from_word(word: &str) -> Option<Relation> {
        Some(match word.to_ascii_lowercase().as_str() {
            "in" => Relation::In,
            "nin" => Relation::NotIn,
            "subsetof" => Relation::SubsetOf,
            "anyof" => Relation::AnyOf,
            "noneof" => Relation::NoneOf,
            "size" => Relation::Size,
            "empty" => Relation::Empty,
            "contains" => Relation::Contains,
            _ => return None,
        })
    }
}

/// The functions that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionName {
    Min,
    Max,
    Average,
    Deviation,
    Sum,
    Length,
    Keys,
    Concat,
    Append,
    First,
    Last,
    Index,
}

impl FunctionName {
    fn from_spelling(spelling: &str) -> Option<FunctionName> {
        Some(match spelling {
            "min" => FunctionName::Min,
            "max" => FunctionName::Max,
            "avg" => FunctionName::Average,
            "stddev" => FunctionName::Deviation,
            "sum" => FunctionName::Sum,
            "length" | "size" => FunctionName::Length,
            "keys" => FunctionName::Keys,
            "concat" => FunctionName::Concat,
            "append" => FunctionName::Append,
            "first" => FunctionName::First,
            "last" => FunctionName::Last,
            "index" => FunctionName::Index,
            _ => return None,
        })
    }
}

impl<L> Step<L> {
    /// Whether the step leads to one place at most.
    pub fn is_definite(&self) -> bool {
        match self {
            // Several names make one object.
            Step::Names(_) => true,
            Step::Places(places) => places.len() == 1,
            Step::Slice(..) | Step::All | Step::Scan | Step::Filter(_) => false,
        }
    }
}

impl<L: Literal> Path<L> {
    /// Reads a path.
    pub fn parse(text: &str) -> Result<Path<L>, JsonPathError> {
        parse::path(text)
    }
}

impl<L> Path<L> {
    /// Whether it leads to one place at most.
    pub fn is_definite(&self) -> bool {
        self.steps.iter().all(Step::is_definite)
    }
}
