//! The expression language: `{#request.headers['x']}` inside texts.
//!
//! A template is read once, when a definition is saved and again when it is deployed, so that a mistake is refused with
//! its position and no call pays for reading. This module knows the syntax only; gateways evaluate.

pub mod ast;
mod document;
mod lexer;
mod mistakes;
mod needs;
mod parser;
mod print;
mod syntax_error;
mod template;
#[cfg(test)]
mod tests;

pub use needs::Needs;
pub use syntax_error::SyntaxError;
pub use template::{Part, Template};
