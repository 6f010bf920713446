//! `spin:variables`. <https://spinframework.dev/v3/variables>

use crate::support::App;

#[tokio::test(flavor = "multi_thread")]
async fn a_component_reads_its_own_variables_and_no_others() {
    let host = App::new(
        r#"
        [variables]
        api_host = { default = "example.com" }
        password = { required = true, secret = true }
        [[trigger.http]]
        route = "/..."
        component = "guest"
        [[trigger.http]]
        route = "/other/..."
        component = "other"
        [component.guest]
        source = "guest.wasm"
        variables = { url = "https://{{ api_host }}/v1", password = "{{ password }}", empty = "" }
        [component.other]
        source = "guest.wasm"
        variables = { own = "other's" }
        "#,
    )
    .variable("api_host", "example.com")
    .variable("password", "s3cret {{ api_host }}")
    .start()
    .await;
    let read = async |name| host.ask("/variable", &[("name", name)]).await;
    assert_eq!(read("url").await.ok(), "https://example.com/v1");
    // A value is a value: templates in it mean nothing.
    assert_eq!(read("password").await.ok(), "s3cret {{ api_host }}");
    assert_eq!(host.ask("/variable", &[("name", "empty")]).await.ok(), "");
    let other = host.ask("/other/variable", &[("name", "own")]).await;
    assert_eq!(other.ok(), "other's");
    for name in ["own", "api_host", "nothing"] {
        let error = host.ask("/variable", &[("name", name)]).await.error();
        assert!(error.starts_with("Error::Undefined("), "{name}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_name_is_told_apart_from_what_is_not_defined() {
    let host = App::guest("").start().await;
    for name in ["", "Upper", "a-b", "1a", "_a", "a__b", "a_", "ä"] {
        let error = host.ask("/variable", &[("name", name)]).await.error();
        assert!(error.starts_with("Error::InvalidName("), "{name}: {error}");
    }
    let error = host.ask("/variable", &[("name", "a_1")]).await.error();
    assert!(error.starts_with("Error::Undefined("), "{error}");
}
