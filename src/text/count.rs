//! How counts are written. Pure.

/// A count with thousands separators: `1,204`.
pub fn format_count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_a_group() {
        let written = [0, 999, 1_000, 26_830, 1_000_000, u64::MAX].map(format_count);
        assert_eq!(written, ["0", "999", "1,000", "26,830", "1,000,000", "18,446,744,073,709,551,615"]);
    }
}
