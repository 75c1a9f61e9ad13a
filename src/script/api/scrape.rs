//! `.html()`, `.css(…)`, `.form(…)`, `.regex(…)` of a response and of text: extracting values.
//!
//! Leaves parsing and searching to `crate::scrape`. Selectors and patterns are compiled once per worker thread.

use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, ImmutableString, Map};

use super::response::Response;
use crate::scrape::{Document, Element, Elements, Patterns, Selectors};
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};

calls! {
    pub(super) RESPONSE: Owner::Type("Response"); ("method", "gives");

    /// The body as an HTML [document](#html), parsed only once. A body that is not HTML is accepted too.
    ///
    /// Errors: as `.body`.
    fn html() -> Document;

    /// The same as `.html().css(selector)`.
    ///
    /// Errors: as `.body`; an invalid selector.
    ///
    /// ```rhai
    /// let token = http::get("/login/form").css("form input[name=csrf]").attr("value");
    /// ```
    fn css(selector: text) -> Elements;

    /// Map of the fields that a browser would send for the first matching form, without buttons, files, and
    /// fields that are disabled or not checked. A name with several values has an array.
    ///
    /// Errors: no form matches.
    fn form(selector: text) -> map;

    /// The first match of the pattern's first group, or of the whole pattern if it has no group; `()` without a
    /// match.
    ///
    /// Errors: as `.body`; an invalid pattern.
    ///
    /// ```rhai
    /// let id = http::get("/quality/insights").regex("\"id\": *([0-9]+)");
    /// ```
    fn regex(pattern: text) -> text|unit;

    /// The same for every match, as an array.
    ///
    /// Errors: as `.regex`.
    fn regex_all(pattern: text) -> array;
}

