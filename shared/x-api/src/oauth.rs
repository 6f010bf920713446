//! OAuth 2.0 authorization code with PKCE
//! (<https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code>).

use url::Url;
use vivesphere_crypto::SecretString;

/// What posting for an account needs; `offline.access` brings the refresh token.
pub const REQUIRED_SCOPES: &[&str] = &["tweet.read", "tweet.write", "users.read", "offline.access"];

/// What the person is sent to X with.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizeRequest<'a> {
    /// The application.
    pub client_id: &'a str,
    /// Equal, byte for byte, to one that is registered with the application.
    pub redirect_uri: &'a str,
    /// For instance [`REQUIRED_SCOPES`].
    pub scopes: &'a [&'a str],
    /// At most 500 characters; comes back unchanged.
    pub state: &'a str,
    /// [`code_challenge`] of the verifier.
    pub code_challenge: &'a str,
}

/// The address that the person opens. `endpoint` is `https://x.com/i/oauth2/authorize`.
#[must_use]
pub fn authorize_url(endpoint: &Url, request: &AuthorizeRequest<'_>) -> Url {
    let mut url = endpoint.clone();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", request.client_id)
        .append_pair("redirect_uri", request.redirect_uri)
        .append_pair("scope", &request.scopes.join(" "))
        .append_pair("state", request.state)
        .append_pair("code_challenge", request.code_challenge)
        .append_pair("code_challenge_method", "S256");
    // The serializer writes a space as `+` and a plus as `%2B`; X wants `%20`.
    let query = url.query().map(|query| query.replace('+', "%20"));
    url.set_query(query.as_deref());
    url
}

/// The challenge of a code verifier (RFC 7636, section 4.2, `S256`).
#[must_use]
pub fn code_challenge(verifier: &SecretString) -> String {
    vivesphere_crypto::pkce::challenge(verifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    #[test]
    fn challenge_agrees_with_the_rfc() {
        let verifier = SecretString::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        assert_eq!(
            code_challenge(&verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn spaces_are_percent_encoded_and_pluses_survive() {
        let url = authorize_url(
            &"https://x.com/i/oauth2/authorize".parse().unwrap(),
            &AuthorizeRequest {
                client_id: "id+1",
                redirect_uri: "http://127.0.0.1:3000/api/v1/bots/callback",
                scopes: REQUIRED_SCOPES,
                state: "a b+c",
                code_challenge: "ch",
            },
        );
        assert!(
            url.as_str()
                .contains("scope=tweet.read%20tweet.write%20users.read%20offline.access&")
        );
        let value = |name: &str| {
            url.query_pairs()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        assert_eq!(value("state").as_deref(), Some("a b+c"));
        assert_eq!(value("client_id").as_deref(), Some("id+1"));
        assert_eq!(value("code_challenge_method").as_deref(), Some("S256"));
        assert_eq!(value("response_type").as_deref(), Some("code"));
    }
}
