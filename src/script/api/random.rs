//! `random::…`: seeded by `--seed`, a sequence of its own for each virtual user.

use std::rc::Rc;

use rand::RngExt;
use rand::distr::weighted::{Error, WeightedIndex};
use rand_distr::{Alphanumeric, Distribution, Normal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rhai::{Array, Dynamic, Engine, Map, Module, NativeCallContext};

use super::{convert, placed};
use crate::script::ending::ScriptResult;
use crate::script::host::Host;
use crate::script::reference::{Owner, Section, calls};

/// Longest random string.
const LONGEST: i64 = 1_000_000;

pub(super) const SECTION: Section = Section {
    name: "random",
    title: "`random`",
    is_part: false,
    about: "random values, seeded by `--seed`",
    intro: "Seeded by `--seed`; each VU has its own sequence, and so does the top level.",
    tables: &[CALLS],
    notes: "",
};

calls! {
    CALLS: Owner::Module("random"); ("call", "gives");

    /// An integer from `least` to `most`, both included.
    ///
    /// Errors: `least` above `most`.
    fn int(least: int, most: int) -> int;

    /// A number from `least` up to, but not including, `most`.
    ///
    /// Errors: `least` above `most`.
    fn float(least: number, most: number) -> float;

    /// A random element.
    ///
    /// Errors: the array is empty.
    fn pick(array: array) -> any;

    /// `count` elements of the array, each at most once, in random order.
    ///
    /// Errors: a negative count; more than the array has.
    ///
    /// ```rhai
    /// let three = random::sample(["a", "b", "c", "d"], 3);
    /// ```
    fn sample(array: array, count: int) -> array;

    /// A random key of a map such as `#{ a: 3, b: 1 }`, by weight.
    ///
    /// Errors: a negative weight; all weights are 0.
    ///
    /// ```rhai
    /// let shop = random::weighted(#{ north: 3, south: 1 });
    /// ```
    fn weighted(weights: map) -> text;

    /// A string of `length` random letters and digits.
    ///
    /// Errors: longer than 1,000,000.
    fn string(length: int) -> text;

    /// A random UUID (version 4).
    fn uuid() -> text;

    /// A normally distributed number.
    ///
    /// Errors: a negative deviation.
    fn normal(mean: number, deviation: number) -> float;
}

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let mut module = Module::new();
    let h = host.clone();
    module.set_native_fn("int", move |context: NativeCallContext, least: i64, most: i64| {
        placed(&context, int(&h, least, most))
    });
    let h = host.clone();
    module.set_native_fn("float", move |context: NativeCallContext, least: Dynamic, most: Dynamic| {
        placed(&context, float(&h, &least, &most))
    });
    let h = host.clone();
    module.set_native_fn("pick", move |context: NativeCallContext, array: Array| {
        placed(&context, pick(&h, &array))
    });
    let h = host.clone();
    module.set_native_fn("sample", move |context: NativeCallContext, array: Array, count: i64| {
        placed(&context, sample(&h, array, count))
    });
    let h = host.clone();
    module.set_native_fn("weighted", move |context: NativeCallContext, weights: Map| {
        placed(&context, weighted(&h, &weights))
    });
    let h = host.clone();
    module.set_native_fn("string", move |context: NativeCallContext, length: i64| {
        placed(&context, string(&h, length))
    });
    let h = host.clone();
    module.set_native_fn("uuid", move || -> ScriptResult<String> { Ok(with_rng(&h, uuid)) });
    let h = host.clone();
    module.set_native_fn("normal", move |context: NativeCallContext, mean: Dynamic, deviation: Dynamic| {
        placed(&context, normal(&h, &mean, &deviation))
    });
    engine.register_static_module("random", module.into());
}

/// Draws from the sequence of the running virtual user, or of the top level.
pub(super) fn with_rng<T>(host: &Rc<Host>, draw: impl FnOnce(&mut Xoshiro256PlusPlus) -> T) -> T {
    match host.current() {
        Some(vu) => draw(&mut vu.rng.borrow_mut()),
        None => draw(&mut host.load_rng.borrow_mut()),
    }
}

