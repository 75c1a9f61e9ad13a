//! Numbers, texts and names as bytes, and back.
//!
//! Invariants: a number has one form; a reader never gets past its end, and reserves no memory because of a length that
//! it was told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::error::WireError;

/// Gives a name its number; `None` for one that is to be written out.
pub(super) type Number<'a> = dyn FnMut(&Arc<str>) -> Option<usize> + 'a;

/// Most elements for which memory is reserved before they have been read.
const RESERVED: usize = 64;

/// What is being written.
pub(super) struct Writer<'a> {
    pub(super) bytes: Vec<u8>,
    number: &'a mut Number<'a>,
}

/// What is left to be read, and the names by their numbers.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    names: &'a [Arc<str>],
}

/// What has a form on the wire.
pub(super) trait Wire: Sized {
    fn write(&self, to: &mut Writer<'_>);
    fn read(from: &mut Reader<'_>) -> Result<Self, WireError>;
}

/// The form of a struct: its fields, in this order. One that is missing here does not compile.
macro_rules! fields {
    ($($type:ty { $($field:ident),+ })+) => {$(
        impl Wire for $type {
            fn write(&self, to: &mut Writer<'_>) {
                let Self { $($field),+ } = self;
                $($field.write(to);)+
            }

            fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
                Ok(Self { $($field: Wire::read(from)?),+ })
            }
        }
    )+};
}
pub(super) use fields;

impl<'a> Writer<'a> {
    pub(super) fn new(number: &'a mut Number<'a>) -> Writer<'a> {
        Writer { bytes: Vec::new(), number }
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }
}

/// Appends a number as LEB128.
pub(super) fn write_number(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// Appends a text after its length.
pub(super) fn write_text(to: &mut Vec<u8>, text: &str) {
    write_number(to, text.len() as u64);
    to.extend_from_slice(text.as_bytes());
}

impl<'a> Reader<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Reader<'a> {
        Reader { rest, names: &[] }
    }

    /// Reads names by their numbers from now on.
    pub(super) fn with_names(self, names: &'a [Arc<str>]) -> Reader<'a> {
        Reader { names, ..self }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn byte(&mut self) -> Result<u8, WireError> {
        let (&byte, rest) = self.rest.split_first().ok_or(WireError::CutOff)?;
        self.rest = rest;
        Ok(byte)
    }

    pub(super) fn number(&mut self) -> Result<u64, WireError> {
        let mut number = 0;
        for at in 0..10 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                // The tenth byte has one bit; a last byte of 0 is a longer form of a shorter number.
                let fits = (at < 9 || byte <= 1) && (at == 0 || byte != 0);
                return if fits { Ok(number) } else { Err(WireError::Damaged("a number in a wrong form")) };
            }
        }
        Err(WireError::Damaged("a number in a wrong form"))
    }

    /// A number of things of which each takes a byte at least.
    pub(super) fn length(&mut self) -> Result<usize, WireError> {
        let length = self.number()?;
        usize::try_from(length).ok().filter(|length| *length <= self.rest.len()).ok_or(WireError::CutOff)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(WireError::CutOff)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, WireError> {
        let length = self.length()?;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| WireError::Damaged("a text that is no UTF-8"))
    }
}

impl Wire for u64 {
    fn write(&self, to: &mut Writer<'_>) {
        write_number(&mut to.bytes, *self);
    }

    fn read(from: &mut Reader<'_>) -> Result<u64, WireError> {
        from.number()
    }
}

impl Wire for usize {
    fn write(&self, to: &mut Writer<'_>) {
        write_number(&mut to.bytes, *self as u64);
    }

    fn read(from: &mut Reader<'_>) -> Result<usize, WireError> {
        usize::try_from(from.number()?).map_err(|_| WireError::Damaged("a number that is too large"))
    }
}

impl Wire for u16 {
    fn write(&self, to: &mut Writer<'_>) {
        write_number(&mut to.bytes, u64::from(*self));
    }

    fn read(from: &mut Reader<'_>) -> Result<u16, WireError> {
        u16::try_from(from.number()?).map_err(|_| WireError::Damaged("a number that is too large"))
    }
}

impl Wire for i8 {
    fn write(&self, to: &mut Writer<'_>) {
        to.byte(self.cast_unsigned());
    }

    fn read(from: &mut Reader<'_>) -> Result<i8, WireError> {
        Ok(from.byte()?.cast_signed())
    }
}

impl Wire for bool {
    fn write(&self, to: &mut Writer<'_>) {
        to.byte(u8::from(*self));
    }

    fn read(from: &mut Reader<'_>) -> Result<bool, WireError> {
        match from.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(WireError::Damaged("a yes or no that is neither")),
        }
    }
}

