//! XML documents, read with bounds: no DTD is looked into, no entity is known but the five of XML itself.

use super::error::EvaluationError;
use super::value::{Members, Value};
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use std::sync::Arc;

/// Greatest document, bytes.
const DOCUMENT_MAX_BYTES: usize = 1024 * 1024;
/// Greatest nesting of elements, levels.
const ELEMENT_MAX_DEPTH: usize = 100;
/// Greatest number of elements and attributes.
const NODES_MAX: usize = 50_000;

/// An element.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// With its prefix.
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Node>,
}

#[derive(Debug)]
pub(super) enum Node {
    Element(Element),
    Text(String),
}

/// A document as members: the root element's name is the first key.
pub(super) fn read(text: &str) -> Result<Value, EvaluationError> {
    let (root, _) = parse(text)?;
    let name: Arc<str> = root.name.as_str().into();
    Ok(Value::map([(name, members(&root))]))
}

/// An element with nothing but text is the text; names that repeat make a list.
fn members(element: &Element) -> Value {
    let mut members = Members::new();
    let mut text = String::new();
    for (name, value) in &element.attributes {
        members.insert(name.as_str().into(), value.as_str().into());
    }
    for child in &element.children {
        match child {
            Node::Text(piece) => text.push_str(piece),
            Node::Element(child) => insert(&mut members, &child.name, self::members(child)),
        }
    }
    let text = text.trim();
    if members.is_empty() {
        return Value::from(text);
    }
    if !text.is_empty() {
        members.insert("".into(), text.into());
    }
    Value::Map(Arc::new(members))
}

fn insert(members: &mut Members, name: &str, value: Value) {
    match members.get_mut(name) {
        None => drop(members.insert(name.into(), value)),
        Some(Value::List(items)) => Arc::make_mut(items).push(value),
        Some(first) => *first = Value::list(vec![first.clone(), value]),
    }
}

/// The root element and how many nodes the document has.
pub(super) fn parse(text: &str) -> Result<(Element, usize), EvaluationError> {
    if text.len() > DOCUMENT_MAX_BYTES {
        return Err(refused(&format!("it is longer than {DOCUMENT_MAX_BYTES} bytes")));
    }
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut nodes = 0;
    loop {
        match reader.read_event().map_err(|_| refused("it is not well-formed"))? {
            Event::Start(start) => {
                if open.len() >= ELEMENT_MAX_DEPTH {
                    return Err(refused(&format!("it is nested deeper than {ELEMENT_MAX_DEPTH} levels")));
                }
                open.push(element(&start, &mut nodes)?);
            }
            Event::Empty(start) => close(element(&start, &mut nodes)?, &mut open, &mut root)?,
            Event::End(_) => {
                let element = open.pop().ok_or_else(|| refused("it is not well-formed"))?;
                close(element, &mut open, &mut root)?;
            }
            Event::Text(text) => add_text(&mut open, &text.xml10_content()),
            Event::CData(text) => add_text(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(|_| refused("it is not well-formed"))?;
                let name = reference.xml10_content();
                match (character, resolve_predefined_entity(&name)) {
                    (Some(character), _) => add_text(&mut open, character.encode_utf8(&mut [0; 4])),
                    (None, Some(entity)) => add_text(&mut open, entity),
                    (None, None) => return Err(refused("it uses an entity that is not one of XML's own")),
                }
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            Event::Eof => break,
        }
    }
    let root = root.filter(|_| open.is_empty()).ok_or_else(|| refused("it has no complete root element"))?;
    Ok((root, nodes))
}

fn element(start: &BytesStart<'_>, nodes: &mut usize) -> Result<Element, EvaluationError> {
    let mut element = Element { name: start.name().as_ref().to_owned(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| refused("an attribute is not well-formed"))?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|_| refused("an attribute uses an entity that is not one of XML's own"))?;
        element.attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    *nodes += 1 + element.attributes.len();
    if *nodes > NODES_MAX {
        return Err(refused(&format!("it has more than {NODES_MAX} elements and attributes")));
    }
    Ok(element)
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), EvaluationError> {
    match open.last_mut() {
        Some(parent) => parent.children.push(Node::Element(element)),
        None if root.is_none() => *root = Some(element),
        None => return Err(refused("it has more than one root element")),
    }
    Ok(())
}

/// Pieces of text that stand beside each other are one text.
fn add_text(open: &mut [Element], piece: &str) {
    let Some(element) = open.last_mut() else { return };
    match element.children.last_mut() {
        Some(Node::Text(text)) => text.push_str(piece),
        _ => element.children.push(Node::Text(piece.to_owned())),
    }
}

fn refused(reason: &str) -> EvaluationError {
    EvaluationError::new(format!("the text cannot be read as XML: {reason}"))
}
