//! The shape of a HAR file, as far as it is read; what is missing or `null` is empty.

use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(expecting = "an object with a log")]
pub(super) struct File {
    pub(super) log: Log,
}

#[derive(Deserialize)]
#[serde(expecting = "a log: an object with entries")]
pub(super) struct Log {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) pages: Vec<RawPage>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) entries: Vec<RawEntry>,
}

#[derive(Deserialize)]
#[serde(expecting = "a page: an object with id and title")]
pub(super) struct RawPage {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) title: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an entry: an object with request and response")]
pub(super) struct RawEntry {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) pageref: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) started_date_time: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) time: f64,
    pub(super) request: RawRequest,
    #[serde(default)]
    pub(super) response: Option<RawResponse>,
    #[serde(default, deserialize_with = "or_default", rename = "_resourceType")]
    pub(super) resource_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a request: an object with method and url")]
pub(super) struct RawRequest {
    pub(super) method: String,
    pub(super) url: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) headers: Vec<Pair>,
    #[serde(default)]
    pub(super) post_data: Option<RawPost>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) body_size: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a body: an object with mimeType and text or params")]
pub(super) struct RawPost {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) mime_type: String,
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) params: Vec<Field>,
    #[serde(default, alias = "_encoding", deserialize_with = "or_default")]
    pub(super) encoding: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a response: an object with status and headers")]
pub(super) struct RawResponse {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) status: i64,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) headers: Vec<Pair>,
    #[serde(default)]
    pub(super) content: Option<RawContent>,
    #[serde(default, deserialize_with = "or_default", rename = "redirectURL")]
    pub(super) redirect_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a content: an object with mimeType and text")]
pub(super) struct RawContent {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) mime_type: String,
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) encoding: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with name and value")]
pub(super) struct Pair {
    pub(super) name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) value: String,
}

/// A field of a form that was sent.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object with name and value")]
pub(in crate::convert) struct Field {
    #[serde(default, deserialize_with = "or_default")]
    pub(in crate::convert) name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(in crate::convert) value: String,
    #[serde(default)]
    pub(in crate::convert) file_name: Option<String>,
    #[serde(default)]
    pub(in crate::convert) content_type: Option<String>,
}

/// Some tools write `null` for what they do not know.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