/// Its bits, so that it is the same number.
impl Wire for f64 {
    fn write(&self, to: &mut Writer<'_>) {
        to.bytes.extend_from_slice(&self.to_le_bytes());
    }

    fn read(from: &mut Reader<'_>) -> Result<f64, WireError> {
        let bytes = from.bytes(8)?.first_chunk().ok_or(WireError::CutOff)?;
        Ok(f64::from_le_bytes(*bytes))
    }
}

/// Nanoseconds; what is longer than 584 years is as long as that.
impl Wire for Duration {
    fn write(&self, to: &mut Writer<'_>) {
        write_number(&mut to.bytes, u64::try_from(self.as_nanos()).unwrap_or(u64::MAX));
    }

    fn read(from: &mut Reader<'_>) -> Result<Duration, WireError> {
        Ok(Duration::from_nanos(from.number()?))
    }
}

/// Whether it is before 1970, and nanoseconds from there.
impl Wire for SystemTime {
    fn write(&self, to: &mut Writer<'_>) {
        let since = self.duration_since(SystemTime::UNIX_EPOCH);
        since.is_err().write(to);
        since.unwrap_or_else(|before| before.duration()).write(to);
    }

    fn read(from: &mut Reader<'_>) -> Result<SystemTime, WireError> {
        let (is_before, since) = (bool::read(from)?, Duration::read(from)?);
        let epoch = SystemTime::UNIX_EPOCH;
        let time = if is_before { epoch.checked_sub(since) } else { epoch.checked_add(since) };
        time.ok_or(WireError::Damaged("a time that no clock shows"))
    }
}

impl Wire for String {
    fn write(&self, to: &mut Writer<'_>) {
        write_text(&mut to.bytes, self);
    }

    fn read(from: &mut Reader<'_>) -> Result<String, WireError> {
        Ok(from.text()?.to_owned())
    }
}

/// A name: one more than its number, or 0 and the text.
impl Wire for Arc<str> {
    fn write(&self, to: &mut Writer<'_>) {
        match (to.number)(self) {
            Some(number) => write_number(&mut to.bytes, number as u64 + 1),
            None => {
                to.byte(0);
                write_text(&mut to.bytes, self);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Arc<str>, WireError> {
        match usize::read(from)?.checked_sub(1) {
            Some(number) => {
                from.names.get(number).cloned().ok_or(WireError::Damaged("a name that it does not define"))
            }
            None => Ok(from.text()?.into()),
        }
    }
}

impl<T: Wire> Wire for Option<T> {
    fn write(&self, to: &mut Writer<'_>) {
        self.is_some().write(to);
        self.iter().for_each(|value| value.write(to));
    }

    fn read(from: &mut Reader<'_>) -> Result<Option<T>, WireError> {
        bool::read(from)?.then(|| T::read(from)).transpose()
    }
}

impl<T: Wire> Wire for Box<T> {
    fn write(&self, to: &mut Writer<'_>) {
        (**self).write(to);
    }

    fn read(from: &mut Reader<'_>) -> Result<Box<T>, WireError> {
        T::read(from).map(Box::new)
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn write(&self, to: &mut Writer<'_>) {
        self.len().write(to);
        self.iter().for_each(|value| value.write(to));
    }

    fn read(from: &mut Reader<'_>) -> Result<Vec<T>, WireError> {
        let length = from.length()?;
        let mut values = Vec::with_capacity(length.min(RESERVED));
        for _ in 0..length {
            values.push(T::read(from)?);
        }
        Ok(values)
    }
}

impl<T: Wire + Default, const N: usize> Wire for [T; N] {
    fn write(&self, to: &mut Writer<'_>) {
        self.iter().for_each(|value| value.write(to));
    }

    fn read(from: &mut Reader<'_>) -> Result<[T; N], WireError> {
        let mut values: [T; N] = std::array::from_fn(|_| T::default());
        for value in &mut values {
            *value = T::read(from)?;
        }
        Ok(values)
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn write(&self, to: &mut Writer<'_>) {
        self.0.write(to);
        self.1.write(to);
    }

    fn read(from: &mut Reader<'_>) -> Result<(A, B), WireError> {
        Ok((A::read(from)?, B::read(from)?))
    }
}

impl<K: Wire + Ord, V: Wire> Wire for BTreeMap<K, V> {
    fn write(&self, to: &mut Writer<'_>) {
        self.len().write(to);
        for (key, value) in self {
            key.write(to);
            value.write(to);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<BTreeMap<K, V>, WireError> {
        let length = from.length()?;
        let mut values = BTreeMap::new();
        for _ in 0..length {
            values.insert(K::read(from)?, V::read(from)?);
        }
        Ok(values)
    }
}
