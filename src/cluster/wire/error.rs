//! Why bytes are no message. Pure data.

use super::VERSION;

/// Why an interval message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// It begins with another version.
    #[error(
        "the agent sends intervals in format {0}, and this rhaid reads format {VERSION}: run the same version of rhaid on \
         all machines"
    )]
    Version(u8),
    /// It ends before it is complete.
    #[error("the interval message is cut off")]
    CutOff,
    /// It is larger than any that an agent sends.
    #[error("the interval message has {0} bytes, more than the {most} that are allowed", most = super::MOST_BYTES)]
    TooLong(usize),
    /// Something in it is not what an agent writes.
    #[error("the interval message is damaged: it has {0}")]
    Damaged(&'static str),
    /// It refers to names of a message that is not here.
    #[error("the interval message uses names of an earlier message that has not arrived")]
    NamesMissing,
    /// It belongs to a dictionary before the present one.
    #[error("the interval message is late: its names have been replaced since")]
    Late,
}
