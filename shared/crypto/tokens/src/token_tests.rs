use jwt_simple::algorithms::{HS256Key, MACLike};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;

fn key(byte: u8) -> SigningKey {
    use base64::prelude::BASE64_STANDARD;
    let seed = Secret::new(BASE64_STANDARD.encode([byte; 32]));
    SigningKey::from_seed_base64(&seed).unwrap_or_else(|error| panic!("{error}"))
}

fn verifier(byte: u8) -> Verifier {
    Verifier::new(vec![key(byte).public_key().clone()])
}

fn claims() -> Claims {
    Claims {
        subject: "user-1".to_owned(),
        session_id: "session-1".to_owned(),
        token_id: "token-1".to_owned(),
        issued_at: NOW,
        not_before: None,
        expires_at: NOW + 900,
    }
}

fn issue(claims: &Claims) -> String {
    key(1)
        .issue(claims)
        .unwrap_or_else(|error| panic!("{error}"))
        .expose()
        .clone()
}

/// A token of any header and payload, signed with the real key.
fn signed(header: &Value, payload: &Value) -> String {
    use ed25519_dalek::Signer;
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(payload));
    let signature = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).sign(message.as_bytes());
    format!(
        "{message}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(signature.to_bytes())
    )
}

fn header() -> Value {
    json!({"alg": "EdDSA", "typ": "JWT", "kid": key(1).public_key().kid()})
}

fn payload() -> Value {
    json!({"iss": "vivesphere", "sub": "u", "sid": "s", "jti": "t", "iat": NOW, "exp": NOW + 900})
}

#[test]
fn what_is_issued_is_valid() {
    let token = issue(&claims());
    assert_eq!(verifier(1).verify(&token, NOW), Verdict::Valid(claims()));
    assert!(matches!(
        verifier(1).verify(&signed(&header(), &payload()), NOW),
        Verdict::Valid(_)
    ));
}

/// Two independent implementations read the same token.
#[test]
fn the_signing_library_agrees() {
    use jwt_simple::algorithms::EdDSAPublicKeyLike;
    use jwt_simple::prelude::{Duration, VerificationOptions};
    let token = issue(&claims());
    let key = key(1);
    let read = jwt_simple::algorithms::Ed25519PublicKey::from_bytes(key.public_key().bytes())
        .unwrap()
        .verify_token::<Value>(
            &token,
            Some(VerificationOptions {
                artificial_time: Some(Duration::from_secs(NOW as u64)),
                ..VerificationOptions::default()
            }),
        )
        .unwrap();
    assert_eq!(read.custom["sid"], "session-1");
    assert_eq!(key.pair.jwk_thumbprint(), key.public_key().kid());
}

/// RFC 8037, appendix A.1 and A.2: the seed and the public key it gives.
#[test]
fn the_seed_gives_the_key_of_the_rfc() {
    let seed = Secret::new("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A".to_owned());
    let key = SigningKey::from_seed_base64(&seed).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        key.public_key().jwk().x,
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    );
}

#[test]
fn the_beginning_has_thirty_seconds_of_leeway_and_the_end_is_exact() {
    let token = issue(&claims());
    let verifier = verifier(1);
    assert_eq!(verifier.verify(&token, NOW - 31), Verdict::NotYetValid);
    assert!(matches!(
        verifier.verify(&token, NOW - 30),
        Verdict::Valid(_)
    ));
    assert!(matches!(
        verifier.verify(&token, NOW + 899),
        Verdict::Valid(_)
    ));
    assert!(matches!(
        verifier.verify(&token, NOW + 900),
        Verdict::Expired(_)
    ));
    let later = issue(&Claims {
        not_before: Some(NOW + 100),
        ..claims()
    });
    assert_eq!(verifier.verify(&later, NOW + 69), Verdict::NotYetValid);
    assert!(matches!(
        verifier.verify(&later, NOW + 70),
        Verdict::Valid(_)
    ));
    assert!(matches!(
        verifier.verify(&token, i64::MIN),
        Verdict::NotYetValid
    ));
    assert!(matches!(
        verifier.verify(&token, i64::MAX),
        Verdict::Expired(_)
    ));
}

#[test]
fn times_that_make_no_sense_are_not_issued() {
    for (issued_at, expires_at) in [(NOW, NOW), (-1, NOW), (NOW, i64::MAX), (NOW, NOW - 1)] {
        let claims = Claims {
            issued_at,
            expires_at,
            ..claims()
        };
        assert_eq!(key(1).issue(&claims).err(), Some(TokenError::Times));
    }
}

