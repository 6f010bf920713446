//! X's error bodies, word for word as documented or reported.

use serde_json::{Value, json};

use super::reply::Reply;

fn about_blank(status: u16, title: &str, detail: &str) -> Reply {
    Reply::problem(
        status,
        &json!({"title": title, "detail": detail, "type": "about:blank", "status": status}),
    )
}

pub(crate) fn forbidden(detail: &str) -> Reply {
    about_blank(403, "Forbidden", detail)
}

pub(crate) fn duplicate() -> Reply {
    forbidden("You are not allowed to create a Tweet with duplicate content.")
}

pub(crate) fn not_permitted() -> Reply {
    forbidden("You are not permitted to perform this action.")
}

pub(crate) fn reply_closed() -> Reply {
    forbidden(
        "Reply to this conversation is not allowed because you have not been mentioned or \
         otherwise engaged by the author of the post you are replying to.",
    )
}

pub(crate) fn reply_target_gone() -> Reply {
    forbidden("You attempted to reply to a Tweet that is deleted or not visible to you.")
}

pub(crate) fn quote_closed() -> Reply {
    forbidden(
        "Quoting this post is not allowed because you have not been mentioned or are not part of \
         the conversation thread of the post you are quoting.",
    )
}

pub(crate) fn too_long(status: u16) -> Reply {
    let title = if status == 403 {
        "Forbidden"
    } else {
        "Invalid Request"
    };
    about_blank(
        status,
        title,
        "Your Tweet text is too long. For more information on how Twitter determines text length \
         see https://github.com/twitter/twitter-text.",
    )
}

pub(crate) fn account_locked() -> Reply {
    Reply::json(
        403,
        &json!({"errors": [{"code": 326, "message":
            "To protect our users from spam and other malicious activity, this account is \
             temporarily locked. Please log in to https://twitter.com to unlock your account."}]}),
    )
}

pub(crate) fn account_suspended() -> Reply {
    Reply::json(
        403,
        &json!({"errors": [{"code": 64, "message":
            "Your account is suspended and is not permitted to access this feature."}]}),
    )
}

pub(crate) fn daily_ceiling() -> Reply {
    Reply::json(
        403,
        &json!({"errors": [{"code": 185, "message": "User is over daily status update limit."}]}),
    )
}

pub(crate) fn client_forbidden() -> Reply {
    Reply::problem(
        403,
        &json!({"title": "Client Forbidden", "reason": "client-not-enrolled",
            "required_enrollment": "Appropriate Level of API Access", "client_id": "1",
            "registration_url": "https://developer.twitter.com/en/docs/projects/overview",
            "detail": "When authenticating requests to the Twitter API v2 endpoints, you must use \
                keys and tokens from a Twitter developer App that is attached to a Project. You \
                can create a project via the developer portal.",
            "type": "https://api.twitter.com/2/problems/client-forbidden"}),
    )
}

pub(crate) fn app_only() -> Reply {
    Reply::problem(
        403,
        &json!({"title": "Unsupported Authentication",
            "detail": "Authenticating with OAuth 2.0 Application-Only is forbidden for this \
                endpoint. Supported authentication types are [OAuth 1.0a User Context, OAuth 2.0 \
                User Context].",
            "type": "https://api.twitter.com/2/problems/unsupported-authentication",
            "status": 403}),
    )
}

pub(crate) fn unauthorized() -> Reply {
    about_blank(401, "Unauthorized", "Unauthorized")
}

/// Both shapes were seen in 2026.
pub(crate) fn credits_depleted(older: bool) -> Reply {
    let body = if older {
        json!({"title": "CreditsDepleted",
            "detail": "Your enrolled account [1] does not have any credits to fulfill this request.",
            "type": "https://api.twitter.com/2/problems/credits"})
    } else {
        json!({"title": "Payment Required", "detail": "credits depleted",
            "type": "https://api.x.com/2/problems/credits-depleted", "status": 402})
    };
    Reply::problem(402, &body)
}

pub(crate) fn too_many_requests(legacy: bool) -> Reply {
    if legacy {
        Reply::json(
            429,
            &json!({"errors": [{"code": 88, "message": "Rate limit exceeded"}]}),
        )
    } else {
        about_blank(429, "Too Many Requests", "Too Many Requests")
    }
}

pub(crate) fn usage_capped() -> Reply {
    Reply::problem(
        429,
        &json!({"title": "UsageCapExceeded", "detail": "Usage cap exceeded: Monthly product cap",
            "type": "https://api.twitter.com/2/problems/usage-capped", "period": "Monthly",
            "scope": "Product", "account_id": 1}),
    )
}

pub(crate) fn server_error(status: u16) -> Reply {
    let title = match status {
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Internal Server Error",
    };
    about_blank(status, title, title)
}

pub(crate) fn invalid(parameter: &str, value: &str, message: &str) -> Reply {
    let mut parameters = serde_json::Map::new();
    parameters.insert(parameter.to_owned(), json!([value]));
    Reply::problem(
        400,
        &json!({"errors": [{"parameters": Value::Object(parameters), "message": message}],
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": "https://api.x.com/2/problems/invalid-request"}),
    )
}

pub(crate) fn not_found(parameter: &str, value: &str, resource: &str) -> Value {
    json!({"resource_id": value, "resource_type": resource, "parameter": parameter, "value": value,
        "title": "Not Found Error",
        "detail": format!("Could not find {resource} with {parameter}: [{value}]."),
        "type": "https://api.twitter.com/2/problems/resource-not-found"})
}

pub(crate) fn oauth(status: u16, error: &str, description: &str) -> Reply {
    Reply::json(
        status,
        &json!({"error": error, "error_description": description}),
    )
}
