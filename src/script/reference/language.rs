//! Rhai's own functions, as far as scripts use them, in words of this reference.
//!
//! Leaves operators and statements to the book of the language. Invariant, checked by a test: an engine has everything
//! that stands here, and here stands every function of Rhai but those in `UNUSUAL`.

use super::calls;
use super::tables::{Owner, Section, Table};

/// What a part of this reference gets besides what it has. A section that it lacks is added.
pub(super) const SECTIONS: &[Section] = &[
    section("strings", "Strings", "", &[STRINGS]),
    section("arrays", "Arrays", "", &[ARRAYS]),
    section("maps", "Maps", "maps #{ … }: reading and changing", &[MAPS]),
    section("numbers", "Numbers", "numbers: rounding, parsing, mathematics", &[NUMBERS, MATHS]),
    section("blobs", "Blobs", "bytes", &[BLOBS]),
    section(
        "values",
        "Values, functions and ranges",
        "types, conversions, closures, ranges",
        &[VALUES, FUNCTIONS, RANGES],
    ),
];

const fn section(
    name: &'static str,
    title: &'static str,
    about: &'static str,
    tables: &'static [Table],
) -> Section {
    Section { name, title, is_part: false, about, intro: "", tables, notes: "" }
}

calls! {
    STRINGS: Owner::Type("string"); ("of a string", "gives");

    /// Number of characters.
    get len -> int;
    fn len() -> int;

    /// Whether the string is empty.
    get is_empty -> bool;
    fn is_empty() -> bool;

    /// Number of bytes in UTF-8.
    get bytes -> int;
    fn bytes() -> int;

    /// Whether the text contains this one. `"part" in text` is the same.
    fn contains(part: text) -> bool;

    /// Whether the text starts with this one.
    fn starts_with(start: text) -> bool;

    /// Whether the text ends with this one.
    fn ends_with(end: text) -> bool;

    /// Position of the first occurrence, from 0, at or after `start`; -1 if there is none.
    fn index_of(part: text) -> int;
    fn index_of(part: text, start: int) -> int;

    /// Array of the parts between the separators; without one, of the words between white space. With a number, at most so
    /// many parts. With a number alone, the text before and after that position.
    ///
    /// ```rhai
    /// let parts = "a,b,c".split(",");
    /// ```
    fn split() -> array;
    fn split(separator: text) -> array;
    fn split(separator: text, most: int) -> array;
    fn split(position: int) -> array;

    /// The same from the end.
    fn split_rev(separator: text) -> array;
    fn split_rev(separator: text, most: int) -> array;

    /// The part from a position on, of a length, or of a range; negative positions count from the end.
    ///
    /// ```rhai
    /// let start = "abcdef".sub_string(0, 3);
    /// let end = "abcdef".sub_string(-2);
    /// ```
    fn sub_string(start: int) -> text;
    fn sub_string(start: int, length: int) -> text;
    fn sub_string(range: range) -> text;

    /// The same text in lower case.
    fn to_lower() -> text;

    /// The same text in upper case.
    fn to_upper() -> text;

    /// Changes the variable to lower case; returns nothing.
    fn make_lower();

    /// Changes the variable to upper case; returns nothing.
    fn make_upper();

    /// Removes white space at both ends of the variable; returns nothing.
    ///
    /// ```rhai
    /// let name = "  ann ";
    /// name.trim();
    /// ```
    fn trim();

    /// Replaces every occurrence in the variable; returns nothing.
    ///
    /// ```rhai
    /// let path = "/orders/:id";
    /// path.replace(":id", "17");
    /// ```
    fn replace(find: text, with: text);

    /// Removes every occurrence from the variable; returns nothing.
    fn remove(part: text);

    /// Keeps only the part from a position on, of a length, or of a range; returns nothing.
    fn crop(start: int);
    fn crop(start: int, length: int);
    fn crop(range: range);

    /// Shortens the variable to so many characters; returns nothing.
    fn truncate(length: int);

    /// Lengthens the variable to so many characters; returns nothing.
    fn pad(length: int, with: text);

    /// Adds the value at the end of the variable; returns nothing. `text += value` is the same.
    fn append(value: any);

    /// Empties the variable; returns nothing.
    fn clear();

    /// Removes the last character, or so many, and returns what was removed.
    fn pop() -> any;
    fn pop(count: int) -> text;

    /// The character at a position, or `()`. `text[0]` is the same, but an error when there is none.
    fn get(position: int) -> any;

    /// Changes the character at a position; returns nothing.
    fn set(position: int, character: any);

    /// To go through the characters: `for c in text.chars() { … }`.
    get chars -> any;
    fn chars() -> any;
    fn chars(start: int) -> any;
    fn chars(start: int, length: int) -> any;
    fn chars(range: range) -> any;

    /// Array of the characters.
    fn to_chars() -> array;

    /// Blob of the bytes.
    fn to_blob() -> blob;

    /// The number of a character: `'a'.to_int()`.
    fn to_int() -> int;
}

