//! What this component's routes take and give, for the API's description.

use vivesphere_api::{Api, Description};
use vivesphere_http::{List, StatusCode};

use crate::{ROUTES, wire};

/// 503 when the vault does not answer.
const VAULT: (StatusCode, &str, &str) = (
    StatusCode::SERVICE_UNAVAILABLE,
    "component_unavailable",
    "A part of this deployment does not answer right now.",
);
const X_UNAVAILABLE: (StatusCode, &str, &str) = (
    StatusCode::SERVICE_UNAVAILABLE,
    "x_unavailable",
    "X does not answer right now.",
);
const DUPLICATE: &str = "Another bot has a persona of the same purpose, language and region.";
const ACCOUNT_IN_USE: &str = "Another bot acts as this X account already.";

/// Why X may let an account or the deployment's app do nothing, by X's own codes.
const BLOCKED: &[(&str, &str)] = &[
    ("credits_depleted", "The app's budget at X is used up."),
    ("usage_capped", "The app's monthly cap at X is reached."),
    ("client_forbidden", "X does not let the app use this API."),
    ("app_permissions", "X does not let the app do this."),
    ("account_locked", "X has locked the account."),
    ("account_suspended", "X has suspended the account."),
    (
        "automation_suspected",
        "X takes the account's requests for automated ones.",
    ),
    (
        "unsupported_authentication",
        "X does not accept this kind of token.",
    ),
    ("forbidden", "X does not permit it and does not say why."),
];

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new("bots", "Bots: create, change, connect.", ROUTES);
    bots(&mut api);
    connecting(&mut api);
    api
}

fn bots(api: &mut Api) {
    let (status, code, when) = VAULT;
    const NAME_TAKEN: &str = "Another bot of yours has this name.";
    api.post("/api/v1/bots/create", "Create a bot")
        .text("With credentials it is active at once, else `unconnected` until it is connected.")
        .json::<wire::NewBot>()
        .creates::<wire::BotBody>()
        .conflict("bot_name_taken", NAME_TAKEN)
        .conflict("duplicate_purpose", DUPLICATE)
        .conflict("x_account_in_use", ACCOUNT_IN_USE)
        .problem(status, code, when);
    api.get("/api/v1/bots/list", "List bots")
        .paged::<wire::BotQuery>()
        .gives::<List<wire::BotBody>>();
    api.get("/api/v1/bots/{bot_id}", "See a bot")
        .gives::<wire::BotBody>();
    api.patch("/api/v1/bots/{bot_id}", "Change a bot")
        .json::<wire::BotPatch>()
        .if_match()
        .gives::<wire::BotBody>()
        .conflict("bot_name_taken", NAME_TAKEN)
        .conflict("duplicate_purpose", DUPLICATE)
        .conflict("x_account_in_use", ACCOUNT_IN_USE)
        .problem(status, code, when);
    api.delete("/api/v1/bots/{bot_id}", "Delete a bot")
        .gives_nothing();
    const NOT_CONNECTED: &str = "It has no working credentials: connect it first.";
    api.post(
        "/api/v1/bots/{bot_id}/pause",
        "Pause a bot: nothing of it is published",
    )
    .gives::<wire::BotBody>()
    .conflict("not_connected", NOT_CONNECTED);
    api.post("/api/v1/bots/{bot_id}/resume", "Resume a paused bot")
        .gives::<wire::BotBody>()
        .conflict("not_connected", NOT_CONNECTED);
}

fn connecting(api: &mut Api) {
    let (status, code, when) = VAULT;
    let (x_status, x_code, x_when) = X_UNAVAILABLE;
    api.post(
        "/api/v1/bots/{bot_id}/connect",
        "Begin to connect a bot to its account",
    )
    .text("OAuth 2.0 with PKCE (RFC 7636): send the account's owner to `authorize_url`.")
    .gives::<wire::Authorize<'_>>()
    .conflict("x_app_not_configured", "This deployment has no X app.");
    let callback = api.get(
        "/api/v1/bots/callback",
        "Where X sends the account's owner back to",
    );
    with_blocked(callback)
        .query::<wire::Callback>()
        .gives::<wire::BotBody>()
        .not_found()
        .conflict(
            "state_unknown",
            "The authorization is unknown, used or older than ten minutes.",
        )
        .conflict("authorization_denied", "The account's owner did not agree.")
        .conflict("code_refused", "X did not accept the code.")
        .conflict(
            "scopes_missing",
            "The account's owner did not grant all that is needed.",
        )
        .conflict("x_app_refused", "X did not accept this deployment's app.")
        .conflict("x_account_in_use", ACCOUNT_IN_USE)
        .problem(status, code, when)
        .problem(x_status, x_code, x_when);
    let access_token = api.post(
        "/internal/bots/{bot_id}/access-token",
        "Hand out a bot's access token",
    );
    with_blocked(access_token)
        .text("Refreshed first when it is about to end, or when X rejected the one of a version.")
        .json::<wire::AccessTokenRequest>()
        .gives::<wire::AccessToken<'_>>()
        .conflict(
            "credentials_missing",
            "The vault holds no access token of this bot.",
        )
        .conflict(
            "needs_reauth",
            "X does not accept the bot's authorization any more.",
        )
        .conflict(
            "token_rejected",
            "X does not accept a token that it has just given.",
        )
        .conflict("x_account_in_use", ACCOUNT_IN_USE)
        .problem(status, code, when)
        .problem(x_status, x_code, x_when)
        .problem(
            status,
            "refresh_waits",
            "It is being refreshed, or a try failed a moment ago.",
        )
        .problem(status, "refresh_failed", "X did not refresh the token now.")
        .problem(
            status,
            "refresh_not_stored",
            "X renewed the token, but the vault did not keep the new pair.",
        )
        .problem(
            status,
            "x_app_refused",
            "X does not accept this deployment's app; nothing of the account is lost.",
        )
        .conflict(
            "sealed_data_damaged",
            "The vault cannot open the bot's credentials.",
        )
        .problem(
            status,
            "credentials_changed",
            "A person has replaced the credentials that were being tried.",
        );
}

fn with_blocked(description: Description<'_>) -> Description<'_> {
    BLOCKED
        .iter()
        .fold(description, |description, (code, when)| {
            description.conflict(code, when)
        })
}
