//! The elements of a JMeter plan as they stand in its file: what is switched on, what stands below, and what is read from one.

use crate::convert::jmeter::xml::Element;
use crate::convert::literal::comment;

/// An element and what stands below it.
pub(in crate::convert) struct Node<'a> {
    pub(in crate::convert) element: &'a Element,
    pub(in crate::convert) below: Vec<Node<'a>>,
}

/// The elements of a tree that are switched on; each is followed by the tree of those below it.
pub(in crate::convert) fn nodes(tree: &Element) -> Vec<Node<'_>> {
    let mut out = Vec::new();
    let mut on = false;
    for child in &tree.children {
        if child.name == "hashTree" {
            if let Some(last) = out.last_mut().filter(|_| on) {
                let last: &mut Node = last;
                last.below = nodes(child);
            }
        } else {
            on = child.attribute("enabled") != "false";
            if on {
                out.push(Node { element: child, below: Vec::new() });
            }
        }
    }
    out
}

/// The code of a script, as comments.
pub(in crate::convert) fn code(element: &Element, pad: &str, out: &mut String) {
    let script = ["script", "BeanShellSampler.query", "BeanShellAssertion.query", "query"]
        .iter()
        .map(|name| element.text_of(name))
        .find(|text| !text.is_empty())
        .unwrap_or_default();
    for line in script.lines().filter(|line| !line.trim().is_empty()) {
        let line: String = line.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        out.push_str(&format!("{pad}//   {line}\n"));
    }
}

pub(in crate::convert) fn code_comment(element: &Element, pad: &str, out: &mut String) {
    out.push_str(&format!(
        "{pad}// JMeter: {} '{}'\n",
        comment(&element.name),
        comment(element.attribute("testname"))
    ));
    code(element, pad, out);
}

pub(in crate::convert) fn all<'a>(nodes: &'a [Node<'a>]) -> Box<dyn Iterator<Item = &'a Element> + 'a> {
    Box::new(nodes.iter().flat_map(|node| std::iter::once(node.element).chain(all(&node.below))))
}

/// Names and values of user defined variables.
pub(in crate::convert) fn arguments(element: &Element) -> Vec<(String, String)> {
    let entries = element.entries("Arguments.arguments");
    entries
        .map(|entry| (entry.text_of("Argument.name").to_owned(), entry.text_of("Argument.value").to_owned()))
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

pub(in crate::convert) fn csv_names(element: &Element) -> Vec<String> {
    let names = element.text_of("variableNames").split([',', ';']).map(|name| name.trim().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}
