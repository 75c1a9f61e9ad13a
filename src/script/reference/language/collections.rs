//! Functions of arrays, maps and ranges.

use super::super::calls;
use super::super::tables::Owner;

calls! {
    pub(super) ARRAYS: Owner::Type("array"); ("of an array", "gives");

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
    pub(super) MAPS: Owner::Type("map"); ("of a map", "gives");

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
    pub(super) RANGES: Owner::Type("range"); ("of a range", "gives");

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
