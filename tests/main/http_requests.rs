//! http_requests
