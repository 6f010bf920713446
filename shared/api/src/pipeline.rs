//! What follows from a row of a route table and from the pipeline that all routes share
//! (`shared/http`): credentials, refusals, headers. What changes there changes here.

use http::StatusCode;
use serde_json::{Value, json};
use vivesphere_domain::permissions::Permission;
use vivesphere_http::{Access, Route, RouteClass, Verb};

use crate::description::Operation;

/// A refusal: its status, its stable code, and when it is given.
pub type Refusal = (StatusCode, &'static str, &'static str);

const NO_CREDENTIALS: [Refusal; 8] = [
    (
        StatusCode::UNAUTHORIZED,
        "missing_credentials",
        "No credentials were sent.",
    ),
    (
        StatusCode::UNAUTHORIZED,
        "token_malformed",
        "The token cannot be read.",
    ),
    (
        StatusCode::UNAUTHORIZED,
        "token_signature",
        "The token's signature is not ours.",
    ),
    (
        StatusCode::UNAUTHORIZED,
        "token_expired",
        "The token has expired.",
    ),
    (
        StatusCode::UNAUTHORIZED,
        "token_revoked",
        "The token's session has been ended.",
    ),
    (
        StatusCode::UNAUTHORIZED,
        "access_key_malformed",
        "The access key is mistyped or incomplete.",
    ),
    (
        StatusCode::UNAUTHORIZED,
        "access_key_expired",
        "The access key has expired.",
    ),
    (
        StatusCode::UNAUTHORIZED,
        "access_key_unknown",
        "The access key is unknown or revoked.",
    ),
];
const EVERYWHERE: [Refusal; 6] = [
    (
        StatusCode::BAD_REQUEST,
        "malformed_request",
        "The request cannot be read.",
    ),
    (
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        "The body is larger than may be.",
    ),
    (
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "headers_too_large",
        "The headers are too many or too long.",
    ),
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal_error",
        "Something went wrong here.",
    ),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "storage_unavailable",
        "The database does not answer.",
    ),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "misconfigured",
        "A setting is missing or malformed.",
    ),
];
const RATE_LIMITED: Refusal = (
    StatusCode::TOO_MANY_REQUESTS,
    "rate_limited",
    "Too many requests; wait for the next minute.",
);
const FORBIDDEN: Refusal = (
    StatusCode::FORBIDDEN,
    "forbidden",
    "You are known, but you may not do this.",
);
const NOT_FOUND: Refusal = (
    StatusCode::NOT_FOUND,
    "not_found",
    "There is nothing here, or it is not yours.",
);
const NOT_JSON: Refusal = (
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "unsupported_media_type",
    "The body is of another type.",
);
const INVALID: Refusal = (
    StatusCode::UNPROCESSABLE_ENTITY,
    "invalid",
    "The request can be read but is not valid.",
);
const STALE: Refusal = (
    StatusCode::PRECONDITION_FAILED,
    "stale_version",
    "It has changed since that version.",
);
const KEY_IN_USE: Refusal = (
    StatusCode::CONFLICT,
    "idempotency_key_in_use",
    "The first request with this key is still being answered.",
);
const ANSWER_NOT_KEPT: Refusal = (
    StatusCode::CONFLICT,
    "idempotency_answer_not_kept",
    "It was done before; its answer held a secret, which is shown once.",
);
const ANSWER_LOST: Refusal = (
    StatusCode::CONFLICT,
    "idempotency_answer_lost",
    "It was done before and its answer was lost: look at what there is.",
);
const KEY_REUSED: Refusal = (
    StatusCode::UNPROCESSABLE_ENTITY,
    "idempotency_key_reused",
    "This key was used with another request.",
);

/// Everything that an operation may refuse with.
pub(crate) fn refusals(route: &Route, operation: &Operation) -> Vec<Refusal> {
    let mut all = EVERYWHERE.to_vec();
    if route.access != Access::Public {
        all.extend(NO_CREDENTIALS);
        all.push(FORBIDDEN);
    }
    if route.access != Access::Service {
        all.push(RATE_LIMITED);
    }
    if route.path.contains('{') {
        all.push(NOT_FOUND);
    }
    if let Some(body) = &operation.body {
        // A form is read by OAuth's rules, which have refusals of their own.
        if body.content_type != "application/x-www-form-urlencoded" {
            all.extend([NOT_JSON, INVALID]);
        }
    }
    if !operation.query.is_empty() {
        all.push(INVALID);
    }
    if operation.if_match {
        all.push(STALE);
    }
    if takes_key(route) {
        all.extend([KEY_IN_USE, ANSWER_LOST, KEY_REUSED]);
        if route.confidential {
            all.push(ANSWER_NOT_KEPT);
        }
    }
    for problem in &operation.problems {
        all.push((problem.status, problem.code, problem.when));
    }
    all.sort_by_key(|(status, code, _)| (*status, *code));
    all.dedup_by_key(|(status, code, _)| (*status, *code));
    all
}

/// Whether the pipeline heeds `Idempotency-Key`.
pub(crate) fn takes_key(route: &Route) -> bool {
    route.method == Verb::Post && route.access != Access::Public
}

/// Whether the pipeline tags the answer and heeds `If-None-Match`.
pub(crate) fn has_tag(route: &Route) -> bool {
    route.method == Verb::Get && !route.confidential
}

/// From which budget a request is paid, and how large it may be.
pub(crate) fn limits(route: &Route) -> String {
    let class = match route.class {
        RouteClass::Read => "reads",
        RouteClass::Write => "writes",
        RouteClass::SignIn => "sign-ins",
        RouteClass::Probe => "probes",
    };
    let paid = match route.access {
        Access::Service => String::new(),
        _ if route.whatever_happens.is_some() => {
            "Costs nothing, and is answered without a database, too.".to_owned()
        }
        _ => format!("Paid from the client's budget of {class}."),
    };
    let size = match route.method {
        Verb::Get => String::new(),
        _ => format!("Bodies have at most {} KiB.", route.body_limit / 1024),
    };
    [paid, size].join(" ").trim().to_owned()
}