calls! {
    ARRAYS: Owner::Type("array"); ("of an array", "gives");

    /// Number of elements.
    get len -> int;
    fn len() -> int;

    /// Whether the array is empty.
    get is_empty -> bool;
    fn is_empty() -> bool;

    /// Adds an element at the end; returns nothing. `array += value` is the same.
    fn push(value: any);

    /// Adds all elements of another array; returns nothing.
    fn append(other: array);

    /// Inserts an element before a position; returns nothing.
    fn insert(position: int, value: any);

    /// Removes the last element and returns it; `()` without elements.
    fn pop() -> any;

    /// Removes the first element and returns it; `()` without elements.
    fn shift() -> any;

    /// Removes the element at a position and returns it.
    fn remove(position: int) -> any;

    /// Removes all elements; returns nothing.
    fn clear();

    /// Keeps the first so many elements; returns nothing.
    fn truncate(length: int);

    /// Keeps the last so many elements; returns nothing.
    fn chop(length: int);

    /// Lengthens the array to so many elements with copies of the value; returns nothing.
    fn pad(length: int, value: any);

    /// The element at a position, or `()`. `array[0]` is the same, but an error when there is none; `array[-1]` is the last.
    fn get(position: int) -> any;

    /// Changes the element at a position; returns nothing. `array[0] = value` is the same.
    fn set(position: int, value: any);

    /// An array of what the closure returns for each element; a second parameter is the position.
    ///
    /// ```rhai
    /// let names = [#{ name: "ann" }, #{ name: "bob" }].map(|user| user.name);
    /// ```
    fn map(change: function) -> array;

    /// An array of the elements for which the closure returns true.
    ///
    /// ```rhai
    /// let cheap = [5, 12, 7].filter(|price| price < 10);
    /// ```
    fn filter(condition: function) -> array;

    /// Calls the closure with each element; a second parameter is the position. In a closure without parameters `this` is
    /// the element, and can be changed.
    fn for_each(action: function);

    /// The first element for which the closure returns true, or `()`.
    fn find(condition: function) -> any;
    fn find(condition: function, start: int) -> any;

    /// The first result of the closure that is not `()`.
    fn find_map(change: function) -> any;
    fn find_map(change: function, start: int) -> any;

    /// Position of the first element that is equal, or for which the closure returns true; -1 if there is none.
    fn index_of(value: any) -> int;
    fn index_of(value: any, start: int) -> int;

    /// Whether an element is equal. `value in array` is the same.
    fn contains(value: any) -> bool;

    /// Whether the closure returns true for any element.
    fn some(condition: function) -> bool;

    /// Whether the closure returns true for all elements.
    fn all(condition: function) -> bool;

    /// Combines the elements from the first to the last: the closure gets the result so far and the element.
    ///
    /// ```rhai
    /// let longest = ["a", "ccc", "bb"].reduce(|best, text| if text.len > best.len { text } else { best }, "");
    /// ```
    fn reduce(combine: function) -> any;
    fn reduce(combine: function, initial: any) -> any;

    /// The same from the last to the first.
    fn reduce_rev(combine: function) -> any;
    fn reduce_rev(combine: function, initial: any) -> any;

    /// An array of what the closure returns for the elements of both arrays at the same position.
    fn zip(other: array, combine: function) -> array;

    /// Sorts the array; returns nothing. The closure returns a number below 0, 0 or above 0, or whether the first stands
    /// before the second.
    ///
    /// ```rhai
    /// let users = [#{ age: 30 }, #{ age: 20 }];
    /// users.sort(|a, b| a.age - b.age);
    /// ```
    fn sort();
    fn sort(by: function);
    fn sort_by(by: function);

    /// Sorts it in descending order; returns nothing.
    fn sort_desc();

    /// A sorted copy.
    fn order() -> array;
    fn order(by: function) -> array;
    fn order_by(by: function) -> array;

    /// A copy in descending order.
    fn order_desc() -> array;

    /// Reverses the array; returns nothing.
    fn reverse();

    /// Removes elements that equal the one before, or for which the closure returns true for both; returns nothing.
    fn dedup();
    fn dedup(same: function);

    /// A copy of a part: from a position on, of a length, or of a range.
    fn extract(start: int) -> array;
    fn extract(start: int, length: int) -> array;
    fn extract(range: range) -> array;

    /// Replaces a part by other elements; returns nothing.
    fn splice(start: int, length: int, other: array);
    fn splice(range: range, other: array);

    /// Cuts the array off at a position and returns the rest.
    fn split(position: int) -> array;

    /// Removes the elements for which the closure returns true, or a part, and returns them.
    fn drain(condition: function) -> array;
    fn drain(start: int, length: int) -> array;

    /// Keeps the elements for which the closure returns true, or a part, and returns the others.
    fn retain(condition: function) -> array;
    fn retain(start: int, length: int) -> array;
}