#[test]
fn an_unknown_key_and_a_wrong_signature_are_told_apart() {
    let token = issue(&claims());
    assert_eq!(verifier(2).verify(&token, NOW), Verdict::UnknownKey);
    let other = key(2)
        .issue(&claims())
        .unwrap_or_else(|error| panic!("{error}"));
    let (message, _) = token.rsplit_once('.').unwrap();
    let (_, signature) = other.expose().rsplit_once('.').unwrap();
    let mixed = format!("{message}.{signature}");
    assert_eq!(verifier(1).verify(&mixed, NOW), Verdict::BadSignature);
}

#[test]
fn both_keys_are_accepted_during_a_change() {
    let both = Verifier::new(vec![
        key(2).public_key().clone(),
        key(1).public_key().clone(),
    ]);
    assert!(matches!(
        both.verify(&issue(&claims()), NOW),
        Verdict::Valid(_)
    ));
}

/// RFC 8725, section 2.1: the two classic forgeries.
#[test]
fn the_algorithm_cannot_be_chosen_by_the_sender() {
    let verifier = verifier(1);
    let message = issue(&claims());
    let (message, signature) = message.rsplit_once('.').unwrap();
    let (_, payload_part) = message.split_once('.').unwrap();
    for alg in [
        "none", "None", "HS256", "ES256", "RS256", "eddsa", "Ed25519", "",
    ] {
        let mut header = header();
        header["alg"] = json!(alg);
        let encoded = BASE64_URL_SAFE_NO_PAD.encode(header.to_string());
        for signature in ["", signature] {
            let token = format!("{encoded}.{payload_part}.{signature}");
            assert_eq!(verifier.verify(&token, NOW), Verdict::Malformed, "{alg}");
        }
        assert_eq!(
            verifier.verify(&signed(&header, &payload()), NOW),
            Verdict::Malformed,
            "{alg}"
        );
    }
    // HMAC under the public key's bytes, which everyone knows.
    let forged = HS256Key::from_bytes(key(1).public_key().bytes())
        .with_key_id(key(1).public_key().kid())
        .authenticate(JWTClaims::<jwt_simple::claims::NoCustomClaims>::new())
        .unwrap();
    assert_eq!(verifier.verify(&forged, NOW), Verdict::Malformed);
}

#[test]
fn headers_and_claims_of_another_form_are_refused_even_when_signed() {
    let verifier = verifier(1);
    let changed = |base: fn() -> Value, name: &str, value: Value| {
        let mut object = base();
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value;
        }
        object
    };
    for (name, value) in [
        ("typ", json!("at+jwt")),
        ("typ", Value::Null),
        ("kid", Value::Null),
        ("crit", json!(["x"])),
        ("jku", json!("https://evil.example/jwks.json")),
    ] {
        let token = signed(&changed(header, name, value), &payload());
        assert_eq!(verifier.verify(&token, NOW), Verdict::Malformed, "{name}");
    }
    for (name, value) in [
        ("iss", json!("somebody")),
        ("iss", Value::Null),
        ("sub", Value::Null),
        ("sid", json!(7)),
        ("exp", Value::Null),
        ("exp", json!("tomorrow")),
        ("exp", json!(NOW)),
        ("iat", json!(1e300)),
    ] {
        let token = signed(&header(), &changed(payload, name, value));
        assert_eq!(verifier.verify(&token, NOW), Verdict::Malformed, "{name}");
    }
}

proptest! {
    #[test]
    fn any_other_byte_anywhere_is_refused(position: prop::sample::Index, byte: u8) {
        let token = issue(&claims());
        let mut bytes = token.clone().into_bytes();
        let at = position.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        let altered = String::from_utf8_lossy(&bytes);
        let verdict = verifier(1).verify(&altered, NOW);
        prop_assert!(!matches!(verdict, Verdict::Valid(_) | Verdict::Expired(_)), "{verdict:?}");
    }

    #[test]
    fn any_cut_or_addition_is_refused(position: prop::sample::Index, extra in ".{1,3}") {
        let token = issue(&claims());
        let cut = &token[..position.index(token.len())];
        prop_assert!(verifier(1).verify(cut, NOW).reason().is_some());
        for altered in [token.clone() + &extra, extra + &token] {
            prop_assert!(verifier(1).verify(&altered, NOW).reason().is_some());
        }
    }

    #[test]
    fn nothing_presented_can_panic(token in ".{0,200}", parts in "[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,90}") {
        prop_assert!(verifier(1).verify(&token, NOW).reason().is_some());
        prop_assert!(verifier(1).verify(&parts, NOW).reason().is_some());
    }

    #[test]
    fn any_claims_come_back(subject: String, session_id: String, token_id: String, age in 0i64..800) {
        let claims = Claims { subject, session_id, token_id, ..claims() };
        prop_assert_eq!(verifier(1).verify(&issue(&claims), NOW + age), Verdict::Valid(claims));
    }
}