fn int(host: &Rc<Host>, least: i64, most: i64) -> ScriptResult<i64> {
    if least > most {
        return Err(format!("random::int({least}, {most}): the smaller number comes first").into());
    }
    Ok(with_rng(host, |rng| rng.random_range(least..=most)))
}

fn float(host: &Rc<Host>, least: &Dynamic, most: &Dynamic) -> ScriptResult<f64> {
    let (least, most) = (number("random::float", least)?, number("random::float", most)?);
    if !(least.is_finite() && most.is_finite() && least <= most) {
        return Err(format!("random::float({least}, {most}): the smaller number comes first").into());
    }
    Ok(with_rng(host, |rng| {
        if least == most {
            least
        } else if (most - least).is_finite() {
            rng.random_range(least..most)
        } else {
            // Their distance is not a number any more.
            let share: f64 = rng.random();
            least * (1.0 - share) + most * share
        }
    }))
}

fn pick(host: &Rc<Host>, array: &Array) -> ScriptResult<Dynamic> {
    if array.is_empty() {
        return Err("random::pick: the array is empty".into());
    }
    Ok(array[with_rng(host, |rng| rng.random_range(0..array.len()))].clone())
}

fn sample(host: &Rc<Host>, mut array: Array, count: i64) -> ScriptResult<Array> {
    let few = usize::try_from(count).ok().filter(|few| *few <= array.len());
    let Some(few) = few else {
        return Err(format!(
            "random::sample: {count} elements of an array of {length}; the count must be 0 to {length}",
            length = array.len()
        )
        .into());
    };
    with_rng(host, |rng| {
        for place in 0..few {
            let drawn = rng.random_range(place..array.len());
            array.swap(place, drawn);
        }
    });
    array.truncate(few);
    Ok(array)
}

fn string(host: &Rc<Host>, length: i64) -> ScriptResult<String> {
    if !(0..=LONGEST).contains(&length) {
        return Err(format!("random::string({length}): the length must be 0 to {LONGEST}").into());
    }
    Ok(with_rng(host, |rng| (0..length).map(|_| char::from(Alphanumeric.sample(rng))).collect()))
}

fn normal(host: &Rc<Host>, mean: &Dynamic, deviation: &Dynamic) -> ScriptResult<f64> {
    let (mean, deviation) = (number("random::normal", mean)?, number("random::normal", deviation)?);
    match Normal::new(mean, deviation) {
        Ok(normal) if deviation >= 0.0 => Ok(with_rng(host, |rng| normal.sample(rng))),
        _ => {
            Err(format!("random::normal: the standard deviation is {deviation}; it must be 0 or more").into())
        }
    }
}

fn number(function: &str, value: &Dynamic) -> Result<f64, String> {
    convert::number(value).ok_or_else(|| convert::expected(function, "a number", value))
}

fn weighted(host: &Rc<Host>, weights: &Map) -> ScriptResult<String> {
    let mut shares = Vec::with_capacity(weights.len());
    for (name, weight) in weights {
        let share = convert::number(weight).filter(|share| share.is_finite() && *share >= 0.0);
        shares.push(share.ok_or_else(|| {
            convert::expected(&format!("random::weighted: {name}"), "a weight of 0 or more", weight)
        })?);
    }
    // The sum of the largest numbers is not a number any more.
    let largest = shares.iter().copied().fold(0.0, f64::max);
    let scale = if largest > 1e300 { largest } else { 1.0 };
    let shares =
        WeightedIndex::new(shares.into_iter().map(|share| share / scale)).map_err(|error| match error {
            Error::Overflow => "random::weighted: the sum of the weights is too large",
            _ => "random::weighted: all weights are 0",
        })?;
    let drawn = with_rng(host, |rng| shares.sample(rng));
    Ok(weights.keys().nth(drawn).map_or_else(String::new, ToString::to_string))
}

/// A UUID of version 4.
fn uuid(rng: &mut Xoshiro256PlusPlus) -> String {
    uuid::Builder::from_random_bytes(rng.random::<u128>().to_be_bytes()).into_uuid().to_string()
}
