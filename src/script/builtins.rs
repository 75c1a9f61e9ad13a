//! Functions of Rhai's own library that a script could keep its thread busy or fill the memory with: here they have
//! a bound, give others their turn, and never panic. They do what Rhai's do otherwise.
//!
//! Owns the limits of a single call. Leaves what an iteration may hold altogether to the host.

use std::cmp::Ordering;
use std::rc::Rc;

use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, NativeCallContext};

use super::ending::ScriptResult;
use super::host::Host;

/// Longest text or blob that one call makes of a short one, in bytes.
const LONGEST: usize = 256 << 20;

/// Most elements of an array that one call makes.
const MOST_ELEMENTS: usize = 16 << 20;

/// Registered after Rhai's packages, so these are found first.
pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    register_padding(engine, host);
    register_replacing(engine, host);
    register_splitting(engine);
    register_sorting(engine, host);
    engine.register_fn("for_each", for_each);
}

/// With a parameter, a closure gets the element, and a second one its position, as for all other functions of arrays;
/// `this` stays that of the closure. Rhai would give it the position. Without one, `this` is the element.
fn for_each(context: NativeCallContext, array: &mut Array, action: FnPtr) -> ScriptResult<()> {
    for (at, element) in array.iter_mut().enumerate() {
        match action.call_raw(&context, Some(element), []) {
            Err(error) if is_unknown(&error, action.fn_name()) => {
                let index = i64::try_from(at).unwrap_or(i64::MAX).into();
                let args = [element.flatten_clone()];
                drop(action.call_raw_with_extra_args("for_each", &context, None, args, [index], None)?);
            }
            called => drop(called?),
        }
    }
    Ok(())
}

/// Whether a call failed because no function of this name takes so many arguments.
fn is_unknown(error: &EvalAltResult, name: &str) -> bool {
    matches!(error, EvalAltResult::ErrorFunctionNotFound(signature, _) if signature.starts_with(name))
}

fn register_padding(engine: &mut Engine, host: &Rc<Host>) {
    engine.register_fn("pad", |text: &mut ImmutableString, length: i64, with: char| {
        pad_text(text, length, with.encode_utf8(&mut [0; 4]))
    });
    engine.register_fn("pad", |text: &mut ImmutableString, length: i64, with: ImmutableString| {
        pad_text(text, length, &with)
    });
    engine.register_fn("pad", |blob: &mut Blob, length: i64, value: i64| -> ScriptResult<()> {
        let length = bounded("pad", "bytes", length, LONGEST)?;
        if length > blob.len() {
            blob.resize(length, byte(value));
        }
        Ok(())
    });
    engine.register_fn("blob", |length: i64| -> ScriptResult<Blob> {
        Ok(vec![0; bounded("blob", "bytes", length, LONGEST)?])
    });
    engine.register_fn("blob", |length: i64, value: i64| -> ScriptResult<Blob> {
        Ok(vec![byte(value); bounded("blob", "bytes", length, LONGEST)?])
    });
    let h = host.clone();
    engine.register_fn("pad", move |array: &mut Array, length: i64, value: Dynamic| -> ScriptResult<()> {
        let length = bounded("pad", "elements", length, MOST_ELEMENTS)?;
        while array.len() < length {
            // A copy may be large.
            h.step()?;
            array.push(value.clone());
        }
        Ok(())
    });
}

fn byte(value: i64) -> u8 {
    value.to_le_bytes()[0]
}

/// A length that a script asks for; a negative one is 0.
fn bounded(function: &str, unit: &str, length: i64, most: usize) -> ScriptResult<usize> {
    let wanted = usize::try_from(length.max(0)).unwrap_or(usize::MAX);
    if wanted > most {
        return Err(format!("{function}: {length} {unit} are too many; the maximum is {most}").into());
    }
    Ok(wanted)
}

/// An empty padding adds nothing.
fn pad_text(text: &mut ImmutableString, length: i64, with: &str) -> ScriptResult<()> {
    let length = bounded("pad", "characters", length, LONGEST)?;
    let missing = length.saturating_sub(text.chars().count());
    if missing == 0 || with.is_empty() {
        return Ok(());
    }
    let times = missing / with.chars().count();
    if with.len().saturating_mul(times + 1) > LONGEST {
        return Err(format!("pad: the text would be longer than {LONGEST} bytes").into());
    }
    let padded = text.make_mut();
    padded.push_str(&with.repeat(times));
    padded.extend(with.chars().take(missing - times * with.chars().count()));
    Ok(())
}

