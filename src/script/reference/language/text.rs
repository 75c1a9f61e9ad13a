//! Functions of strings and blobs.

use super::super::calls;
use super::super::tables::Owner;

calls! {
    pub(super) STRINGS: Owner::Type("string"); ("of a string", "gives");

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
    pub(super) BLOBS: Owner::Type("blob"); ("of a blob", "gives");

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
