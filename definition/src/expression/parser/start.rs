//! What a value begins with: literals, variables, types, constructors, inline lists and maps, parentheses.

use super::{Node, Parser};
use crate::expression::SyntaxError;
use crate::expression::ast::{Expression, Key};
use crate::expression::lexer::Token;

const VALUE: &str = "a value (a literal, `#variable`, `T(type)`, `new`, `(`, or `{`)";

impl Parser<'_> {
    pub(super) fn value(&mut self) -> Result<Node, SyntaxError> {
        let literal = match &mut self.token {
            Token::Integer(value) => Expression::Integer(*value),
            Token::Real(value) => Expression::Real(*value),
            Token::Text(text) => Expression::Text(std::mem::take(text).into()),
            Token::Word(word) => {
                let word = *word;
                return self.word(word);
            }
            Token::Symbol("#") => return self.variable(),
            Token::Symbol("{") => return self.braces(),
            Token::Symbol("(") => {
                self.advance()?;
                let inner = self.expression()?;
                self.require(")")?;
                return Ok(inner);
            }
            Token::Symbol("++" | "--") => {
                return Err(self.refused("nothing can be changed by an expression"));
            }
            Token::Symbol(_) | Token::End => return Err(self.expected(VALUE)),
        };
        self.advance()?;
        self.node(literal, 0)
    }

    fn word(&mut self, word: &str) -> Result<Node, SyntaxError> {
        let literal = match () {
            () if word.eq_ignore_ascii_case("true") => Expression::Boolean(true),
            () if word.eq_ignore_ascii_case("false") => Expression::Boolean(false),
            () if word.eq_ignore_ascii_case("null") => Expression::Null,
            () if word.eq_ignore_ascii_case("new") => return self.construction(),
            () if word == "T" => return self.type_reference(),
            () => {
                let element = self.node(Expression::Element, 0)?;
                return self.named(element, false);
            }
        };
        self.advance()?;
        self.node(literal, 0)
    }

    fn variable(&mut self) -> Result<Node, SyntaxError> {
        self.advance()?;
        let name = self.require_name("the name of a variable behind `#`")?.into();
        if !self.is("(") {
            return self.node(Expression::Variable(name), 0);
        }
        let (arguments, height) = self.arguments()?;
        self.node(Expression::Function { name, arguments }, height)
    }

    /// `T` is the one name whose parentheses hold no arguments; without them it is a name like any other.
    fn type_reference(&mut self) -> Result<Node, SyntaxError> {
        self.advance()?;
        if !self.take("(")? {
            let element = self.node(Expression::Element, 0)?;
            let property = Expression::Property { target: element.boxed(), name: "T".into(), safe: false };
            return self.node(property, 1);
        }
        let name = self.qualified_name()?;
        let array = self.take("[")?;
        if array {
            self.require("]")?;
        }
        self.require(")")?;
        self.node(Expression::Type { name, array }, 0)
    }

    fn construction(&mut self) -> Result<Node, SyntaxError> {
        self.advance()?;
        let name = self.qualified_name()?;
        let (arguments, height) = self.arguments()?;
        self.node(Expression::New { name, arguments }, height)
    }

    fn qualified_name(&mut self) -> Result<Box<str>, SyntaxError> {
        let mut name = self.require_name("the name of a type")?.to_owned();
        while self.take(".")? {
            name.push('.');
            name.push_str(self.require_name("the next part of the name of a type")?);
        }
        Ok(name.into())
    }

    /// An inline list, or a map when its first entry has a colon.
    fn braces(&mut self) -> Result<Node, SyntaxError> {
        self.advance()?;
        if self.take("}")? {
            return self.node(Expression::List(Vec::new()), 0);
        }
        if self.take(":")? {
            self.require("}")?;
            return self.node(Expression::Map(Vec::new()), 0);
        }
        let first = self.expression()?;
        if self.is(":") { self.map(first) } else { self.list(first) }
    }

    fn list(&mut self, first: Node) -> Result<Node, SyntaxError> {
        let mut height = first.height;
        let mut items = vec![first.expression];
        while self.take(",")? {
            let item = self.expression()?;
            height = height.max(item.height);
            items.push(item.expression);
        }
        if !self.take("}")? {
            return Err(self.expected("`,` or the closing `}` of the list"));
        }
        self.node(Expression::List(items), height)
    }

    fn map(&mut self, first: Node) -> Result<Node, SyntaxError> {
        let mut height = 0;
        let mut entries = Vec::new();
        let mut key = first;
        loop {
            self.require(":")?;
            let value = self.expression()?;
            height = height.max(key.height).max(value.height);
            entries.push((into_key(key.expression), value.expression));
            if self.take("}")? {
                return self.node(Expression::Map(entries), height);
            }
            if !self.take(",")? {
                return Err(self.expected("`,` or the closing `}` of the map"));
            }
            key = self.expression()?;
        }
    }
}

/// A bare name is the key itself, not a property.
fn into_key(expression: Expression) -> Key {
    if let Expression::Text(text) = expression {
        return Key::Name(text);
    }
    if let Expression::Property { target, name, safe: false } = &expression
        && **target == Expression::Element
    {
        return Key::Name(name.as_ref().into());
    }
    Key::Computed(expression)
}
