//! Any tree survives printing and reading; any text is read or refused without a panic.

use crate::expression::ast::{Binary, Expression, Key, Selection, Unary};
use crate::expression::{Part, Template};
use proptest::prelude::*;

fn leaf() -> impl Strategy<Value = Expression> {
    prop_oneof![
        Just(Expression::Null),
        any::<bool>().prop_map(Expression::Boolean),
        (0..i64::MAX).prop_map(Expression::Integer),
        (0.0..1e18_f64).prop_map(Expression::Real),
        "\\PC{0,8}".prop_map(|text| Expression::Text(text.into())),
        name().prop_map(Expression::Variable),
        (name(), any::<bool>()).prop_map(|(name, array)| Expression::Type { name, array }),
    ]
}

/// Not one of the keywords.
fn name() -> impl Strategy<Value = Box<str>> {
    "x[a-zA-Z0-9_]{0,5}".prop_map(Into::into)
}

fn operator() -> impl Strategy<Value = Binary> {
    prop::sample::select(vec![
        Binary::Or,
        Binary::And,
        Binary::Equal,
        Binary::Less,
        Binary::Matches,
        Binary::InstanceOf,
        Binary::Between,
        Binary::Add,
        Binary::Subtract,
        Binary::Divide,
        Binary::Remainder,
        Binary::Power,
    ])
}

fn grown(inner: impl Strategy<Value = Expression> + Clone + 'static) -> impl Strategy<Value = Expression> {
    let boxed = inner.clone().prop_map(Box::new).boxed();
    let many = prop::collection::vec(inner.clone(), 0..3).boxed();
    let target = prop_oneof![4 => boxed.clone(), 1 => Just(Box::new(Expression::Element))].boxed();
    let kind =
        prop::sample::select(vec![Selection::All, Selection::First, Selection::Last, Selection::Project]);
    let sign = prop::sample::select(vec![Unary::Not, Unary::Minus, Unary::Plus]);
    let key = prop_oneof![
        name().prop_map(|name| Key::Name(name.as_ref().into())),
        name().prop_map(|name| Key::Computed(Expression::Variable(name))),
    ];
    prop_oneof![
        (operator(), boxed.clone(), boxed.clone()).prop_map(|(op, a, b)| Expression::Binary(op, a, b)),
        (sign, boxed.clone()).prop_map(|(op, a)| Expression::Unary(op, a)),
        (boxed.clone(), boxed.clone()).prop_map(|(a, b)| Expression::Elvis(a, b)),
        (boxed.clone(), boxed.clone(), boxed.clone()).prop_map(|(a, b, c)| Expression::Choice(a, b, c)),
        many.clone().prop_map(Expression::List),
        prop::collection::vec((key, inner), 0..3).prop_map(Expression::Map),
        (name(), many.clone()).prop_map(|(name, arguments)| Expression::Function { name, arguments }),
        (name(), many.clone()).prop_map(|(name, arguments)| Expression::New { name, arguments }),
        (target.clone(), name(), any::<bool>()).prop_map(property),
        (target, name(), many, any::<bool>()).prop_map(|(target, name, arguments, safe)| {
            let safe = safe && *target != Expression::Element;
            Expression::Method { target, name, arguments, safe }
        }),
        (boxed.clone(), boxed.clone(), any::<bool>()).prop_map(|(target, index, safe)| Expression::Index {
            target,
            index,
            safe
        }),
        (boxed.clone(), kind, boxed, any::<bool>()).prop_map(|(target, kind, predicate, safe)| {
            Expression::Select { target, kind, predicate, safe }
        }),
    ]
}

fn property((target, name, safe): (Box<Expression>, Box<str>, bool)) -> Expression {
    // Nothing stands in front of a bare name that could be safe.
    let safe = safe && *target != Expression::Element;
    Expression::Property { target, name, safe }
}

proptest! {
    #[test]
    fn printing_and_reading_gives_the_same_tree(tree in leaf().prop_recursive(5, 40, 3, grown)) {
        let source = format!("{{({tree})}}");
        let template = Template::parse(&source).map_err(|error| TestCaseError::fail(format!("{source} {error}")))?;
        prop_assert_eq!(template.parts(), &[Part::Expression(tree)]);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
        let position = Template::parse(&text).err().map_or(0, |error| error.position);
        prop_assert!(position <= text.chars().count());
    }

    #[test]
    fn any_sequence_of_tokens_is_read_or_refused(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "(", ")", "[", "]", "#", "T", "new", ".", "?.", "?:", "?", ":", "?[", "![", "'a'", "\"", "'",
            "1", "1.5", "0x", "a", "not", "and", "+", "-", "!", "^", "==", "=", "between", ",", " ", "é", "{#", "{(",
        ]), 0..40),
    ) {
        let text = tokens.concat();
        let position = Template::parse(&text).err().map_or(0, |error| error.position);
        prop_assert!(position <= text.chars().count());
    }
}