pub(super) const SECTION: Section = Section {
    name: "html",
    title: "HTML",
    is_part: true,
    about: "extracting values from a page",
    intro: "Selectors are CSS selectors. `.css` returns a list of elements in document order.",
    tables: &[LIST, ELEMENT, DOCUMENT],
    notes: r##"
A page is parsed on the VU's thread. A page of 1 MB takes a few milliseconds, during which the other VUs of that
thread wait.

Patterns use the syntax of the [`regex`](https://docs.rs/regex/latest/regex/#syntax) crate: no look-around and no
backreferences, but matching takes linear time.

```rhai
fn on_start() {
    let page = http::get("/login/form").expect(200);
    let token = page.css("form input[name=csrf]").attr("value");
    http::post("/login/form", #{ form: #{ csrf: token, user: "ann" }, expect: 200, raise: true });
}
fn iteration() { http::get("/quality/insights"); }
```"##,
};

calls! {
    LIST: Owner::Type("Elements"); ("of a list", "gives");

    /// Number of elements.
    get len -> int;
    fn len() -> int;

    /// Whether the list is empty.
    get is_empty -> bool;
    fn is_empty() -> bool;

    /// The element at this index; `[-1]` is the last.
    ///
    /// Errors: index out of bounds.
    index index(index: int) -> Element;

    /// All elements.
    each element -> Element;

    /// The first element, or `()`.
    fn first() -> Element|unit;

    /// The same of the first element, or `()`.
    fn attr(name: text) -> text|unit;
    fn text() -> text|unit;
    fn html() -> text|unit;

    /// Array of the texts of all elements.
    fn texts() -> array;

    /// Array of this attribute's values of all elements.
    fn attrs(name: text) -> array;

    /// The matching descendants of all elements.
    ///
    /// Errors: an invalid selector.
    fn css(selector: text) -> Elements;
}

calls! {
    ELEMENT: Owner::Type("Element"); ("of an element", "gives");

    /// The attribute, or `()`.
    fn attr(name: text) -> text|unit;

    /// Map of all attributes.
    get attrs -> map;

    /// The tag name in lower case.
    get name -> text;

    /// The text of the element and its descendants, trimmed.
    fn text() -> text;

    /// The inner HTML.
    fn html() -> text;

    /// The matching descendants.
    ///
    /// Errors: an invalid selector.
    fn css(selector: text) -> Elements;
}

calls! {
    DOCUMENT: Owner::Type("Document"); ("of a document", "gives");

    /// The matching elements.
    ///
    /// Errors: an invalid selector.
    fn css(selector: text) -> Elements;

    /// The same as `.form` of a response.
    ///
    /// Errors: no form matches.
    fn form(selector: text) -> map;

    /// The text of the document.
    fn text() -> text;

    /// The HTML of the document.
    fn html() -> text;
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let selectors = Rc::new(Selectors::default());
    engine
        .register_type_with_name::<Document>("Document")
        .register_type_with_name::<Element>("Element")
        .register_type_with_name::<Elements>("Elements");
    register_css(engine, host, &selectors);
    register_element(engine);
    register_elements(engine, host);
    register_patterns(engine);
}

/// Everything that takes a selector.
fn register_css(engine: &mut Engine, host: &Rc<Host>, selectors: &Rc<Selectors>) {
    engine.register_fn("html", |r: &mut Response| -> ScriptResult<Document> {
        Ok(r.data.html(&r.host)?.clone())
    });
    let h = host.clone();
    engine.register_fn("html", move |text: &mut ImmutableString| document(&h, text));
    let (s, h) = (selectors.clone(), host.clone());
    engine.register_fn(
        "css",
        move |text: &mut ImmutableString, selector: ImmutableString| -> ScriptResult<Elements> {
            document(&h, text)?.css(&s, &selector, &mut || h.step())
        },
    );
    let (s, h) = (selectors.clone(), host.clone());
    engine.register_fn(
        "form",
        move |text: &mut ImmutableString, selector: ImmutableString| -> ScriptResult<Map> {
            form(&h, &document(&h, text)?, &s, &selector)
        },
    );
    let s = selectors.clone();
    engine.register_fn("css", move |r: &mut Response, selector: ImmutableString| -> ScriptResult<Elements> {
        r.data.html(&r.host)?.css(&s, &selector, &mut || r.host.step())
    });
    let (s, h) = (selectors.clone(), host.clone());
    engine.register_fn("css", move |d: &mut Document, selector: ImmutableString| -> ScriptResult<Elements> {
        d.css(&s, &selector, &mut || h.step())
    });
    let (s, h) = (selectors.clone(), host.clone());
    engine.register_fn("css", move |e: &mut Element, selector: ImmutableString| -> ScriptResult<Elements> {
        e.css(&s, &selector, &mut || h.step())
    });
    let (s, h) = (selectors.clone(), host.clone());
    engine.register_fn(
        "css",
        move |list: &mut Elements, selector: ImmutableString| -> ScriptResult<Elements> {
            list.css(&s, &selector, &mut || h.step())
        },
    );
    let s = selectors.clone();
    engine.register_fn("form", move |r: &mut Response, selector: ImmutableString| -> ScriptResult<Map> {
        form(&r.host, r.data.html(&r.host)?, &s, &selector)
    });
    let (s, h) = (selectors.clone(), host.clone());
    engine.register_fn("form", move |d: &mut Document, selector: ImmutableString| -> ScriptResult<Map> {
        form(&h, d, &s, &selector)
    });
}

fn document(host: &Host, text: &str) -> ScriptResult<Document> {
    Document::parse(text, &mut || host.step())
}

/// The fields of the first form that the selector finds; a name with several values has an array of them.
fn form(host: &Host, document: &Document, selectors: &Selectors, selector: &str) -> ScriptResult<Map> {
    let Some(form) = document.css(selectors, selector, &mut || host.step())?.get(0) else {
        return Err(format!("no form on the page matches \"{selector}\"").into());
    };
    let mut values: BTreeMap<String, Array> = BTreeMap::new();
    for (name, value) in form.fields() {
        values.entry(name).or_default().push(value.into());
    }
    let single_or_array = |mut values: Array| match values.len() {
        1 => values.remove(0),
        _ => Dynamic::from_array(values),
    };
    Ok(values.into_iter().map(|(name, values)| (name.into(), single_or_array(values))).collect())
}

fn register_element(engine: &mut Engine) {
    engine
        .register_fn("attr", |e: &mut Element, name: ImmutableString| optional(e.attr(&name)))
        .register_fn("text", |e: &mut Element| e.text())
        .register_fn("html", |e: &mut Element| e.html())
        .register_get("name", |e: &mut Element| e.name().to_owned())
        .register_get("attrs", |e: &mut Element| -> Map {
            e.attrs().into_iter().map(|(name, value)| (name.into(), value.into())).collect()
        })
        .register_fn("to_string", |e: &mut Element| format!("<{}>", e.name()))
        .register_fn("to_debug", |e: &mut Element| format!("<{}>", e.name()))
        .register_fn("text", |d: &mut Document| d.root().text())
        .register_fn("html", |d: &mut Document| d.root().html())
        .register_fn("to_string", |_: &mut Document| "an HTML document")
        .register_fn("to_debug", |_: &mut Document| "an HTML document");
}

/// A list; the methods of an element apply to its first.
fn register_elements(engine: &mut Engine, host: &Rc<Host>) {
    let first = |list: &Elements| list.get(0);
    engine
        .register_get("len", |list: &mut Elements| list.len() as i64)
        .register_fn("len", |list: &mut Elements| list.len() as i64)
        .register_get("is_empty", |list: &mut Elements| list.len() == 0)
        .register_fn("is_empty", |list: &mut Elements| list.len() == 0)
        .register_indexer_get(|list: &mut Elements, index: i64| at(list, index))
        .register_iterator::<Elements>()
        .register_fn("first", move |list: &mut Elements| first(list).map_or(Dynamic::UNIT, Dynamic::from))
        .register_fn("attr", move |list: &mut Elements, name: ImmutableString| {
            optional(first(list).and_then(|element| element.attr(&name)))
        })
        .register_fn("text", move |list: &mut Elements| optional(first(list).map(|element| element.text())))
        .register_fn("html", move |list: &mut Elements| optional(first(list).map(|element| element.html())))
        .register_fn("texts", {
            // Nested elements have each other's texts.
            let h = host.clone();
            move |list: &mut Elements| -> ScriptResult<Array> {
                elements(list)
                    .map(|element| {
                        h.step()?;
                        Ok(element.text().into())
                    })
                    .collect()
            }
        })
        .register_fn("attrs", |list: &mut Elements, name: ImmutableString| -> Array {
            elements(list).map(|element| optional(element.attr(&name))).collect()
        })
        .register_fn("to_string", |list: &mut Elements| format!("{} elements", list.len()))
        .register_fn("to_debug", |list: &mut Elements| format!("{} elements", list.len()));
}

fn register_patterns(engine: &mut Engine) {
    let patterns = Rc::new(Patterns::default());
    let p = patterns.clone();
    engine.register_fn(
        "regex",
        move |text: &mut ImmutableString, pattern: ImmutableString| -> ScriptResult<Dynamic> {
            Ok(optional(p.first(&pattern, text)?))
        },
    );
    let p = patterns.clone();
    engine.register_fn(
        "regex_all",
        move |text: &mut ImmutableString, pattern: ImmutableString| -> ScriptResult<Array> {
            Ok(p.all(&pattern, text)?.into_iter().map(Dynamic::from).collect())
        },
    );
    let p = patterns.clone();
    engine.register_fn("regex", move |r: &mut Response, pattern: ImmutableString| -> ScriptResult<Dynamic> {
        Ok(optional(p.first(&pattern, &r.data.text()?)?))
    });
    engine.register_fn(
        "regex_all",
        move |r: &mut Response, pattern: ImmutableString| -> ScriptResult<Array> {
            Ok(patterns.all(&pattern, &r.data.text()?)?.into_iter().map(Dynamic::from).collect())
        },
    );
}

/// One element of a list; a negative index counts from the end, as in Rhai's arrays.
fn at(list: &Elements, index: i64) -> ScriptResult<Element> {
    let from_end = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
    let place = if index < 0 { list.len().checked_sub(from_end) } else { Some(from_end) };
    match place.and_then(|place| list.get(place)) {
        Some(element) => Ok(element),
        None => Err(format!("index [{index}] is out of bounds: the list has {} elements", list.len()).into()),
    }
}

fn elements(list: &Elements) -> impl Iterator<Item = Element> + '_ {
    (0..list.len()).filter_map(|index| list.get(index))
}

fn optional(text: Option<String>) -> Dynamic {
    text.map_or(Dynamic::UNIT, Dynamic::from)
}
