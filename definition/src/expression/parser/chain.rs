//! What follows a value: properties, methods, indexes, selections and projections.

use super::{Node, Parser};
use crate::expression::SyntaxError;
use crate::expression::ast::{Expression, Selection};
use crate::expression::lexer::Token;

impl Parser<'_> {
    pub(super) fn chain(&mut self) -> Result<Node, SyntaxError> {
        let mut node = self.value()?;
        loop {
            node = match self.token {
                Token::Symbol("[") => self.index(node, false)?,
                Token::Symbol(".") => {
                    self.advance()?;
                    self.member(node, false)?
                }
                Token::Symbol("?.") => {
                    self.advance()?;
                    if self.is("[") { self.index(node, true)? } else { self.member(node, true)? }
                }
                Token::Symbol(_)
                | Token::Word(_)
                | Token::Integer(_)
                | Token::Real(_)
                | Token::Text(_)
                | Token::End => return Ok(node),
            };
        }
    }

    fn index(&mut self, target: Node, safe: bool) -> Result<Node, SyntaxError> {
        self.require("[")?;
        let index = self.expression()?;
        self.require("]")?;
        let below = target.height.max(index.height);
        self.node(Expression::Index { target: target.boxed(), index: index.boxed(), safe }, below)
    }

    /// Behind a dot.
    fn member(&mut self, target: Node, safe: bool) -> Result<Node, SyntaxError> {
        let kind = match self.token {
            Token::Symbol("?[") => Selection::All,
            Token::Symbol("^[") => Selection::First,
            Token::Symbol("$[") => Selection::Last,
            Token::Symbol("![") => Selection::Project,
            Token::Symbol(_)
            | Token::Word(_)
            | Token::Integer(_)
            | Token::Real(_)
            | Token::Text(_)
            | Token::End => return self.named(target, safe),
        };
        self.advance()?;
        let predicate = self.expression()?;
        self.require("]")?;
        let below = target.height.max(predicate.height);
        let (target, predicate) = (target.boxed(), predicate.boxed());
        self.node(Expression::Select { target, kind, predicate, safe }, below)
    }

    /// A property, or a method when arguments follow.
    pub(super) fn named(&mut self, target: Node, safe: bool) -> Result<Node, SyntaxError> {
        let name = self.require_name("the name of a property or method")?.into();
        let below = target.height;
        let target = target.boxed();
        if !self.is("(") {
            return self.node(Expression::Property { target, name, safe }, below);
        }
        let (arguments, height) = self.arguments()?;
        self.node(Expression::Method { target, name, arguments, safe }, below.max(height))
    }

    /// Expressions in parentheses and the greatest of their heights.
    pub(super) fn arguments(&mut self) -> Result<(Vec<Expression>, usize), SyntaxError> {
        self.require("(")?;
        let mut arguments = Vec::new();
        let mut height = 0;
        if self.take(")")? {
            return Ok((arguments, height));
        }
        loop {
            let argument = self.expression()?;
            height = height.max(argument.height);
            arguments.push(argument.expression);
            if self.take(")")? {
                return Ok((arguments, height));
            }
            if !self.take(",")? {
                return Err(self.expected("`,` or `)`"));
            }
        }
    }
}
