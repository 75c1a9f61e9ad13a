//! Functions of any value, and of functions.

use super::super::calls;
use super::super::tables::Owner;

calls! {
    pub(super) VALUES: Owner::Global; ("call", "gives");

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
    pub(super) FUNCTIONS: Owner::Type("function"); ("of a function", "gives");

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
