//! A cache of compiled selectors and patterns.
//!
//! Invariant: bounded. If a script keeps creating new texts, the cache starts over instead of growing.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// How many texts are remembered.
const CAPACITY: usize = 256;

/// Longest text that is remembered, in bytes: nobody writes a longer one by hand.
const LONGEST: usize = 4096;

/// Values made from texts, which are made once.
pub(super) struct Bounded<T>(RefCell<HashMap<Box<str>, Rc<T>>>);

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Bounded(RefCell::default())
    }
}

impl<T> Bounded<T> {
    /// The value of this text, made now if it is new. What cannot be made is not remembered.
    pub(super) fn get(
        &self,
        text: &str,
        make: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Rc<T>, String> {
        if let Some(known) = self.0.borrow().get(text) {
            return Ok(known.clone());
        }
        let made = Rc::new(make(text)?);
        if text.len() > LONGEST {
            return Ok(made);
        }
        let mut known = self.0.borrow_mut();
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(text.into(), made.clone());
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_made_once_and_few_are_kept() {
        let cache = Bounded::<usize>::default();
        assert_eq!(*cache.get("ab", |text| Ok(text.len())).unwrap(), 2);
        assert_eq!(*cache.get("ab", |_| Err("made again".into())).unwrap(), 2);
        assert_eq!(cache.get("bad", |_| Err("no".into())), Err("no".to_owned()));
        for number in 0..10 * CAPACITY {
            cache.get(&number.to_string(), |_| Ok(number)).unwrap();
        }
        assert!(cache.0.borrow().len() <= CAPACITY);
    }
}
