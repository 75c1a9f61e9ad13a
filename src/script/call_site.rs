//! Where a host function may be called, and the error of one that is called elsewhere.

/// Where a host function may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallSite {
    /// Only while the top level runs, because it declares.
    Declares,
    /// Only while the top level runs, because it reads a file.
    Reads,
    /// Only on behalf of a virtual user.
    User,
    Anywhere,
}

impl CallSite {
    /// The error of a function with this site that is called elsewhere.
    pub(crate) fn refusal(self, function: &str) -> String {
        match self {
            CallSite::Declares => {
                format!("{function} declares: call it at the top level of the script, not in a function")
            }
            CallSite::Reads => format!(
                "{function} reads a file: call it at the top level of the script, not in a function, and keep what \
                 it returns in a variable or const"
            ),
            CallSite::User | CallSite::Anywhere => format!(
                "{function} needs a virtual user: call it inside a function, not at the top level of the script"
            ),
        }
    }
}
