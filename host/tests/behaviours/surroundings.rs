//! What a component sees besides requests: files and environment.

use crate::support::App;

#[tokio::test(flavor = "multi_thread")]
async fn files_are_mounted_read_only_and_nothing_else_is_seen() {
    let host =
        App::guest(r#"files = ["assets/*.txt", { source = "data", destination = "/mounted" }]"#)
            .file("assets/a.txt", "of the glob")
            .file("assets/b.secret", "not of the glob")
            .file("data/deep/c.txt", "of the folder")
            .file("beside.txt", "not granted")
            .start()
            .await;
    let read = async |path| host.ask("/file", &[("path", path)]).await;
    assert_eq!(read("/assets/a.txt").await.ok(), "of the glob");
    assert_eq!(read("assets/a.txt").await.ok(), "of the glob");
    assert_eq!(read("/mounted/deep/c.txt").await.ok(), "of the folder");
    for hidden in [
        "/assets/b.secret",
        "/beside.txt",
        "/spin.toml",
        "/etc/hostname",
        "/mounted/../beside.txt",
        "/mounted/deep/../../beside.txt",
    ] {
        read(hidden).await.error();
    }
    for path in [
        "/assets/a.txt",
        "/assets/new",
        "/mounted/deep/c.txt",
        "/mounted/new",
    ] {
        let query = [("path", path), ("write", "changed")];
        host.ask("/file", &query).await.error();
    }
    assert_eq!(read("/assets/a.txt").await.ok(), "of the glob");
    assert_eq!(read("/mounted/deep/c.txt").await.ok(), "of the folder");
    let folder = host.stop().await;
    let data = std::fs::read_to_string(folder.path().join("data/deep/c.txt"));
    assert_eq!(data.unwrap(), "of the folder");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_files_there_are_none() {
    let host = App::guest("").start().await;
    for path in ["/", "/etc/hostname", "guest.wasm"] {
        host.ask("/file", &[("path", path)]).await.error();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_the_manifests_and_the_command_lines() {
    let host = App::guest(r#"environment = { OWN = "manifest", BOTH = "manifest" }"#)
        .environment("BOTH", "command line")
        .environment("GIVEN", "command line")
        .start()
        .await;
    let read = async |name| host.ask("/environment", &[("name", name)]).await;
    assert_eq!(read("OWN").await.ok(), "manifest");
    assert_eq!(read("BOTH").await.ok(), "command line");
    assert_eq!(read("GIVEN").await.ok(), "command line");
    // The host's own environment is not the component's.
    assert!(std::env::var_os("PATH").is_some());
    assert_eq!(read("PATH").await.error(), "environment variable not found");
}