calls! {
    MAPS: Owner::Type("map"); ("of a map", "gives");

    /// Number of keys.
    fn len() -> int;

    /// Whether the map is empty.
    fn is_empty() -> bool;

    /// Array of the keys, in alphabetical order.
    ///
    /// ```rhai
    /// let stock = #{ apples: 3, pears: 5 };
    /// for name in stock.keys() { print(`${name}: ${stock[name]}`); }
    /// ```
    fn keys() -> array;

    /// Array of the values, in the order of the keys.
    fn values() -> array;

    /// Whether the key is there. `"key" in map` is the same.
    fn contains(key: text) -> bool;

    /// The value of a key, or `()`. `map.key` and `map["key"]` are the same.
    fn get(key: text) -> any;

    /// Sets the value of a key; returns nothing. `map.key = value` and `map["key"] = value` are the same.
    fn set(key: text, value: any);

    /// Removes a key and returns its value, or `()`.
    fn remove(key: text) -> any;

    /// Removes all keys; returns nothing.
    fn clear();

    /// Adds everything of another map, which wins where both have a key; returns nothing. `map += other` is the same.
    fn mixin(other: map);

    /// Adds what the other map has and this one lacks; returns nothing.
    fn fill_with(other: map);

    /// A map with the values that the closure returns; it gets each key and has the value as `this`.
    fn map(change: function) -> map;

    /// A map of the keys for which the closure returns true; it gets each key and has the value as `this`.
    fn filter(condition: function) -> map;

    /// Removes the keys for which the closure returns true, and returns them as a map.
    fn drain(condition: function) -> map;

    /// Keeps the keys for which the closure returns true, and returns the others as a map.
    fn retain(condition: function) -> map;

    /// The map as JSON. A value other than a map is written so too: `value.to_json()`.
    fn to_json() -> text;
}

calls! {
    NUMBERS: Owner::Type("number"); ("of a number", "gives");

    /// Its absolute value.
    fn abs() -> number;

    /// -1, 0 or 1.
    fn sign() -> int;

    /// The next smaller whole number, as a float.
    fn floor() -> float;

    /// The next larger whole number, as a float.
    fn ceiling() -> float;

    /// The nearest whole number, as a float.
    fn round() -> float;

    /// The part before the point, as a float.
    fn int() -> float;

    /// The part after the point.
    fn fraction() -> float;

    /// A float as an integer; what follows the point is dropped.
    ///
    /// Errors: too large for an integer.
    fn to_int() -> int;

    /// An integer as a float: `7.to_float() / 2` is 3.5, `7 / 2` is 3.
    fn to_float() -> float;

    /// Whether the number is 0.
    fn is_zero() -> bool;

    /// Whether an integer is even.
    fn is_even() -> bool;

    /// Whether an integer is odd.
    fn is_odd() -> bool;

    /// Whether a float is not a number.
    fn is_nan() -> bool;

    /// Whether a float is finite.
    fn is_finite() -> bool;

    /// Whether a float is infinite.
    fn is_infinite() -> bool;

    /// An integer as text in hexadecimal, octal or binary.
    fn to_hex() -> text;
    fn to_octal() -> text;
    fn to_binary() -> text;

    /// The square root of a float.
    fn sqrt() -> float;

    /// *e* to this power.
    fn exp() -> float;

    /// The natural logarithm of a float.
    fn ln() -> float;

    /// The logarithm of a float to base 10, or another base.
    fn log() -> float;
    fn log(base: float) -> float;

    /// Sine, cosine, tangent and their inverses, in radians.
    fn sin() -> float;
    fn cos() -> float;
    fn tan() -> float;
    fn asin() -> float;
    fn acos() -> float;
    fn atan() -> float;

    /// Degrees as radians, and radians as degrees.
    fn to_radians() -> float;
    fn to_degrees() -> float;
}

