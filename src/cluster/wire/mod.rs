//! STUB
use crate::vu::Interval;
use serde::{Deserialize, Serialize};
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IntervalMessage {
    pub(crate) sequence: u64,
    pub(crate) second: u64,
    pub(crate) dropped: u64,
    pub(crate) threads: Vec<(u32, Interval)>,
}
#[derive(Default)]
pub(crate) struct IntervalEncoder;
impl IntervalEncoder {
    pub(crate) fn encode(&mut self, m: &IntervalMessage) -> Vec<u8> {
        serde_json::to_vec(m).unwrap_or_default()
    }
}
#[derive(Default)]
pub(crate) struct IntervalDecoder {
    next: u64,
}
impl IntervalDecoder {
    pub(crate) fn decode(&mut self, b: &[u8]) -> Result<Option<IntervalMessage>, String> {
        let m: IntervalMessage = serde_json::from_slice(b).map_err(|e| e.to_string())?;
        if m.sequence < self.next {
            return Ok(None);
        }
        self.next = m.sequence + 1;
        Ok(Some(m))
    }
}
