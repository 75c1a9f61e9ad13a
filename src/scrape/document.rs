//! HTML documents and the elements that selectors find in them.
//!
//! Owns parsing and searching. Invariant: everything shares the one parsed document; a search copies numbers of
//! nodes, never nodes.

use std::collections::HashSet;
use std::rc::Rc;

use ego_tree::{NodeId, NodeRef};
use html5ever::driver::{ParseOpts, parse_document};
use html5ever::tendril::TendrilSink;
use scraper::{ElementRef, Html, HtmlTreeSink, Node, Selector};

use super::attributes::{MOST_ATTRIBUTES, has_too_many};
use super::bounded::Bounded;
use super::selector_error;

/// Deepest nesting of elements: the time of parsing grows with text times depth, and searching recurses. Browsers
/// nest half as many.
const MOST_DEPTH: usize = 1_000;

/// Longest selector, in bytes: reading one recurses too.
const LONGEST_SELECTOR: usize = 10_000;

/// How much is parsed at once, in bytes: between two parts the depth is looked at, and others get their turn.
const PART: usize = 1_024;

/// Called again and again while something takes long; an error ends it.
pub(crate) type Pause<'a, E> = &'a mut dyn FnMut() -> Result<(), E>;

/// A parsed document; clones share it.
#[derive(Clone)]
pub(crate) struct Document(Rc<Html>);

/// One element of a document.
#[derive(Clone)]
pub(crate) struct Element {
    html: Rc<Html>,
    id: NodeId,
}

/// Elements of a document, in its order.
#[derive(Clone)]
pub(crate) struct Elements {
    html: Rc<Html>,
    ids: Rc<[NodeId]>,
}

/// The selectors of a worker thread's scripts, parsed once.
#[derive(Default)]
pub(crate) struct Selectors(Bounded<Selector>);

impl Selectors {
    fn parsed(&self, selector: &str) -> Result<Rc<Selector>, String> {
        self.0.get(selector, |text| {
            if text.len() > LONGEST_SELECTOR {
                return Err(format!(
                    "a CSS selector has {} bytes; the maximum is {LONGEST_SELECTOR}",
                    text.len()
                ));
            }
            Selector::parse(text).map_err(|_| {
                let why = selector_error::why(text, |part| Selector::parse(part).is_ok());
                format!("\"{text}\" is not a CSS selector: {why}")
            })
        })
    }
}

impl Document {
    /// Parses a document as browsers do: whatever the text is, a document comes out, but for one that is nested too
    /// deeply or has an element with too many attributes.
    ///
    /// # Errors
    /// When it is, or as `pause`.
    pub(crate) fn parse<E: From<String>>(text: &str, pause: Pause<E>) -> Result<Document, E> {
        if has_too_many(text) {
            return Err(format!("an element of the page has more than {MOST_ATTRIBUTES} attributes").into());
        }
        let mut parser = parse_document(HtmlTreeSink::new(Html::new_document()), ParseOpts::default());
        let mut rest = text;
        while !rest.is_empty() {
            let end = (PART..rest.len()).find(|&at| rest.is_char_boundary(at)).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            parser.process(part.into());
            rest = after;
            let html = parser.tokenizer.sink.sink.0.borrow();
            let depth = html.tree.nodes().next_back().map_or(0, |last| last.ancestors().count());
            drop(html);
            if depth > MOST_DEPTH {
                return Err(format!("the page nests its elements more than {MOST_DEPTH} deep").into());
            }
            pause()?;
        }
        Ok(Document(Rc::new(parser.finish())))
    }

    /// The elements that a selector finds.
    ///
    /// # Errors
    /// When the selector is none; the message quotes it. As `pause`.
    pub(crate) fn css<E: From<String>>(
        &self,
        selectors: &Selectors,
        selector: &str,
        pause: Pause<E>,
    ) -> Result<Elements, E> {
        let selector = selectors.parsed(selector)?;
        // As scraper does: a root without a parent is the document itself.
        let elements = self.0.tree.nodes().filter(|node| node.parent().is_some());
        matching(&self.0, elements, pause, |element| selector.matches(element))
    }