calls! {
    MATHS: Owner::Global; ("call", "gives");

    /// The smaller of two numbers.
    fn min(a: number, b: number) -> number;

    /// The larger of two numbers.
    fn max(a: number, b: number) -> number;

    /// Text as an integer, of base 10 or another.
    ///
    /// Errors: the text is no integer.
    ///
    /// ```rhai
    /// let n = parse_int("42");
    /// ```
    fn parse_int(digits: text) -> int;
    fn parse_int(digits: text, base: int) -> int;

    /// Text as a float.
    ///
    /// Errors: the text is no number.
    fn parse_float(digits: text) -> float;

    /// π, and *e*.
    fn PI() -> float;
    fn E() -> float;
}

calls! {
    BLOBS: Owner::Type("blob"); ("of a blob", "gives");

    /// Number of bytes.
    get len -> int;
    fn len() -> int;

    /// The bytes as text; invalid UTF-8 is replaced.
    fn as_string() -> text;

    /// Array of the bytes as integers.
    fn to_array() -> array;

    /// Adds a byte, text, or another blob; returns nothing.
    fn append(value: any);

    /// A copy of a part: from a position on, of a length, or of a range.
    fn extract(start: int) -> blob;
    fn extract(start: int, length: int) -> blob;
    fn extract(range: range) -> blob;

    /// An integer or a float of a part's bytes, least significant byte first (`le`) or last (`be`).
    fn parse_le_int(start: int, length: int) -> int;
    fn parse_be_int(start: int, length: int) -> int;
    fn parse_le_float(start: int, length: int) -> float;
    fn parse_be_float(start: int, length: int) -> float;

    /// Writes a number into a part's bytes, least significant byte first (`le`) or last (`be`); returns nothing.
    fn write_le(start: int, length: int, value: number);
    fn write_be(start: int, length: int, value: number);

    /// Writes text into a part's bytes; returns nothing.
    fn write_utf8(start: int, length: int, text: text);
    fn write_ascii(start: int, length: int, text: text);
}

calls! {
    VALUES: Owner::Global; ("call", "gives");

    /// The type of a value: `"i64"`, `"f64"`, `"string"`, `"bool"`, `"array"`, `"map"`, `"()"`, `"Fn"`, …
    ///
    /// ```rhai
    /// if type_of(this.cart) != "array" { this.cart = []; }
    /// ```
    fn type_of(value: any) -> text;

    /// The value as text; `value.to_string()` is the same, and `${value}` in backticks.
    fn to_string(value: any) -> text;

    /// The value as text as `debug` prints it, with text in quotes.
    fn to_debug(value: any) -> text;

    /// A JSON object, array, text or number as a value.
    ///
    /// Errors: not JSON.
    ///
    /// ```rhai
    /// let order = parse_json("{\"id\": 7, \"items\": [1, 2]}");
    /// ```
    fn parse_json(json: text) -> any;

    /// A blob of so many bytes 0, or of another byte.
    fn blob() -> blob;
    fn blob(length: int) -> blob;
    fn blob(length: int, byte: int) -> blob;

    /// The numbers from one up to, but not including, another: `for n in range(0, 10, 2) { … }` has steps of 2.
    fn range(from: number, to: number) -> any;
    fn range(from: number, to: number, step: number) -> any;

    /// Now, for measuring: `.elapsed` is the time since then in seconds, and the difference of two is their distance.
    fn timestamp() -> any;

    /// Takes the value out of a variable, which is `()` then.
    fn take(value: any) -> any;

    /// Whether a variable of this name, or a function with so many parameters, is defined.
    fn is_def_var(name: text) -> bool;
    fn is_def_fn(name: text, parameters: int) -> bool;

    /// Whether the variable is shared with a closure.
    fn is_shared(value: any) -> bool;

    /// Ends the iteration well.
    fn exit();
    fn exit(value: any);
}

