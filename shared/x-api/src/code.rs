//! The stable names of outcomes. They are stored and shown; a name is never given a new meaning.

pub(crate) const CREATED: &str = "created";

// Certainly not sent.
pub(crate) const CONNECTION_REFUSED: &str = "connection_refused";
pub(crate) const CONNECT_TIMEOUT: &str = "connect_timeout";
pub(crate) const CONNECTION_LIMIT: &str = "connection_limit";
pub(crate) const DESTINATION_UNAVAILABLE: &str = "destination_unavailable";
pub(crate) const DNS_ERROR: &str = "dns_error";
pub(crate) const OUTBOUND_DENIED: &str = "outbound_denied";
pub(crate) const TLS_CERTIFICATE: &str = "tls_certificate";
pub(crate) const INVALID_TOKEN: &str = "invalid_token";

// Nobody knows.
pub(crate) const TIMEOUT: &str = "timeout";
pub(crate) const CONNECTION_LOST: &str = "connection_lost";
pub(crate) const SERVER_ERROR: &str = "server_error";
pub(crate) const MALFORMED_RESPONSE: &str = "malformed_response";
pub(crate) const EDGE_BLOCKED: &str = "edge_blocked";
pub(crate) const UNEXPECTED_STATUS: &str = "unexpected_status";

// This post, or this request, is not accepted.
pub(crate) const DUPLICATE_CONTENT: &str = "duplicate_content";
pub(crate) const TOO_LONG: &str = "too_long";
pub(crate) const MEDIA_INVALID: &str = "media_invalid";
pub(crate) const REPLY_NOT_ALLOWED: &str = "reply_not_allowed";
pub(crate) const REPLY_TARGET_GONE: &str = "reply_target_gone";
pub(crate) const QUOTE_NOT_ALLOWED: &str = "quote_not_allowed";
pub(crate) const INVALID_REQUEST: &str = "invalid_request";
pub(crate) const NOT_FOUND: &str = "not_found";
pub(crate) const NOT_AUTHORIZED: &str = "not_authorized";

// Later.
pub(crate) const RATE_LIMITED: &str = "rate_limited";
pub(crate) const DAILY_LIMIT: &str = "daily_limit";

// The credentials, the account, the application.
pub(crate) const UNAUTHORIZED: &str = "unauthorized";
pub(crate) const ACCOUNT_LOCKED: &str = "account_locked";
pub(crate) const ACCOUNT_SUSPENDED: &str = "account_suspended";
pub(crate) const AUTOMATION_SUSPECTED: &str = "automation_suspected";
pub(crate) const UNSUPPORTED_AUTHENTICATION: &str = "unsupported_authentication";
pub(crate) const FORBIDDEN: &str = "forbidden";
pub(crate) const CREDITS_DEPLETED: &str = "credits_depleted";
pub(crate) const USAGE_CAPPED: &str = "usage_capped";
pub(crate) const CLIENT_FORBIDDEN: &str = "client_forbidden";
pub(crate) const APP_PERMISSIONS: &str = "app_permissions";

// The token endpoint.
pub(crate) const GRANT_INVALID: &str = "grant_invalid";
pub(crate) const CLIENT_INVALID: &str = "client_invalid";
pub(crate) const SCOPE_INVALID: &str = "scope_invalid";