    /// The element that holds all others.
    pub(crate) fn root(&self) -> Element {
        Element { html: self.0.clone(), id: self.0.root_element().id() }
    }
}

/// The elements among these nodes that match. Pauses for each node and not for each that is found: a selector that
/// matches nothing can take as long.
fn matching<'a, E: From<String>>(
    html: &'a Rc<Html>,
    nodes: impl Iterator<Item = NodeRef<'a, Node>>,
    pause: Pause<E>,
    matches: impl Fn(&ElementRef<'a>) -> bool,
) -> Result<Elements, E> {
    let mut ids = Vec::new();
    for element in nodes.filter_map(ElementRef::wrap) {
        pause()?;
        if matches(&element) {
            ids.push(element.id());
        }
    }
    Ok(Elements { html: html.clone(), ids: ids.into() })
}

impl Element {
    /// The value of an attribute.
    pub(crate) fn attr(&self, name: &str) -> Option<String> {
        self.get()?.attr(name).map(str::to_owned)
    }

    /// All attributes, in the order of their names.
    pub(crate) fn attrs(&self) -> Vec<(String, String)> {
        let attrs = self.get().map(|element| element.value().attrs());
        attrs.into_iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Its name in lower case.
    pub(crate) fn name(&self) -> &str {
        self.get().map_or("", |element| element.value().name())
    }

    /// The text in it and in everything below it, without white space at its ends.
    pub(crate) fn text(&self) -> String {
        let text: String = self.get().map(|element| element.text().collect()).unwrap_or_default();
        text.trim().to_owned()
    }

    /// What stands between its tags.
    pub(crate) fn html(&self) -> String {
        self.get().map(|element| element.inner_html()).unwrap_or_default()
    }

    /// The elements below it that a selector finds.
    ///
    /// # Errors
    /// When the selector is none; the message quotes it. As `pause`.
    pub(crate) fn css<E: From<String>>(
        &self,
        selectors: &Selectors,
        selector: &str,
        pause: Pause<E>,
    ) -> Result<Elements, E> {
        let selector = selectors.parsed(selector)?;
        let scope = self.get();
        let below = scope.iter().flat_map(|scope| scope.descendants().skip(1));
        matching(&self.html, below, pause, |element| selector.matches_with_scope(element, scope))
    }

    /// Always there: an element's number comes from its own document, which nobody changes.
    pub(super) fn get(&self) -> Option<ElementRef<'_>> {
        self.html.tree.get(self.id).and_then(ElementRef::wrap)
    }
}

impl Elements {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// One of them, from 0.
    pub(crate) fn get(&self, index: usize) -> Option<Element> {
        self.ids.get(index).map(|&id| Element { html: self.html.clone(), id })
    }

    /// The elements below any of them that a selector finds, each once.
    ///
    /// # Errors
    /// When the selector is none; the message quotes it. As `pause`.
    pub(crate) fn css<E: From<String>>(
        &self,
        selectors: &Selectors,
        selector: &str,
        pause: Pause<E>,
    ) -> Result<Elements, E> {
        let mut seen = HashSet::new();
        let mut ids = Vec::new();
        // Parsed here too, so that a wrong selector is told although there is nothing to search.
        selectors.parsed(selector)?;
        for index in 0..self.len() {
            let Some(element) = self.get(index) else { continue };
            let found = element.css(selectors, selector, pause)?;
            ids.extend(found.ids.iter().filter(|id| seen.insert(**id)));
        }
        Ok(Elements { html: self.html.clone(), ids: ids.into() })
    }
}

