//! Looking for a post that may be on X: what is found, what cannot be read, and when a person has to
//! decide.

use vivesphere_tests::fake_x::{Endpoint, Fault};

use crate::publishing::{Scene, outcomes};

#[tokio::test]
async fn a_text_with_a_link_to_a_picture_is_found_and_not_sent_again() {
    let scene = Scene::start().await;
    scene
        .fake
        .configure(|settings| settings.refuse_duplicates = false);
    for text in [
        "look at https://x.com/ann/status/1990000000000000001/photo/1",
        "https://twitter.com/ann/status/1990000000000000001/video/1 was it",
    ] {
        scene
            .fake
            .fault_next(Endpoint::CreatePost, 1, Fault::CutAfter);
        let post_id = scene.schedule(text).await;
        let post = scene.settle(&post_id).await;
        assert_eq!(post["state"], "published", "{post:#}");
        assert_eq!(outcomes(&post), ["unknown"]);
    }
    assert_eq!(scene.texts().len(), 2);
}
