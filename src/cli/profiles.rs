//! `--profile`: a named load, or one from a file.

use std::path::Path;

use crate::LoadTest;
use crate::metrics::ThresholdText;
use crate::plan::{Options, Profile};
use crate::system::read_text;

/// The word for every built-in profile.
const ALL: &str = "all";

/// What a file of a profile may leave out, because another script says what users do.
const NOTHING_TO_RUN: &str = "\nfn iteration() {}\n";

/// Largest file of a profile, in bytes.
const LARGEST_PROFILE: u64 = 16 << 20;

/// A load to run a script with.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Its name, for files and the verdict.
    pub(super) name: String,
    pub(super) options: Options,
    /// Default thresholds, used where none are set.
    pub(super) limits: Vec<ThresholdText>,
}

/// The loads that a name or a path stands for, with times multiplied by `scale`.
///
/// # Errors
/// A sentence that says what is accepted, or what is wrong with the file.
pub(super) fn shapes(named: &str, scale: f64) -> Result<Vec<Shape>, String> {
    let profiles = match Profile::named(named) {
        Some(profile) => vec![profile],
        None if named == ALL => Profile::ALL.to_vec(),
        None => return of_file(named, scale).map(|shape| vec![shape]),
    };
    let shape = |profile: Profile| Shape {
        name: profile.name().to_owned(),
        options: profile.options().in_time(scale),
        limits: profile.limits(),
    };
    Ok(profiles.into_iter().map(shape).collect())
}

fn of_file(named: &str, scale: f64) -> Result<Shape, String> {
    let path = Path::new(named);
    let looks_like_a_file = path.extension().is_some() || path.components().count() > 1;
    if !looks_like_a_file && !path.exists() {
        let names = Profile::ALL.map(Profile::name).into_iter().chain([ALL]);
        let words: Vec<&str> = names.clone().collect();
        return Err(format!(
            "unknown profile '{named}'{} (profiles are {}; a file is given like ./mine.rhai)",
            crate::text::did_you_mean(named, names),
            words.join(", ")
        ));
    }
    let declared = |test: LoadTest| test.declared_options();
    let options = LoadTest::from_file(path).and_then(declared).or_else(|error| {
        let Ok(text) = read_text(path, LARGEST_PROFILE) else { return Err(error) };
        declared(LoadTest::from_text(named, &(text + NOTHING_TO_RUN))).map_err(|_| error)
    });
    let options = options.map_err(|error| format!("the profile: {error}"))?;
    let name = path.file_stem().map_or_else(|| named.to_owned(), |stem| stem.to_string_lossy().into_owned());
    // Where users, requests and files go is the script's matter.
    Ok(Shape { name, options: options.load_only().in_time(scale), limits: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_profiles_and_wrong_ones_get_a_hint() {
        let names =
            |named| shapes(named, 1.0).unwrap().into_iter().map(|shape| shape.name).collect::<Vec<_>>();
        assert_eq!(names("all"), ["load", "stress", "spike", "endurance"]);
        assert_eq!(names("spike"), ["spike"]);
        let error = shapes("strees", 1.0).unwrap_err();
        assert!(error.contains("did you mean 'stress'") && error.contains("./mine.rhai"), "{error}");
    }
}
