//! Cuts the inside of an expression into tokens, one at a time.
//!
//! It must not run ahead: what stands behind the closing brace is text, which need not consist of tokens.

use super::SyntaxError;
use std::fmt;

/// What the parser sees.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'s> {
    /// A name or a keyword.
    Word(&'s str),
    Integer(i64),
    Real(f64),
    Text(String),
    Symbol(&'static str),
    End,
}

/// Longest first.
const SYMBOLS: &[&str] = &[
    "?:", "?.", "?[", "![", "^[", "$[", "==", "!=", "<=", ">=", "&&", "||", "++", "--", "#", "(", ")", "[",
    "]", "{", "}", ".", ",", ":", "?", "<", ">", "!", "+", "-", "*", "/", "%", "^", "=",
];

/// A position in a template.
pub(super) struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    /// Begins at a byte of `source`.
    pub(super) fn new(source: &'s str, at: usize) -> Self {
        Lexer { source, at }
    }

    /// The next token with the bytes where it begins and ends.
    pub(super) fn next(&mut self) -> Result<(Token<'s>, usize, usize), SyntaxError> {
        self.skip(char::is_whitespace);
        let start = self.at;
        let token = match self.rest().chars().next() {
            None => Token::End,
            Some(quote @ ('\'' | '"')) => self.text(quote)?,
            Some(digit) if digit.is_ascii_digit() => self.number()?,
            // `$[` is tried first because a name may begin with a dollar sign.
            Some(first) if is_name(first) && !self.rest().starts_with("$[") => {
                self.skip(is_name);
                Token::Word(&self.source[start..self.at])
            }
            Some(first) => self.symbol(first)?,
        };
        Ok((token, start, self.at))
    }

    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn skip(&mut self, wanted: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    }

    fn symbol(&mut self, first: char) -> Result<Token<'s>, SyntaxError> {
        let Some(symbol) = SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol)) else {
            let reason = match first {
                '@' | '&' => "references to beans are not supported".to_owned(),
                _ => format!("`{}` has no meaning in an expression", first.escape_default()),
            };
            return Err(SyntaxError::at_byte(self.source, self.at, reason));
        };
        self.at += symbol.len();
        Ok(Token::Symbol(symbol))
    }

    /// The quote itself is written twice inside; there are no other escapes.
    fn text(&mut self, quote: char) -> Result<Token<'s>, SyntaxError> {
        let start = self.at;
        let mut text = String::new();
        loop {
            self.at += 1;
            let Some(length) = self.rest().find(quote) else {
                let reason = format!("the text that begins here has no closing {quote}");
                return Err(SyntaxError::at_byte(self.source, start, reason));
            };
            text.push_str(&self.rest()[..length]);
            self.at += length + 1;
            if !self.rest().starts_with(quote) {
                return Ok(Token::Text(text));
            }
            text.push(quote);
        }
    }

    fn number(&mut self) -> Result<Token<'s>, SyntaxError> {
        let start = self.at;
        if self.rest().starts_with("0x") || self.rest().starts_with("0X") {
            self.at += 2;
            self.skip(|c| c.is_ascii_hexdigit());
            let digits = &self.source[start + 2..self.at];
            return self.integer(start, i64::from_str_radix(digits, 16).ok());
        }
        self.skip(|c| c.is_ascii_digit());
        let fraction = |rest: &str| {
            let mut chars = rest.chars();
            chars.next() == Some('.') && chars.next().is_some_and(|c| c.is_ascii_digit())
        };
        let mut real = fraction(self.rest());
        if real {
            self.at += 1;
            self.skip(|c| c.is_ascii_digit());
        }
        real |= self.exponent();
        let digits = &self.source[start..self.at];
        let suffix = self.rest().chars().next();
        if real || matches!(suffix, Some('f' | 'F' | 'd' | 'D')) {
            self.at += usize::from(matches!(suffix, Some('f' | 'F' | 'd' | 'D')));
            self.number_ends(start)?;
            // Digits with a fraction and an exponent are a number; too great ones are infinite.
            let value = digits.parse().ok().filter(|value: &f64| value.is_finite());
            return value.map(Token::Real).ok_or_else(|| self.too_great(start));
        }
        self.integer(start, digits.parse().ok())
    }

    fn exponent(&mut self) -> bool {
        let rest = self.rest();
        let Some(after) = rest.strip_prefix(['e', 'E']) else { return false };
        let digits = after.strip_prefix(['+', '-']).unwrap_or(after);
        if !digits.starts_with(|c: char| c.is_ascii_digit()) {
            return false;
        }
        self.at += rest.len() - digits.len();
        self.skip(|c| c.is_ascii_digit());
        true
    }

    fn integer(&mut self, start: usize, value: Option<i64>) -> Result<Token<'s>, SyntaxError> {
        if self.rest().starts_with(['l', 'L']) {
            self.at += 1;
        }
        self.number_ends(start)?;
        value.map(Token::Integer).ok_or_else(|| self.too_great(start))
    }

    /// `12abc` is no number followed by a name.
    fn number_ends(&mut self, start: usize) -> Result<(), SyntaxError> {
        if self.rest().starts_with(is_name) {
            return Err(SyntaxError::at_byte(self.source, start, "expected a number, found letters in it"));
        }
        Ok(())
    }

    fn too_great(&self, start: usize) -> SyntaxError {
        SyntaxError::at_byte(self.source, start, "expected a number that fits into 64 bits")
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Word(word) => write!(f, "`{word}`"),
            Token::Integer(_) | Token::Real(_) => f.write_str("a number"),
            Token::Text(_) => f.write_str("a text in quotes"),
            Token::Symbol(symbol) => write!(f, "`{symbol}`"),
            Token::End => f.write_str("the end"),
        }
    }
}