fn register_replacing(engine: &mut Engine, host: &Rc<Host>) {
    let h = host.clone();
    engine.register_fn(
        "replace",
        move |text: &mut ImmutableString, find: ImmutableString, with: ImmutableString| {
            replace(&h, text, &find, &with)
        },
    );
    let h = host.clone();
    engine.register_fn("replace", move |text: &mut ImmutableString, find: ImmutableString, with: char| {
        replace(&h, text, &find, with.encode_utf8(&mut [0; 4]))
    });
    let h = host.clone();
    engine.register_fn("replace", move |text: &mut ImmutableString, find: char, with: ImmutableString| {
        replace(&h, text, find.encode_utf8(&mut [0; 4]), &with)
    });
    let h = host.clone();
    engine.register_fn("replace", move |text: &mut ImmutableString, find: char, with: char| {
        replace(&h, text, find.encode_utf8(&mut [0; 4]), with.encode_utf8(&mut [0; 4]))
    });
}

/// A short text that stands often, replaced by a long one, makes a very long one.
fn replace(host: &Rc<Host>, text: &mut ImmutableString, find: &str, with: &str) -> ScriptResult<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut replaced = String::new();
    let mut done = 0;
    for (place, _) in text.match_indices(find) {
        replaced.push_str(&text[done..place]);
        replaced.push_str(with);
        done = place + find.len();
        if with.len() > find.len() && replaced.len() > LONGEST {
            return Err(format!("replace: the text would be longer than {LONGEST} bytes").into());
        }
        host.step()?;
    }
    replaced.push_str(&text[done..]);
    *text = replaced.into();
    Ok(())
}

/// An array takes about forty times the memory of a text of as many characters.
fn register_splitting(engine: &mut Engine) {
    fn few(function: &str, text: &str) -> ScriptResult<()> {
        match text.len() {
            length if length > MOST_ELEMENTS => Err(format!(
                "{function}: the text has {length} bytes, too many for an array of its parts; the maximum is \
                 {MOST_ELEMENTS}"
            )
            .into()),
            _ => Ok(()),
        }
    }
    fn parts<'a>(parts: impl Iterator<Item = &'a str>) -> Array {
        parts.map(|part| part.into()).collect()
    }
    engine.register_fn("to_chars", |text: &mut ImmutableString| -> ScriptResult<Array> {
        few("to_chars", text)?;
        Ok(text.chars().map(Dynamic::from).collect())
    });
    engine.register_fn("split", |text: &mut ImmutableString| -> ScriptResult<Array> {
        few("split", text)?;
        Ok(parts(text.split_whitespace()))
    });
    engine.register_fn("split", |text: &mut ImmutableString, at: ImmutableString| -> ScriptResult<Array> {
        few("split", text)?;
        Ok(parts(text.split(at.as_str())))
    });
    engine.register_fn("split", |text: &mut ImmutableString, at: char| -> ScriptResult<Array> {
        few("split", text)?;
        Ok(parts(text.split(at)))
    });
    engine.register_fn("to_array", |blob: &mut Blob| -> ScriptResult<Array> {
        bounded("to_array", "bytes", i64::try_from(blob.len()).unwrap_or(i64::MAX), MOST_ELEMENTS)?;
        Ok(blob.iter().map(|&byte| i64::from(byte).into()).collect())
    });
}

fn register_sorting(engine: &mut Engine, host: &Rc<Host>) {
    for name in ["sort", "sort_by"] {
        let h = host.clone();
        engine.register_fn(name, move |context: NativeCallContext, array: &mut Array, by: FnPtr| {
            sort_by(&h, &context, array, &by)
        });
    }
    for name in ["order", "order_by"] {
        let h = host.clone();
        engine.register_fn(name, move |context: NativeCallContext, array: &mut Array, by: FnPtr| {
            let mut array = array.clone();
            sort_by(&h, &context, &mut array, &by).map(|()| array)
        });
    }
    for (sort, order, is_descending) in [("sort", "order", false), ("sort_desc", "order_desc", true)] {
        let h = host.clone();
        engine.register_fn(sort, move |array: &mut Array| sort_naturally(&h, array, is_descending));
        let h = host.clone();
        engine.register_fn(order, move |array: &mut Array| {
            let mut array = array.clone();
            sort_naturally(&h, &mut array, is_descending).map(|()| array)
        });
    }
}

fn sort_by(host: &Rc<Host>, context: &NativeCallContext, array: &mut Array, by: &FnPtr) -> ScriptResult<()> {
    sort(host, array, |a, b| {
        let order = by.call_raw(context, None, [a.clone(), b.clone()])?;
        match (order.as_int(), order.as_bool()) {
            (Ok(order), _) => Ok(order.cmp(&0)),
            (_, Ok(true)) => Ok(Ordering::Less),
            (_, Ok(false)) => Ok(Ordering::Greater),
            _ => Err(format!(
                "sort: the function returned {order}; it must return a whole number (below 0, 0 or above 0), or true \
                 when the first is to stand before the second"
            )
            .into()),
        }
    })
}

