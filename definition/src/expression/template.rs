//! Text with `{…}` spans in it.

use super::SyntaxError;
use super::ast::Expression;
use super::needs::Needs;
use super::parser;
use crate::limits::TEMPLATE_MAX_BYTES;
use std::sync::Arc;

/// A template that was read once, at save or at deploy, and is evaluated per call. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Template {
    source: Arc<str>,
    parts: Arc<[Part]>,
    needs: Needs,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Stands for itself.
    Text(Arc<str>),
    /// Is replaced by its value.
    Expression(Expression),
}

impl Template {
    /// Reads a template. A brace opens an expression when `#`, `(` or `T(` follows; every other brace is text.
    pub fn parse(source: &str) -> Result<Template, SyntaxError> {
        if source.len() > TEMPLATE_MAX_BYTES {
            let message = format!("is longer than {TEMPLATE_MAX_BYTES} bytes");
            return Err(SyntaxError { position: 0, message });
        }
        let mut parts = Vec::new();
        let mut text_from = 0;
        let mut at = 0;
        while let Some(brace) = source[at..].find('{').map(|found| at + found) {
            if !opens_expression(&source[brace + 1..]) {
                at = brace + 1;
                continue;
            }
            let (expression, end) = parser::span(source, brace + 1)?;
            if text_from < brace {
                parts.push(Part::Text(source[text_from..brace].into()));
            }
            parts.push(Part::Expression(expression));
            (at, text_from) = (end, end);
        }
        if text_from < source.len() {
            parts.push(Part::Text(source[text_from..].into()));
        }
        let needs = parts.iter().fold(Needs::default(), |needs, part| match part {
            Part::Text(_) => needs,
            Part::Expression(expression) => needs | Needs::of(expression),
        });
        Ok(Template { source: source.into(), parts: parts.into(), needs })
    }

    /// Reads a condition: as a template, but a bare rule that begins with `#` needs no braces.
    pub fn condition(source: &str) -> Result<Template, SyntaxError> {
        if !source.trim_start().starts_with('#') {
            return Template::parse(source);
        }
        Template::parse(&format!("{{{source}}}")).map_err(|error| {
            // The author did not write the brace in front.
            SyntaxError { position: error.position.saturating_sub(1), ..error }
        })
    }

    /// The text when there is no expression in it.
    pub fn literal(&self) -> Option<&str> {
        match &self.parts[..] {
            [] | [Part::Text(_)] => Some(&self.source),
            _ => None,
        }
    }

    /// As it was written; a bare rule with its braces.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What has to be there before it can be evaluated.
    pub fn needs(&self) -> Needs {
        self.needs
    }

    /// Text and expressions in order; empty for the empty template.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Template {}

fn opens_expression(behind: &str) -> bool {
    let behind = behind.trim_start();
    let is_type = |rest: &str| rest.trim_start().starts_with('(');
    behind.starts_with(['#', '(']) || behind.strip_prefix('T').is_some_and(is_type)
}
