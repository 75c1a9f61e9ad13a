//! `.join`, `.sum`, `.avg`, `.min`, `.max`: what Rhai's arrays lack.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, ImmutableString};

use super::convert;
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};

pub(super) const SECTION: Section = Section {
    name: "arrays",
    title: "Arrays",
    is_part: false,
    about: "arrays: sums, searching, changing",
    intro: "",
    tables: &[CALLS],
    notes: "",
};

calls! {
    CALLS: Owner::Type("array"); ("of an array", "gives");

    /// The elements as text, one after the other, with the separator between them.
    ///
    /// ```rhai
    /// let ids = [3, 5, 8].join(",");
    /// ```
    fn join() -> text;
    fn join(separator: text) -> text;

    /// The sum of the numbers; an integer if all of them are. 0 without elements.
    ///
    /// Errors: an element is not a number; the sum of integers is too large.
    ///
    /// ```rhai
    /// let total = [#{ price: 2.5 }, #{ price: 4 }].map(|item| item.price).sum();
    /// ```
    fn sum() -> int|float;

    /// Their mean; `()` without elements.
    ///
    /// Errors: as `.sum`.
    fn avg() -> float|unit;

    /// The smallest number; `()` without elements.
    ///
    /// Errors: as `.sum`.
    fn min() -> int|float|unit;

    /// The largest number; `()` without elements.
    ///
    /// Errors: as `.sum`.
    fn max() -> int|float|unit;
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let h = host.clone();
    engine.register_fn("join", move |array: &mut Array| join(&h, array, ""));
    let h = host.clone();
    engine.register_fn("join", move |array: &mut Array, separator: ImmutableString| {
        join(&h, array, &separator)
    });
    engine
        .register_fn("sum", |array: &mut Array| sum(array))
        .register_fn("avg", |array: &mut Array| -> ScriptResult<Dynamic> {
            let numbers = numbers("avg", array)?;
            let count = numbers.len() as f64;
            // Each divided, so that large numbers do not overflow.
            let mean =
                (!numbers.is_empty()).then(|| numbers.iter().map(|number| number / count).sum::<f64>());
            Ok(mean.map_or(Dynamic::UNIT, Dynamic::from_float))
        })
        .register_fn("min", |array: &mut Array| extreme("min", array, |a, b| a < b))
        .register_fn("max", |array: &mut Array| extreme("max", array, |a, b| a > b));
}

fn join(host: &Host, array: &Array, separator: &str) -> ScriptResult<String> {
    let mut text = String::new();
    for (at, element) in array.iter().enumerate() {
        if at > 0 {
            text.push_str(separator);
        }
        text.push_str(&element.to_string());
        host.step()?;
    }
    Ok(text)
}

fn numbers(function: &str, array: &Array) -> Result<Vec<f64>, String> {
    let number = |(at, element): (usize, &Dynamic)| {
        let number = convert::number(element);
        number.ok_or_else(|| convert::expected(&format!("{function}: element [{at}]"), "a number", element))
    };
    array.iter().enumerate().map(number).collect()
}

fn sum(array: &Array) -> ScriptResult<Dynamic> {
    let numbers = numbers("sum", array)?;
    if array.iter().any(Dynamic::is_float) {
        return Ok(Dynamic::from_float(numbers.into_iter().sum()));
    }
    let sum = array.iter().try_fold(0_i64, |sum, element| sum.checked_add(element.as_int().unwrap_or(0)));
    sum.map(Dynamic::from_int).ok_or_else(|| "sum: the sum of the integers is too large".into())
}

/// The first element that no other one comes before; as it is, so an integer stays one.
fn extreme(function: &str, array: &Array, is_before: fn(f64, f64) -> bool) -> ScriptResult<Dynamic> {
    let numbers = numbers(function, array)?;
    let first = (0..numbers.len()).reduce(|best, at| {
        // What is not a number comes before nothing.
        if is_before(numbers[at], numbers[best]) || numbers[best].is_nan() { at } else { best }
    });
    Ok(first.map_or(Dynamic::UNIT, |at| array[at].flatten_clone()))
}
