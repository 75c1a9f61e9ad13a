//! Searching texts: CSS selectors in HTML, regular expressions anywhere.
//!
//! The one folder that knows `scraper` and `regex`. Pure: texts in, values out; knows neither scripts nor
//! requests. Invariant: no text, however hostile, is an error, but for a page that is nested too deeply; a selector or
//! pattern can be one.

mod attributes;
mod bounded;
mod document;
mod form;
mod pattern;
mod selector_error;

pub(crate) use document::{Document, Element, Elements, Selectors};
pub(crate) use pattern::Patterns;
