//! Where a path leads. <https://spinframework.dev/v3/http-trigger#routing>

use crate::support::App;

/// Every component says its own name, whatever the path below it.
const NAMED: &str = r#"
    [[trigger.http]]
    route = "/..."
    component = "everything"
    [[trigger.http]]
    route = "/users/..."
    component = "below"
    [[trigger.http]]
    route = "/users/:id"
    component = "one"
    [[trigger.http]]
    route = "/users/me"
    component = "me"
    [[trigger.http]]
    route = "/users/:id/posts/:post"
    component = "post"
    [[trigger.http]]
    route = { private = true }
    component = "hidden"
"#;

fn named() -> App {
    let mut manifest = NAMED.to_owned();
    for id in ["everything", "below", "one", "me", "post", "hidden"] {
        manifest.push_str(&format!(
            "[component.{id}]\nsource = \"guest.wasm\"\nenvironment = {{ NAME = \"{id}\" }}\n"
        ));
    }
    App::new(&manifest)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_specific_route_wins() {
    let host = named().start().await;
    for (path, component) in [
        ("/", "everything"),
        ("/other", "everything"),
        ("/userss", "everything"),
        ("/users", "below"),
        ("/users/", "below"),
        ("/users/me", "me"),
        ("/users/me/", "me"),
        ("/users/7", "one"),
        ("/users/7/", "one"),
        ("/users/7/likes", "below"),
        ("/users/me/likes", "below"),
        ("/users/7/posts/8", "post"),
        ("/users/7/posts/8/more", "below"),
    ] {
        let query = [("fixture", "/environment"), ("name", "NAME")];
        let answer = host.ask(path, &query).await;
        assert_eq!(answer.ok(), component, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unrouted_path_is_a_bare_404() {
    let host = App::new(
        r#"
        [[trigger.http]]
        route = "/only"
        component = "guest"
        [component.guest]
        source = "guest.wasm"
        "#,
    )
    .start()
    .await;
    for path in ["/only", "/only/", "//only"] {
        assert_eq!(host.get(path).await.ok(), "hello");
    }
    for path in ["/", "/onl", "/only/more", "/ONLY"] {
        host.get(path).await.is_the_hosts(404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_component_cannot_be_reached_from_outside() {
    let host = App::new(
        r#"
        [[trigger.http]]
        route = "/public"
        component = "public"
        [[trigger.http]]
        route = { private = true }
        component = "hidden"
        [component.public]
        source = "guest.wasm"
        [component.hidden]
        source = "guest.wasm"
        "#,
    )
    .start()
    .await;
    for path in ["/hidden", "/", "/hidden.spin.internal", "/..."] {
        host.get(path).await.is_the_hosts(404);
    }
    let named = host
        .request("GET", "/hello")
        .header("host", "hidden.spin.internal");
    crate::support::send(named).await.is_the_hosts(404);
}