fn sort_naturally(host: &Rc<Host>, array: &mut Array, is_descending: bool) -> ScriptResult<()> {
    let Some(first) = array.first() else { return Ok(()) };
    let kind = first.type_id();
    if array.iter().any(|value| value.type_id() != kind) {
        return Err("sort: elements of different types have no order; give sort a function: \
                    array.sort(|a, b| a.key - b.key)"
            .into());
    }
    let in_order = |a: &Dynamic, b: &Dynamic| -> ScriptResult<Ordering> {
        if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
            return Ok(a.cmp(&b));
        }
        if let (Ok(a), Ok(b)) = (a.as_float(), b.as_float()) {
            return Ok(a.total_cmp(&b));
        }
        if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
            return Ok(a.as_str().cmp(b.as_str()));
        }
        if let (Ok(a), Ok(b)) = (a.as_char(), b.as_char()) {
            return Ok(a.cmp(&b));
        }
        if let (Ok(a), Ok(b)) = (a.as_bool(), b.as_bool()) {
            return Ok(a.cmp(&b));
        }
        if a.is_unit() && b.is_unit() {
            return Ok(Ordering::Equal);
        }
        Err(format!(
            "sort: values of type {} have no order; give sort a function: array.sort(|a, b| a.key - b.key)",
            a.type_name()
        )
        .into())
    };
    match is_descending {
        false => sort(host, array, in_order),
        true => sort(host, array, |a, b| in_order(a, b).map(Ordering::reverse)),
    }
}

