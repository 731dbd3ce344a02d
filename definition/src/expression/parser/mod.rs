//! A Pratt parser for the inside of one `{…}` span.
//!
//! Hostile text must not cost more than its length: recursion while reading and the height of the tree are both
//! bounded, the latter because a long chain of operators makes a tall tree without any recursion.

mod chain;
mod start;

use super::SyntaxError;
use super::ast::{Binary, Expression, Level, Unary};
use super::lexer::{Lexer, Token};
use crate::limits::EXPRESSION_MAX_DEPTH;

/// An expression with its height.
pub(super) struct Node {
    pub(super) expression: Expression,
    height: usize,
}

pub(super) struct Parser<'s> {
    source: &'s str,
    lexer: Lexer<'s>,
    token: Token<'s>,
    /// Where `token` begins and ends, bytes.
    start: usize,
    end: usize,
    depth: usize,
}

/// Reads the expression that begins at a byte of `source`, up to its closing brace. Answers with the byte behind it.
pub(super) fn span(source: &str, from: usize) -> Result<(Expression, usize), SyntaxError> {
    let mut parser = Parser {
        source,
        lexer: Lexer::new(source, from),
        token: Token::End,
        start: from,
        end: from,
        depth: 0,
    };
    parser.advance()?;
    let node = parser.expression()?;
    if parser.token != Token::Symbol("}") {
        return Err(parser.expected("an operator or the closing `}` of the expression"));
    }
    Ok((node.expression, parser.end))
}

impl<'s> Parser<'s> {
    fn advance(&mut self) -> Result<(), SyntaxError> {
        (self.token, self.start, self.end) = self.lexer.next()?;
        Ok(())
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.token, Token::Symbol(found) if found == symbol)
    }

    /// Takes a symbol when it is there.
    fn take(&mut self, symbol: &str) -> Result<bool, SyntaxError> {
        let found = self.is(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn require(&mut self, symbol: &str) -> Result<(), SyntaxError> {
        if self.take(symbol)? { Ok(()) } else { Err(self.expected(&format!("`{symbol}`"))) }
    }

    fn require_name(&mut self, what: &str) -> Result<&'s str, SyntaxError> {
        let Token::Word(name) = self.token else { return Err(self.expected(what)) };
        self.advance()?;
        Ok(name)
    }

    fn expected(&self, what: &str) -> SyntaxError {
        let message = format!("expected {what}, found {}", self.token);
        SyntaxError::at_byte(self.source, self.start, message)
    }

    fn too_deep(&self) -> SyntaxError {
        let message = format!("is nested deeper than {EXPRESSION_MAX_DEPTH} levels; make it simpler");
        SyntaxError::at_byte(self.source, self.start, message)
    }

    /// A node above children of the given height.
    fn node(&self, expression: Expression, below: usize) -> Result<Node, SyntaxError> {
        if below >= EXPRESSION_MAX_DEPTH {
            return Err(self.too_deep());
        }
        Ok(Node { expression, height: below + 1 })
    }

    /// Counts one level of recursion around `read`.
    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        if self.depth >= EXPRESSION_MAX_DEPTH {
            return Err(self.too_deep());
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self) -> Result<Node, SyntaxError> {
        self.nested(Self::choice)
    }

    fn choice(&mut self) -> Result<Node, SyntaxError> {
        let left = self.operators(Level::Or)?;
        if self.take("?:")? {
            let right = self.expression()?;
            let below = left.height.max(right.height);
            return self.node(Expression::Elvis(left.boxed(), right.boxed()), below);
        }
        if self.take("?")? {
            let yes = self.expression()?;
            self.require(":")?;
            let no = self.expression()?;
            let below = left.height.max(yes.height).max(no.height);
            return self.node(Expression::Choice(left.boxed(), yes.boxed(), no.boxed()), below);
        }
        if self.is("=") {
            return Err(self.refused("assignment is not allowed; `==` compares"));
        }
        Ok(left)
    }

    fn operators(&mut self, least: Level) -> Result<Node, SyntaxError> {
        let mut left = self.unary()?;
        // Set behind an operator that does not chain, so that `1 < 2 < 3` is refused with its reason.
        let mut closed = None;
        while let Some(operator) = self.binary()?.filter(|operator| operator.level() >= least) {
            let level = operator.level();
            if closed == Some(level) {
                return Err(
                    self.refused("this operator cannot follow another one of its kind; add parentheses")
                );
            }
            self.advance()?;
            let right = match level.tighter() {
                Some(tighter) => self.operators(tighter)?,
                None => self.unary()?,
            };
            let below = left.height.max(right.height);
            left = self.node(Expression::Binary(operator, left.boxed(), right.boxed()), below)?;
            closed = (!level.chains()).then_some(level);
        }
        Ok(left)
    }

    /// The operator at the current token.
    fn binary(&self) -> Result<Option<Binary>, SyntaxError> {
        match self.token {
            Token::Symbol("++" | "--") => {
                Err(self.refused("nothing can be changed by an expression; put a space between two signs"))
            }
            Token::Symbol(spelling) | Token::Word(spelling) => Ok(Binary::from_spelling(spelling)),
            Token::Integer(_) | Token::Real(_) | Token::Text(_) | Token::End => Ok(None),
        }
    }

    fn unary(&mut self) -> Result<Node, SyntaxError> {
        let operator = match self.token {
            Token::Symbol("!") => Unary::Not,
            Token::Word(word) if word.eq_ignore_ascii_case("not") => Unary::Not,
            Token::Symbol("-") => Unary::Minus,
            Token::Symbol("+") => Unary::Plus,
            Token::Symbol(_)
            | Token::Word(_)
            | Token::Integer(_)
            | Token::Real(_)
            | Token::Text(_)
            | Token::End => return self.chain(),
        };
        self.advance()?;
        let operand = self.nested(Self::unary)?;
        let below = operand.height;
        self.node(Expression::Unary(operator, operand.boxed()), below)
    }

    fn refused(&self, message: &str) -> SyntaxError {
        SyntaxError::at_byte(self.source, self.start, message)
    }
}

impl Node {
    fn boxed(self) -> Box<Expression> {
        Box::new(self.expression)
    }
}
