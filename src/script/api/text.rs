//! What a response can do with its body, on any text: `.regex(…)`, `.css(…)`, `.json("a.b")`.
//!
//! Leaves the work to what a response has it done by, `scrape.rs` and `json_path`.

use std::rc::Rc;

use rhai::{Dynamic, Engine, ImmutableString};

use super::response::{json_of, value_at};
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};

pub(super) const SECTION: Section = Section {
    name: "strings",
    title: "Strings",
    is_part: false,
    about: "text: extracting values, searching, changing",
    intro: "`.json`, `.regex`, `.html`, `.css` and `.form` are those of a [response](#the-response), with the same \
            patterns, [selectors](#html), paths and limits.",
    tables: &[CALLS],
    notes: "",
};

calls! {
    CALLS: Owner::Type("string"); ("of a string", "gives");

    /// The text parsed as JSON. With a path such as `"a.b[0].c"`, the value there, or `()`; `["a.b"]` is a key with a
    /// dot, `[-1]` the last element.
    ///
    /// Errors: not JSON; an invalid path.
    ///
    /// ```rhai
    /// let id = `{"user": {"id": 7}}`.json("user.id");
    /// ```
    fn json() -> any;
    fn json(path: text) -> any;

    /// The first match of the pattern's first group, or of the whole pattern if it has no group; `()` without a
    /// match.
    ///
    /// Errors: an invalid pattern.
    ///
    /// ```rhai
    /// let id = "/orders/17?page=2".regex("/orders/([0-9]+)");
    /// ```
    fn regex(pattern: text) -> text|unit;

    /// The same for every match, as an array.
    ///
    /// Errors: as `.regex`.
    fn regex_all(pattern: text) -> array;

    /// The text as an HTML [document](#html), parsed at each call: keep it in a variable to search it more than once.
    ///
    /// Errors: elements are nested more than 1,000 deep.
    fn html() -> Document;

    /// The same as `.html().css(selector)`.
    ///
    /// Errors: as `.html`; an invalid selector.
    ///
    /// ```rhai
    /// let names = "<li>ann</li><li>bob</li>".css("li").texts();
    /// ```
    fn css(selector: text) -> Elements;

    /// The same as `.html().form(selector)`.
    ///
    /// Errors: no form matches.
    fn form(selector: text) -> map;
}

pub(super) fn register(engine: &mut Engine, _: &Rc<Host>) {
    engine
        .register_fn("json", |text: &mut ImmutableString| -> ScriptResult<Dynamic> {
            value_at(&json_of(text.as_bytes(), "the text")?, "")
        })
        .register_fn("json", |text: &mut ImmutableString, path: ImmutableString| -> ScriptResult<Dynamic> {
            value_at(&json_of(text.as_bytes(), "the text")?, &path)
        });
}