/// The security requirement of a row: any one of its entries.
pub(crate) fn security(access: Access) -> Value {
    let by_person = |scopes: Value| {
        vec![
            json!({"bearer": []}),
            json!({"accessKey": []}),
            json!({"oauth2": scopes}),
        ]
    };
    match access {
        Access::Public => json!([]),
        Access::SignedIn => json!(by_person(json!([]))),
        Access::Permission(permission) => json!(by_person(json!([permission.as_str()]))),
        Access::Service => json!([{"serviceKey": []}]),
        Access::ServiceOr(permission) => {
            let mut all = by_person(json!([permission.as_str()]));
            all.push(json!({"serviceKey": []}));
            json!(all)
        }
    }
}

/// The permission of a row.
pub(crate) fn permission(access: Access) -> Option<Permission> {
    match access {
        Access::Permission(permission) | Access::ServiceOr(permission) => Some(permission),
        Access::Public | Access::SignedIn | Access::Service => None,
    }
}

/// How one can show who one is.
pub(crate) fn security_schemes() -> Value {
    let scopes: serde_json::Map<String, Value> = Permission::ALL
        .iter()
        .map(|permission| {
            (
                permission.as_str().to_owned(),
                json!(permission.description()),
            )
        })
        .collect();
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `token` of a sign-in: an EdDSA token of a quarter of an hour.",
        },
        "accessKey": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "vs_…",
            "description": "An access key made here, for programs.",
        },
        "oauth2": {
            "type": "oauth2",
            "description": "An access key's id and secret exchanged for a token (RFC 6749, \
                section 4.4).",
            "flows": {"clientCredentials": {"tokenUrl": "/api/v1/auth/token", "scopes": scopes}},
        },
        "serviceKey": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "service key",
            "description": "The deployment's own key, for its components and its scheduler.",
        },
    })
}

/// The headers of answers, by their name under `components/headers`.
pub(crate) fn headers() -> Value {
    let number = json!({"type": "integer", "minimum": 0});
    json!({
        "RequestId": {
            "description": "Names this request in the log. A client's own `x-request-id` of 8 to \
                64 letters, digits, `-`, `_` and `.` is kept.",
            "required": true,
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"},
        },
        "RateLimitLimit": {
            "description": "Requests of this class that the client has in a minute. Without a limit none \
                of these headers is there.",
            "schema": number,
        },
        "RateLimitRemaining": {
            "description": "Requests left in this minute.",
            "schema": number,
        },
        "RateLimitReset": {
            "description": "Seconds until the next minute begins.",
            "schema": number,
        },
        "ETag": {
            "description": "The answer's tag, for `If-None-Match`.",
            "required": true,
            "schema": {"type": "string"},
        },
        "Vary": {
            "description": "What the answer depends on: the encodings that were accepted, and \
                the origin where web pages of several may call.",
            "schema": {"type": "string"},
        },
        "IdempotencyReplayed": {
            "description": "`true` when this answer was given before for the same key.",
            "schema": {"const": "true"},
        },
        "RetryAfter": {
            "description": "Seconds after which trying again can help.",
            "required": true,
            "schema": {"type": "integer", "minimum": 1},
        },
        "WwwAuthenticate": {
            "description": "The challenge (RFC 6750, section 3).",
            "required": true,
            "schema": {"type": "string"},
        },
    })
}

/// The headers of an answer with this status.
pub(crate) fn headers_of(route: &Route, operation: &Operation, status: StatusCode) -> Value {
    let reference = |name: &str| json!({"$ref": format!("#/components/headers/{name}")});
    let mut headers = serde_json::Map::new();
    headers.insert("x-request-id".to_owned(), reference("RequestId"));
    headers.insert("ratelimit-limit".to_owned(), reference("RateLimitLimit"));
    headers.insert(
        "ratelimit-remaining".to_owned(),
        reference("RateLimitRemaining"),
    );
    headers.insert("ratelimit-reset".to_owned(), reference("RateLimitReset"));
    if matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    ) {
        headers.insert("retry-after".to_owned(), reference("RetryAfter"));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert("www-authenticate".to_owned(), reference("WwwAuthenticate"));
    }
    headers.insert("vary".to_owned(), reference("Vary"));
    let whole = matches!(status, StatusCode::OK | StatusCode::NOT_MODIFIED);
    if has_tag(route) && whole && !operation.streamed {
        headers.insert("etag".to_owned(), reference("ETag"));
    }
    if takes_key(route) && status.is_success() && !route.confidential {
        let name = "idempotency-replayed".to_owned();
        headers.insert(name, reference("IdempotencyReplayed"));
    }
    Value::Object(headers)
}

/// The headers that requests may have, by their name under `components/parameters`.
pub(crate) fn parameters() -> Value {
    json!({
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Chosen by the client: the same key with the same request gives the \
                first answer again, with another request 422 `idempotency_key_reused`. Kept for \
                a day.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        },
        "IfNoneMatch": {
            "name": "If-None-Match",
            "in": "header",
            "description": "Tags of answers that the client has; 304 when it is one of them.",
            "schema": {"type": "string"},
        },
        "IfMatch": {
            "name": "If-Match",
            "in": "header",
            "description": "The version that is to be changed, in double quotes; 412 when it is \
                another. `*` or no header: whichever is there.",
            "schema": {"type": "string"},
            "example": "\"1\"",
        },
    })
}