calls! {
    FUNCTIONS: Owner::Type("function"); ("of a function", "gives");

    /// Calls it with these arguments and returns its result. `value.call(function, …)` makes the value its `this`.
    ///
    /// ```rhai
    /// let double = |x| x * 2;
    /// let four = double.call(2);
    /// ```
    fn call(arguments: any) -> any;

    /// A function with the first arguments given already.
    fn curry(arguments: any) -> function;

    /// Its name.
    get name -> text;
    fn name() -> text;

    /// Whether it is a closure.
    get is_anonymous -> bool;
    fn is_anonymous() -> bool;
}

calls! {
    RANGES: Owner::Type("range"); ("of a range", "gives");

    /// `0..10` is a range without its end, `0..=10` one with it: `for n in 0..10 { … }`.
    get start -> int;
    fn start() -> int;
    get end -> int;
    fn end() -> int;

    /// Whether it contains the number.
    fn contains(number: int) -> bool;

    /// Whether it has no number.
    get is_empty -> bool;
    fn is_empty() -> bool;

    /// Whether its end belongs to it, or does not.
    get is_inclusive -> bool;
    fn is_inclusive() -> bool;
    get is_exclusive -> bool;
    fn is_exclusive() -> bool;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::metrics::Recorder;
    use crate::script::engine::new_engine;
    use crate::script::host::{Host, ScriptInputs};
    use crate::script::run_state::RunState;
    use crate::script::source::Sources;

    /// Functions of Rhai that load tests have no use for.
    const UNUSUAL: &[&str] = &[
        "acosh",
        "asinh",
        "atanh",
        "bits",
        "cosh",
        "elapsed",
        "get_bit",
        "get_bits",
        "get_fn_metadata_list",
        "hypot",
        "set_bit",
        "set_bits",
        "set_tag",
        "sinh",
        "sleep",
        "tag",
        "tanh",
    ];

    /// Part of the language: no engine lists them as functions.
    const KEYWORDS: &[&str] = &["call", "curry", "is_def_fn", "is_def_var", "is_shared", "type_of"];

    fn described() -> BTreeSet<&'static str> {
        SECTIONS.iter().flat_map(|section| section.tables).flat_map(|table| table.names()).collect()
    }

    #[test]
    fn every_function_of_rhai_is_described_and_nothing_else() {
        let mut engine = rhai::Engine::new_raw();
        rhai::packages::Package::register_into_engine(&rhai::packages::StandardPackage::new(), &mut engine);
        let names = engine.collect_fn_metadata(
            None,
            |function| {
                let name = function.metadata.name.trim_start_matches("get$").to_owned();
                rhai::is_valid_identifier(&name).then_some(name)
            },
            true,
        );
        let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let described = described();
        let missing: Vec<_> = names
            .iter()
            .filter(|name| !described.contains(**name) && !UNUSUAL.contains(name))
            .filter(|name| !["print", "debug", "format_array", "format_map"].contains(name))
            .collect();
        assert!(missing.is_empty(), "not described in src/script/reference/language.rs: {missing:?}");
        let invented: Vec<_> =
            described.iter().filter(|name| !names.contains(**name) && !KEYWORDS.contains(name)).collect();
        assert!(invented.is_empty(), "Rhai has no {invented:?}");
        assert!(described.len() > 120, "{}", described.len());
    }

    #[test]
    fn examples_run() {
        let host = Host::new(
            Recorder::new(1),
            Arc::new(RunState::default()),
            Arc::new(|_| {}),
            ScriptInputs::default(),
        );
        let engine = new_engine(&Sources::from_text("main.rhai", ""), &host);
        let mut seen = 0;
        for part in super::super::contents::all() {
            for entry in part.entries() {
                let is_of_rhai = matches!(entry.owner, Owner::Type("string" | "array" | "map" | "function"))
                    || part.name == "numbers";
                if is_of_rhai && !entry.example.is_empty() {
                    engine
                        .run(&entry.example)
                        .unwrap_or_else(|error| panic!("{error} in\n{}", entry.example));
                    seen += 1;
                }
            }
        }
        assert!(seen > 12, "{seen}");
    }
}
