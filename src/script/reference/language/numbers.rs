//! Functions of numbers.

use super::super::calls;
use super::super::tables::Owner;

calls! {
    pub(super) NUMBERS: Owner::Type("number"); ("of a number", "gives");

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
    pub(super) MATHS: Owner::Global; ("call", "gives");

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
