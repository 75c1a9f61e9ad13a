//! The XML of JMeter's test plans as a tree.
//!
//! The only file that knows the XML reader. Invariant: nesting and number of elements are bounded; entities of a document's
//! own are not expanded.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::convert::problem::Problem;

/// Nesting of a plan.
const MOST_DEPTH: usize = 200;

/// Elements of a plan.
const MOST_ELEMENTS: usize = 1_000_000;

/// An element.
#[derive(Debug, Default)]
pub(in crate::convert) struct Element {
    pub(in crate::convert) name: String,
    attributes: Vec<(String, String)>,
    pub(in crate::convert) text: String,
    pub(in crate::convert) children: Vec<Element>,
}

impl Element {
    pub(in crate::convert) fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The child that holds a property.
    pub(in crate::convert) fn property(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.attribute("name") == name)
    }

    /// The text of a property; empty when there is none.
    pub(in crate::convert) fn text_of(&self, name: &str) -> &str {
        self.property(name).map_or("", |property| property.text.trim())
    }

    pub(in crate::convert) fn is_set(&self, name: &str) -> bool {
        self.text_of(name) == "true"
    }

    /// The entries of a collection.
    pub(in crate::convert) fn entries(&self, name: &str) -> impl Iterator<Item = &Element> {
        self.property(name).into_iter().flat_map(|property| &property.children)
    }
}

/// Reads a document to its tree.
///
/// # Errors
/// When it is no XML, with line and column, or too large.
pub(in crate::convert) fn parse(text: &str) -> Result<Element, Problem> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    let mut left = MOST_ELEMENTS;
    loop {
        let event = reader.read_event().map_err(|error| {
            let at = usize::try_from(reader.error_position()).unwrap_or(usize::MAX).min(text.len());
            let before = &text.as_bytes()[..at];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
            Problem::at(line as u64, column as u64, format!("this is not XML that can be read: {error}"))
        })?;
        let Some(parent) = open.last_mut() else { return Err("the XML closes more than it opens".into()) };
        match event {
            Event::Start(start) => {
                left = left.checked_sub(1).ok_or("the plan has too many elements")?;
                if open.len() > MOST_DEPTH {
                    return Err("the plan is nested too deeply".into());
                }
                open.push(element(&start));
            }
            Event::Empty(start) => {
                left = left.checked_sub(1).ok_or("the plan has too many elements")?;
                parent.children.push(element(&start));
            }
            Event::End(_) => {
                let Some(closed) = open.pop() else { break };
                let Some(parent) = open.last_mut() else { break };
                parent.children.push(closed);
            }
            Event::Text(text) => parent.text.push_str(&text.decode().unwrap_or_default()),
            Event::CData(text) => parent.text.push_str(&text.decode().unwrap_or_default()),
            Event::GeneralRef(reference) => {
                let known = match reference.decode().unwrap_or_default().as_ref() {
                    "amp" => Some('&'),
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => reference.resolve_char_ref().ok().flatten(),
                };
                parent.text.extend(known);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    match open.len() {
        1 => Ok(open.remove(0)),
        _ => Err("the XML ends too early: was it saved whole?".into()),
    }
}

fn element(start: &BytesStart) -> Element {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let attributes = start.attributes().flatten().map(|attribute| {
        let value = quick_xml::escape::unescape(&text(&attribute.value))
            .map_or_else(|_| text(&attribute.value), |v| v.into_owned());
        (text(attribute.key.as_ref()), value)
    });
    Element { name: text(start.name().as_ref()), attributes: attributes.collect(), ..Element::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_with_its_texts() {
        let root = parse("<?xml version=\"1.0\"?>\n<a b='x &amp; y'><c name=\"n\"> 1 &lt; 2 &#65;<![CDATA[<z>]]></c><d/></a>").unwrap();
        let a = &root.children[0];
        assert_eq!((a.name.as_str(), a.attribute("b"), a.children.len()), ("a", "x & y", 2));
        assert_eq!((a.text_of("n"), a.text_of("m")), ("1 < 2 A<z>", ""));
    }

    #[test]
    fn what_is_no_plan_is_told() {
        assert!(parse("<a>\n<b></a>").unwrap_err().told_of("x").starts_with("x:2:"));
        assert!(parse("<a><b>").unwrap_err().told_of("x").contains("ends too early"));
        assert!(parse(&"<a>".repeat(100_000)).is_err());
        let bomb = "<!DOCTYPE a [<!ENTITY x \"xx\"><!ENTITY y \"&x;&x;\">]><a>&y;</a>";
        assert_eq!(parse(bomb).unwrap().children[0].text, "");
    }
}
