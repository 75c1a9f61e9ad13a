//! `random::…`: seeded by `--seed`, a sequence of its own for each virtual user.

use std::rc::Rc;

use rand::RngExt;
use rand_distr::{Alphanumeric, Distribution, Normal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rhai::{Array, Dynamic, Engine, Map, Module};

use super::convert;
use crate::script::host::{Host, ScriptResult};

/// Longest random string.
const LONGEST: i64 = 1_000_000;

pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let mut module = Module::new();
    let h = host.clone();
    module.set_native_fn("int", move |least: i64, most: i64| -> ScriptResult<i64> {
        if least > most {
            return Err(format!("random::int({least}, {most}): the smaller number comes first").into());
        }
        Ok(with_rng(&h, |rng| rng.random_range(least..=most)))
    });
    let h = host.clone();
    module.set_native_fn("float", move |least: Dynamic, most: Dynamic| -> ScriptResult<f64> {
        let number = |value: &Dynamic| {
            convert::number(value).ok_or_else(|| convert::expected("random::float", "a number", value))
        };
        let (least, most) = (number(&least)?, number(&most)?);
        if !(least.is_finite() && most.is_finite() && least <= most) {
            return Err(format!("random::float({least}, {most}): the smaller number comes first").into());
        }
        Ok(if least == most { least } else { with_rng(&h, |rng| rng.random_range(least..most)) })
    });
    let h = host.clone();
    module.set_native_fn("pick", move |array: Array| -> ScriptResult<Dynamic> {
        if array.is_empty() {
            return Err("random::pick: the array is empty".into());
        }
        Ok(array[with_rng(&h, |rng| rng.random_range(0..array.len()))].clone())
    });
    let h = host.clone();
    module.set_native_fn("weighted", move |weights: Map| weighted(&h, &weights));
    let h = host.clone();
    module.set_native_fn("string", move |length: i64| -> ScriptResult<String> {
        if !(0..=LONGEST).contains(&length) {
            return Err(format!("random::string({length}): the length must be 0 to {LONGEST}").into());
        }
        Ok(with_rng(&h, |rng| (0..length).map(|_| char::from(Alphanumeric.sample(rng))).collect()))
    });
    let h = host.clone();
    module.set_native_fn("uuid", move || -> ScriptResult<String> { Ok(with_rng(&h, uuid)) });
    let h = host.clone();
    module.set_native_fn("normal", move |mean: Dynamic, deviation: Dynamic| -> ScriptResult<f64> {
        let number = |value: &Dynamic| {
            convert::number(value).ok_or_else(|| convert::expected("random::normal", "a number", value))
        };
        let (mean, deviation) = (number(&mean)?, number(&deviation)?);
        match Normal::new(mean, deviation) {
            Ok(normal) if deviation >= 0.0 => Ok(with_rng(&h, |rng| normal.sample(rng))),
            _ => {
                Err(format!("random::normal: the standard deviation is {deviation}; it must be 0 or more")
                    .into())
            }
        }
    });
    engine.register_static_module("random", module.into());
}

fn with_rng<T>(host: &Rc<Host>, draw: impl FnOnce(&mut Xoshiro256PlusPlus) -> T) -> T {
    match host.current() {
        Some(vu) => draw(&mut vu.rng.borrow_mut()),
        None => draw(&mut host.load_rng.borrow_mut()),
    }
}

fn weighted(host: &Rc<Host>, weights: &Map) -> ScriptResult<String> {
    let mut shares = Vec::with_capacity(weights.len());
    for (name, weight) in weights {
        match convert::number(weight) {
            Some(weight) if weight.is_finite() && weight >= 0.0 => shares.push((name, weight)),
            _ => {
                return Err(convert::expected(
                    &format!("random::weighted: {name}"),
                    "a weight of 0 or more",
                    weight,
                )
                .into());
            }
        }
    }
    let sum: f64 = shares.iter().map(|(_, weight)| weight).sum();
    if sum <= 0.0 {
        return Err("random::weighted: all weights are 0".into());
    }
    let mut left = with_rng(host, |rng| rng.random_range(0.0..sum));
    for (name, weight) in &shares {
        left -= weight;
        if left < 0.0 {
            return Ok(name.to_string());
        }
    }
    // Rounding may leave a hair over the last share: then it is the last one that has any.
    Ok(shares
        .iter()
        .rev()
        .find(|(_, weight)| *weight > 0.0)
        .map_or(String::new(), |(name, _)| name.to_string()))
}

/// A random (version 4) UUID, RFC 9562 section 5.4.
fn uuid(rng: &mut Xoshiro256PlusPlus) -> String {
    let bits = rng.random::<u128>() & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        bits >> 96,
        (bits >> 80) & 0xffff,
        (bits >> 64) & 0xffff,
        (bits >> 48) & 0xffff,
        bits & 0xffff_ffff_ffff
    )
}
