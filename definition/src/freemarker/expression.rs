//! Expressions inside interpolations and tags, by precedence climbing.

use super::{EXPRESSION_DEPTH_MAX, Expr, Fault, Operator, RangeKind, builtin::Builtin, literal};

/// A place in the source.
pub(super) struct Parser<'a> {
    source: &'a str,
    pub(super) at: usize,
    depth: usize,
    /// Whether a `>` ends the tag that the expression stands in. Brackets protect it.
    ends_at_greater: bool,
}

/// Whether a name may begin with it.
pub(super) fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '$' | '@')
}

fn is_name(c: char) -> bool {
    is_name_start(c) || c.is_numeric()
}

/// Words that are operators between expressions and never begin one.
const WORDS: &[&str] = &["as", "gt", "gte", "lt", "lte", "using", "in"];

impl<'a> Parser<'a> {
    /// In an interpolation.
    pub(super) fn new(source: &'a str, at: usize) -> Self {
        Parser { source, at, depth: 0, ends_at_greater: false }
    }

    /// In a tag.
    pub(super) fn tag(source: &'a str, at: usize) -> Self {
        Parser { ends_at_greater: true, ..Parser::new(source, at) }
    }

    /// In an interpolation within a text at this place.
    pub(super) fn nested(&self, at: usize) -> Result<Self, Fault> {
        let nested = Parser { source: self.source, at, depth: self.depth + 1, ends_at_greater: false };
        nested.deep_enough().map(|()| nested)
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    pub(super) fn skip_space(&mut self) {
        self.at = self.source.len() - self.rest().trim_start().len();
    }

    /// Takes a token after white space.
    fn take(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Takes a token that must be there.
    pub(super) fn expect(&mut self, token: &str, otherwise: &str) -> Result<(), Fault> {
        if self.take(token) { Ok(()) } else { Err(Fault::new(self.at, otherwise)) }
    }

    /// Takes a whole word.
    pub(super) fn word(&mut self, word: &str) -> bool {
        self.skip_space();
        let found = self.rest().strip_prefix(word).is_some_and(|rest| !rest.starts_with(is_name));
        if found {
            self.at += word.len();
        }
        found
    }

    /// A name. Dashes, points and colons are part of it behind a backslash.
    pub(super) fn name(&mut self) -> Result<String, Fault> {
        self.skip_space();
        let (start, mut name) = (self.at, String::new());
        let mut chars = self.rest().chars().peekable();
        if !chars.peek().copied().is_some_and(|c| is_name_start(c) || c == '\\') {
            return Err(Fault::new(start, "a name is due here"));
        }
        while let Some(c) = chars.next() {
            let escaped = (c == '\\').then(|| chars.next_if(|c| matches!(c, '-' | '.' | ':'))).flatten();
            match escaped {
                Some(escaped) => {
                    name.push(escaped);
                    self.at += 2;
                }
                None if is_name(c) => {
                    name.push(c);
                    self.at += c.len_utf8();
                }
                None => break,
            }
        }
        Ok(name)
    }

    /// A name, or one in quotes.
    pub(super) fn name_or_text(&mut self) -> Result<String, Fault> {
        if !self.rest().starts_with(['"', '\'']) {
            return self.name();
        }
        let Expr::Text(name) = literal::text(self, true)? else {
            return Err(Fault::new(self.at, "a name is due here"));
        };
        Ok(name)
    }

    fn deep_enough(&self) -> Result<(), Fault> {
        if self.depth <= EXPRESSION_DEPTH_MAX {
            return Ok(());
        }
        Err(Fault::new(self.at, format!("the expression is nested more than {EXPRESSION_DEPTH_MAX} deep")))
    }

    /// An expression up to whatever cannot belong to it.
    pub(super) fn expression(&mut self) -> Result<Expr, Fault> {
        self.depth += 1;
        self.deep_enough()?;
        let mut left = self.conjunction()?;
        while self.take("||") {
            left = binary(Operator::Or, left, self.conjunction()?);
        }
        self.depth -= 1;
        Ok(left)
    }

    /// Inside brackets, where a `>` ends nothing.
    fn inside<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let before = std::mem::replace(&mut self.ends_at_greater, false);
        let read = read(self);
        self.ends_at_greater = before;
        read
    }

    fn conjunction(&mut self) -> Result<Expr, Fault> {
        let mut left = self.equality()?;
        while self.take("&&") {
            left = binary(Operator::And, left, self.equality()?);
        }
        Ok(left)
    }

    fn equality(&mut self) -> Result<Expr, Fault> {
        let left = self.relation()?;
        let operator = if self.take("!=") {
            Operator::NotEqual
        } else if self.take("==") || self.take("=") {
            Operator::Equal
        } else {
            return Ok(left);
        };
        Ok(binary(operator, left, self.relation()?))
    }

    fn relation(&mut self) -> Result<Expr, Fault> {
        let left = self.range()?;
        self.skip_space();
        let greater = !self.ends_at_greater;
        let operator = if self.word("lte") || self.take("<=") {
            Operator::LessOrEqual
        } else if self.word("lt") || (!self.rest().starts_with("<#") && self.take("<")) {
            Operator::Less
        } else if self.word("gte") || (greater && self.take(">=")) {
            Operator::GreaterOrEqual
        } else if self.word("gt") || (greater && self.take(">")) {
            Operator::Greater
        } else {
            return Ok(left);
        };
        Ok(binary(operator, left, self.range()?))
    }

    fn range(&mut self) -> Result<Expr, Fault> {
        let from = self.sum()?;
        let kind = if self.take("..<") || self.take("..!") {
            RangeKind::Exclusive
        } else if self.take("..*") {
            RangeKind::Length
        } else if self.take("..") {
            RangeKind::Inclusive
        } else {
            return Ok(from);
        };
        self.skip_space();
        let open = kind == RangeKind::Inclusive && !self.begins_expression();
        let to = if open { None } else { Some(Box::new(self.sum()?)) };
        Ok(Expr::Range { from: Box::new(from), to, kind })
    }

    fn sum(&mut self) -> Result<Expr, Fault> {
        let mut left = self.product()?;
        loop {
            let operator = if self.take("+") {
                Operator::Add
            } else if self.take("-") {
                Operator::Subtract
            } else {
                return Ok(left);
            };
            left = binary(operator, left, self.product()?);
        }
    }

    fn product(&mut self) -> Result<Expr, Fault> {
        let mut left = self.unary()?;
        loop {
            self.skip_space();
            let operator = if self.take("*") {
                Operator::Multiply
            } else if !self.rest().starts_with("/>") && self.take("/") {
                Operator::Divide
            } else if self.take("%") {
                Operator::Remainder
            } else {
                return Ok(left);
            };
            left = binary(operator, left, self.unary()?);
        }
    }

    fn unary(&mut self) -> Result<Expr, Fault> {
        self.depth += 1;
        self.deep_enough()?;
        let expr = if self.take("!") {
            Expr::Not(Box::new(self.unary()?))
        } else if self.take("-") {
            Expr::Negative(Box::new(self.unary()?))
        } else if self.take("+") {
            self.unary()?
        } else {
            let start = self.start()?;
            self.steps(start)?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn start(&mut self) -> Result<Expr, Fault> {
        self.skip_space();
        let rest = self.rest();
        if rest.starts_with("r\"") || rest.starts_with("r'") {
            self.at += 1;
            return literal::text(self, true);
        }
        match rest.chars().next() {
            Some('0'..='9') => literal::number(self),
            Some('"' | '\'') => literal::text(self, false),
            Some('(') => {
                self.at += 1;
                let inner = self.inside(Self::expression)?;
                self.expect(")", "a closing parenthesis is due here")?;
                Ok(Expr::Parentheses(Box::new(inner)))
            }
            Some('[') => {
                self.at += 1;
                self.items("]").map(Expr::List)
            }
            Some('{') => self.hash(),
            Some('.') => Err(Fault::new(self.at, "special variables are not supported")),
            Some(c) if is_name_start(c) || c == '\\' => Ok(match self.name()?.as_str() {
                "true" => Expr::Bool(true),
                "false" => Expr::Bool(false),
                name => Expr::Name(name.to_owned()),
            }),
            _ => Err(Fault::new(self.at, "an expression is due here")),
        }
    }

    /// Expressions with commas between them, up to a closing bracket.
    fn items(&mut self, end: &str) -> Result<Vec<Expr>, Fault> {
        self.inside(|parser| {
            let mut items = Vec::new();
            while !parser.take(end) {
                items.push(parser.expression()?);
                if !parser.take(",") {
                    parser.expect(end, &format!("a comma or {end} is due here"))?;
                    break;
                }
            }
            Ok(items)
        })
    }

    fn hash(&mut self) -> Result<Expr, Fault> {
        self.at += 1;
        self.inside(|parser| {
            let mut entries = Vec::new();
            while !parser.take("}") {
                let key = parser.expression()?;
                parser.expect(":", "a colon is due here, between key and value")?;
                entries.push((key, parser.expression()?));
                if !parser.take(",") {
                    parser.expect("}", "a comma or } is due here")?;
                    break;
                }
            }
            Ok(Expr::Hash(entries))
        })
    }

    /// Members, indexes, built-ins and defaults behind an expression.
    fn steps(&mut self, mut of: Expr) -> Result<Expr, Fault> {
        for _ in 0..EXPRESSION_DEPTH_MAX {
            self.skip_space();
            let rest = self.rest();
            if rest.starts_with('.') && !rest.starts_with("..") {
                self.at += 1;
                of = Expr::Member(Box::new(of), self.name()?);
            } else if rest.starts_with('[') {
                self.at += 1;
                let index = self.inside(Self::expression)?;
                self.expect("]", "a closing bracket is due here")?;
                of = Expr::Index(Box::new(of), Box::new(index));
            } else if rest.starts_with("??") {
                self.at += 2;
                of = Expr::Exists(Box::new(of));
            } else if rest.starts_with('?') {
                self.at += 1;
                of = self.builtin(of)?;
            } else if rest.starts_with('!') && !rest.starts_with("!=") {
                self.at += 1;
                let default =
                    if self.begins_expression() { Some(Box::new(self.expression()?)) } else { None };
                of = Expr::Default(Box::new(of), default);
            } else if rest.starts_with('(') {
                return Err(Fault::new(
                    self.at,
                    "methods cannot be called here, use a built-in such as ?size",
                ));
            } else {
                return Ok(of);
            }
        }
        Err(Fault::new(self.at, format!("the expression has more than {EXPRESSION_DEPTH_MAX} steps")))
    }

    fn builtin(&mut self, of: Expr) -> Result<Expr, Fault> {
        self.skip_space();
        let at = self.at;
        let name = self.name()?;
        let builtin = Builtin::named(&name)
            .ok_or_else(|| Fault::new(at, format!("the built-in ?{name} is not supported")))?;
        let (least, most) = builtin.arity();
        let arguments = if most > 0 && self.take("(") { self.items(")")? } else { Vec::new() };
        if !(least..=most).contains(&arguments.len()) {
            let found = arguments.len();
            return Err(Fault::new(at, format!("?{name} takes {least} to {most} arguments, found {found}")));
        }
        if builtin.is_of_loop() && !matches!(of, Expr::Name(_)) {
            return Err(Fault::new(at, format!("?{name} belongs behind the name of a list's element")));
        }
        Ok(Expr::Builtin { of: Box::new(of), name: builtin, arguments })
    }

    /// Whether an expression begins after white space. The next name of an assignment is none.
    fn begins_expression(&mut self) -> bool {
        self.skip_space();
        let Some(first) = self.rest().chars().next() else { return false };
        if !is_name_start(first) {
            return first.is_ascii_digit()
                || matches!(first, '"' | '\'' | '(' | '[' | '{' | '-' | '+')
                || (first == '!' && !self.rest().starts_with("!="));
        }
        let end = self.rest().find(|c| !is_name(c)).unwrap_or(self.rest().len());
        let (word, after) = self.rest().split_at(end);
        let after = after.trim_start();
        let assigns = after.starts_with('=') && !after.starts_with("==");
        !WORDS.contains(&word) && !assigns
    }
}

fn binary(operator: Operator, left: Expr, right: Expr) -> Expr {
    Expr::Binary(operator, Box::new(left), Box::new(right))
}