/// Sorts by merging, which keeps the order of equals. A comparison without a consistent order gives some order; one
/// that fails leaves the array as it is.
fn sort(
    host: &Rc<Host>,
    array: &mut Array,
    mut compare: impl FnMut(&Dynamic, &Dynamic) -> ScriptResult<Ordering>,
) -> ScriptResult<()> {
    let mut places: Vec<usize> = (0..array.len()).collect();
    let mut merged = Vec::with_capacity(places.len());
    let mut width = 1;
    while width < places.len() {
        merged.clear();
        for run in places.chunks(2 * width) {
            let (mut left, mut right) = run.split_at(width.min(run.len()));
            while let ([a, more_left @ ..], [b, more_right @ ..]) = (left, right) {
                host.step()?;
                if compare(&array[*a], &array[*b])? == Ordering::Greater {
                    merged.push(*b);
                    right = more_right;
                } else {
                    merged.push(*a);
                    left = more_left;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        std::mem::swap(&mut places, &mut merged);
        width *= 2;
    }
    let mut unsorted = std::mem::take(array);
    array.extend(places.into_iter().map(|place| std::mem::take(&mut unsorted[place])));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metrics::Recorder;
    use crate::script::engine::new_engine;
    use crate::script::host::ScriptInputs;
    use crate::script::run_state::RunState;
    use crate::script::source::Sources;

    fn eval(script: &str) -> Result<String, String> {
        let run = Arc::new(RunState::default());
        let host = Host::new(Recorder::new(1), run, Arc::new(|_| {}), ScriptInputs::default());
        let engine = new_engine(&Sources::from_text("main.rhai", ""), &host);
        engine.eval::<Dynamic>(script).map(|value| value.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn padding_is_as_rhai_has_it_and_comes_to_an_end() {
        assert_eq!(eval(r#"let t = "ä"; t.pad(4, '-'); t"#).unwrap(), "ä---");
        assert_eq!(eval(r#"let t = "a"; t.pad(6, "xyz"); t"#).unwrap(), "axyzxy");
        assert_eq!(eval(r#"let t = "abc"; t.pad(2, "x"); t"#).unwrap(), "abc");
        assert_eq!(eval(r#"let t = "a"; t.pad(5, ""); t"#).unwrap(), "a");
        assert_eq!(eval("let a = [1]; a.pad(3, 7); a").unwrap(), "[1, 7, 7]");
        assert_eq!(eval("let b = blob(1, 7); b.pad(3, 258); b.to_array()").unwrap(), "[7, 2, 2]");
        assert_eq!(eval("blob(-1).len").unwrap(), "0");
        for endless in [
            r#"let t = "a"; t.pad(9223372036854775807, 'x')"#,
            r#"let t = "a"; t.pad(9223372036854775807, "xy")"#,
            r#"let w = "x"; w.pad(200000000, 'x'); let t = ""; t.pad(200000001, w)"#,
            "let a = []; a.pad(9223372036854775807, 0)",
            "let b = blob(1); b.pad(9223372036854775807, 0)",
            "blob(9223372036854775807)",
            "blob(9223372036854775807, 1)",
        ] {
            let error = eval(endless).unwrap_err();
            assert!(error.contains("maximum") || error.contains("would be longer"), "{endless}: {error}");
        }
    }

    #[test]
    fn replacing_and_splitting_are_as_rhai_has_them() {
        assert_eq!(eval(r#"let t = "a-b-c"; t.replace("-", "::"); t"#).unwrap(), "a::b::c");
        assert_eq!(eval(r#"let t = "a-b"; t.replace('-', '+'); t"#).unwrap(), "a+b");
        assert_eq!(eval(r#"let t = "ab"; t.replace("", "."); t"#).unwrap(), ".a.b.");
        assert_eq!(eval(r#"" a  b ".split().to_string()"#).unwrap(), r#"["a", "b"]"#);
        assert_eq!(eval(r#""a,b".split(",").to_string()"#).unwrap(), r#"["a", "b"]"#);
        assert_eq!(eval(r#""a,b".split(',', 2).to_string()"#).unwrap(), r#"["a", "b"]"#);
        assert_eq!(eval(r#""äb".to_chars().to_string()"#).unwrap(), "[ä, b]");
        let error = eval(
            r#"let t = ""; t.pad(100000, 'a'); let w = ""; w.pad(100000, 'w'); t.replace("a", w); t.len"#,
        );
        assert!(error.unwrap_err().contains("would be longer"));
        let error = eval(r#"let t = ""; t.pad(20000000, 'a'); t.split("")"#).unwrap_err();
        assert!(error.contains("too many for an array"), "{error}");
    }

    #[test]
    fn for_each_gives_the_element_or_has_it_as_this() {
        assert_eq!(eval("let s = 0; [3, 4].for_each(|x| s += x); s").unwrap(), "7");
        assert_eq!(eval("let s = 0; [3, 4].for_each(|x, at| s += x * at); s").unwrap(), "4");
        assert_eq!(eval("let a = [3, 4]; a.for_each(|| this *= 2); a").unwrap(), "[6, 8]");
        assert!(eval("[1].for_each(|x| nosuch(x))").unwrap_err().contains("nosuch"));
        assert!(eval("[1].for_each(|x, y, z| x)").unwrap_err().contains("not found"));
    }

    #[test]
    fn sorting_is_as_rhai_has_it() {
        assert_eq!(eval("let a = [3, 1, 2]; a.sort(); a").unwrap(), "[1, 2, 3]");
        assert_eq!(eval("let a = [3, 1, 2]; a.sort_desc(); a").unwrap(), "[3, 2, 1]");
        assert_eq!(eval(r#"["b", "a"].order()"#).unwrap(), r#"["a", "b"]"#);
        assert_eq!(eval("[1.5, 0.0/0.0, -1.0].order_desc().len").unwrap(), "3");
        assert_eq!(eval("let a = [1, 2, 3, 4, 5]; a.sort(|a, b| b - a); a").unwrap(), "[5, 4, 3, 2, 1]");
        assert_eq!(eval("[2, 3, 1].order(|a, b| a < b)").unwrap(), "[1, 2, 3]");
        assert_eq!(eval("[].order()").unwrap(), "[]");
        assert_eq!(
            eval("let a = [[1, 0], [0, 1], [1, 2], [0, 3]]; a.sort(|a, b| a[0] - b[0]); a").unwrap(),
            "[[0, 1], [0, 3], [1, 0], [1, 2]]",
            "equals keep their order"
        );
        assert!(eval(r#"[1, "a"].order()"#).unwrap_err().contains("different types"));
        assert!(eval("[#{}, #{}].order()").unwrap_err().contains("have no order"));
    }

    #[test]
    fn a_comparison_without_an_order_does_not_panic_and_one_that_fails_is_told() {
        let many = "let a = []; for i in 0..500 { a.push((i * 7919) % 503); }";
        for nonsense in ["|a, b| 1", "|a, b| -1", "|a, b| true", "|a, b| (a * 31 + b * 17) % 3 - 1"] {
            assert_eq!(eval(&format!("{many} a.sort({nonsense}); a.len")).unwrap(), "500", "{nonsense}");
        }
        let error = eval(&format!("{many} a.sort(|a, b| throw \"no\")")).unwrap_err();
        assert!(error.contains("no"), "{error}");
        let error = eval("[1, 2].order(|a, b| \"x\")").unwrap_err();
        assert!(error.contains("must return a whole number"), "{error}");
        let error = eval(
            "let a = [0.0/0.0, 1.0]; for i in 0..100 { a.push(i * 1.5); a.push(0.0/0.0); } a.sort(); a.len",
        );
        assert_eq!(error.unwrap(), "202");
    }
}