impl IntoIterator for Elements {
    type Item = Element;
    type IntoIter = Box<dyn Iterator<Item = Element>>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new((0..self.len()).filter_map(move |index| self.get(index)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<title>Shop</title><ul><li class=a>one</li><li data-n='2'> <b>two</b>&amp; </li></ul>\
        <form id=f><input name=csrf value='x\"y'><input name=empty value></form>";

    fn go_on() -> Result<(), String> {
        Ok(())
    }

    fn parse(html: &str) -> Document {
        Document::parse(html, &mut go_on).unwrap()
    }

    fn css(html: &str, selector: &str) -> Elements {
        parse(html).css(&Selectors::default(), selector, &mut go_on).unwrap()
    }

    #[test]
    fn elements_are_found_and_read() {
        let found = css(PAGE, "li");
        assert_eq!(found.len(), 2);
        assert_eq!(found.get(1).unwrap().text(), "two&");
        assert_eq!(found.get(1).unwrap().html(), " <b>two</b>&amp; ");
        assert_eq!(found.get(1).unwrap().attr("data-n").as_deref(), Some("2"));
        assert_eq!(found.get(1).unwrap().name(), "li");
        assert!(found.get(2).is_none());
        let csrf = css(PAGE, "form#f input[name=csrf]").get(0).unwrap();
        assert_eq!(csrf.attr("value").as_deref(), Some("x\"y"));
        assert_eq!(csrf.attr("nosuch"), None);
        assert_eq!(css(PAGE, "input[name=empty]").get(0).unwrap().attr("value").as_deref(), Some(""));
    }

    #[test]
    fn a_search_goes_on_below_what_was_found() {
        let selectors = Selectors::default();
        let nested = css("<div><div><p>x</p></div></div>", "div");
        assert_eq!(nested.len(), 2);
        assert_eq!(nested.css(&selectors, "p", &mut go_on).unwrap().len(), 1, "each once");
        assert_eq!(nested.get(0).unwrap().css(&selectors, "p", &mut go_on).unwrap().len(), 1);
        assert_eq!(nested.css(&selectors, "i", &mut go_on).unwrap().len(), 0);
    }

    #[test]
    fn selectors_that_are_none_are_quoted() {
        for wrong in ["", "a[", "::", "li:nosuch(", "a >"] {
            let error = parse(PAGE).css(&Selectors::default(), wrong, &mut go_on).err().unwrap();
            assert!(error.starts_with(&format!("\"{wrong}\" is not a CSS selector: ")), "{error}");
            assert!(css(PAGE, "nosuch").css(&Selectors::default(), wrong, &mut go_on).is_err(), "{wrong}");
        }
    }

    #[test]
    fn garbage_is_a_document_too() {
        for garbage in ["", "<", "<<<>>>", "</p><table><p></b>", "\0\u{fffd}<a b=c", "<!doctype", "]]>"] {
            assert_eq!(css(garbage, "body").len(), 1, "{garbage:?}");
        }
    }

    #[test]
    fn a_page_may_be_nested_deeply_but_not_without_end() {
        let deep = "<div>".repeat(MOST_DEPTH - 10);
        assert_eq!(css(&deep, "div:has(div)").len(), MOST_DEPTH - 11);
        assert_eq!(css(&deep, "div").get(0).unwrap().text(), "");
        assert!(css(&deep, "div").get(0).unwrap().html().len() > MOST_DEPTH);
        let formatting: String = (0..100_000).map(|n| format!("<b id={n}><p>")).collect();
        for endless in ["<div>".repeat(1_000_000), "<ul><li>".repeat(100_000), formatting] {
            let error = Document::parse(&endless, &mut go_on).err().unwrap();
            assert_eq!(error, "the page nests its elements more than 1000 deep");
        }
    }

    #[test]
    fn what_takes_long_can_be_ended() {
        let page = "<p>x</p>".repeat(10_000);
        let mut left = 3;
        let mut pause = || {
            left -= 1;
            if left > 0 { Ok(()) } else { Err("enough".to_owned()) }
        };
        assert_eq!(Document::parse(&page, &mut pause).err().unwrap(), "enough");
        let error = parse(&page).css(&Selectors::default(), "p", &mut || Err("enough".to_owned()));
        assert_eq!(error.err().unwrap(), "enough");
        let long = ":not(".repeat(100_000);
        let error = parse(&page).css(&Selectors::default(), &long, &mut go_on).err().unwrap();
        assert!(error.contains("the maximum is 10000"), "{error}");
    }
}
