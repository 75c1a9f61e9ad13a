//! "Did you mean …?": the nearest existing name.

/// The known name that `name` was most likely meant to be, if one is near.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    // A third of the letters may be wrong, as in compilers; short names need at least one letter right.
    let allowed = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| distance <= allowed && distance < candidate.chars().count())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// ` — did you mean 'x'?`, or nothing.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(name, known) {
        Some(candidate) => format!(" — did you mean '{candidate}'?"),
        None => String::new(),
    }
}

/// The choice with this name; otherwise a message with the valid names.
pub(crate) fn one_of<T: Copy>(name: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let known = || choices.iter().map(|(known, _)| *known);
    let found = choices.iter().find(|(known, _)| *known == name).map(|&(_, choice)| choice);
    found.ok_or_else(|| {
        let words: Vec<&str> = known().collect();
        format!("it is one of {}{}", words.join(", "), did_you_mean(name, known()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["users", "spawn_rate", "run_time", "host"];
        assert_eq!(nearest("user", known), Some("users"));
        assert_eq!(nearest("spwan_rate", known), Some("spawn_rate"));
        assert_eq!(nearest("Host", known), Some("host"));
        assert_eq!(nearest("zebra", known), None);
        assert_eq!(nearest("x", ["y"]), None);
    }
}
