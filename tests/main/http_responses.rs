//! http_responses
