//! Texts on their way through X and back.

use proptest::prelude::*;
use serde_json::json;
use unicode_normalization::UnicodeNormalization as _;

use super::*;

fn entities(urls: &[(&str, &str, &str)]) -> Entities {
    serde_json::from_value(
        json!({"urls": urls.iter().map(|(url, expanded, display)| json!({
        "url": url, "expanded_url": expanded, "display_url": display
    })).collect::<Vec<_>>()}),
    )
    .unwrap()
}

#[test]
fn links_entities_white_space_and_forms_do_not_matter() {
    let urls = entities(&[(
        "https://t.co/abcdefghij",
        "https://example.com/a?x=1&y=2",
        "example.com/a?x=1&y=2",
    )]);
    assert!(matches_text(
        "Fish & chips < 5  at\nhttps://example.com/a?x=1&y=2 cafe\u{301}",
        "Fish &amp; chips &lt; 5 at https://t.co/abcdefghij café",
        Some(&urls),
        false
    ));
    assert!(!matches_text(
        "Fish & chips at https://example.com/b",
        "Fish &amp; chips at https://t.co/abcdefghij",
        Some(&urls),
        false
    ));
}

#[test]
fn a_bare_domain_matches_its_expansion() {
    for expanded in ["http://example.com", "https://example.com/"] {
        let urls = entities(&[("https://t.co/abcdefghij", expanded, "example.com")]);
        for intended in ["see Example.com.", "see example.com."] {
            assert!(matches_text(
                intended,
                "see https://t.co/abcdefghij.",
                Some(&urls),
                false
            ));
        }
    }
}

#[test]
fn paths_have_a_case() {
    let urls = entities(&[("https://t.co/abcdefghij", "https://a.com/Ab", "a.com/Ab")]);
    assert!(matches_text(
        "https://A.com/Ab",
        "https://t.co/abcdefghij",
        Some(&urls),
        false
    ));
    assert!(!matches_text(
        "https://a.com/ab",
        "https://t.co/abcdefghij",
        Some(&urls),
        false
    ));
}

#[test]
fn the_link_of_a_picture_is_dropped() {
    let urls = entities(&[(
        "https://t.co/abcdefghij",
        "https://x.com/me/status/1/photo/1",
        "pic.x.com/abcdefghij",
    )]);
    assert!(matches_text(
        "look",
        "look https://t.co/abcdefghij",
        Some(&urls),
        false
    ));
}

#[test]
fn a_link_to_a_picture_that_was_written_is_part_of_the_text() {
    let urls = entities(&[(
        "https://t.co/abcdefghij",
        "https://x.com/me/status/1/photo/1",
        "x.com/me/status/1/photo…",
    )]);
    let published = "look https://t.co/abcdefghij";
    for intended in [
        "look https://x.com/me/status/1/photo/1",
        "look x.com/me/status/1/photo/1",
        "look https://twitter.com/me/status/1/photo/1",
    ] {
        assert!(matches_text(intended, published, Some(&urls), false));
    }
    let other = "look https://x.com/me/status/2/photo/1";
    assert!(!matches_text(other, published, Some(&urls), false));
    // One was written, another is the attached picture's.
    let urls: Entities = serde_json::from_value(json!({"urls": [
        {"url": "https://t.co/aaaaaaaaaa", "expanded_url": "https://x.com/me/status/1/photo/1"},
        {"url": "https://t.co/bbbbbbbbbb", "expanded_url": "https://x.com/me/status/9/photo/1",
            "media_key": "3_9"},
    ]}))
    .unwrap();
    assert!(matches_text(
        "look x.com/me/status/1/photo/1",
        "look https://t.co/aaaaaaaaaa https://t.co/bbbbbbbbbb",
        Some(&urls),
        false
    ));
}

#[test]
fn a_link_may_come_back_in_another_spelling() {
    for (intended, expanded) in [
        (
            "https://bücher.example/a",
            "https://xn--bcher-kva.example/a",
        ),
        (
            "https://xn--bcher-kva.example/a",
            "https://bücher.example/a",
        ),
        ("https://a.example/caf\u{e9}", "https://a.example/caf%C3%A9"),
        ("https://a.example/caf%C3%A9", "https://a.example/caf\u{e9}"),
        ("bücher.example/ü", "http://xn--bcher-kva.example/%C3%BC"),
    ] {
        let urls = entities(&[("https://t.co/abcdefghij", expanded, "…")]);
        let published = "see https://t.co/abcdefghij now";
        let intended = format!("see {intended} now");
        assert!(
            matches_text(&intended, published, Some(&urls), false),
            "{intended}: {expanded}"
        );
    }
}

#[test]
fn a_link_of_unknown_target_may_be_any_link() {
    let urls: Entities =
        serde_json::from_value(json!({"urls": [{"url": "https://t.co/abcdefghij"}]})).unwrap();
    let published = "see https://t.co/abcdefghij, now";
    for (intended, fits) in [
        ("see https://example.com/a, now", true),
        ("see example.com, now", true),
        ("see nothing, now", false),
        ("see https://example.com/a and more, now", false),
        ("see https://example.com/a, later", false),
    ] {
        assert_eq!(
            matches_text(intended, published, Some(&urls), false),
            fits,
            "{intended}"
        );
    }
}

#[test]
fn mentions_before_a_reply_do_not_matter() {
    assert!(matches_text("thanks", "@one @two_2 thanks", None, true));
    assert!(!matches_text("thanks", "@one @two_2 thanks", None, false));
    assert!(!matches_text("thanks", "@one no thanks", None, true));
    assert!(matches_text("@one thanks", "@one thanks", None, true));
}

#[test]
fn an_entity_that_was_meant_literally_stays() {
    assert!(matches_text(
        "write &amp; here",
        "write &amp;amp; here",
        None,
        false
    ));
    assert!(matches_text(
        "write &eacute; here",
        "write &eacute; here",
        None,
        false
    ));
}

#[test]
fn a_long_text_is_read_from_its_note() {
    let post: Post = serde_json::from_value(json!({
        "id": "1", "text": "short…", "note_tweet": {"text": "the whole text"}
    }))
    .unwrap();
    assert!(matches("the whole text", None, &post));
    assert!(!matches("short…", None, &post));
}

#[test]
fn one_text_is_not_its_beginning() {
    assert!(!matches_text("a b", "a b c", None, false));
    assert!(!matches_text("a b c", "a b", None, false));
}

/// What X does to a text, here with links of one form.
fn publish(parts: &[Part]) -> (String, String, Entities) {
    let mut intended = String::new();
    let mut published = String::new();
    let mut urls = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Words(words) => {
                intended.push_str(words);
                published.push_str(
                    &words
                        .replace('&', "&amp;")
                        .replace('<', "&lt;")
                        .replace('>', "&gt;"),
                );
            }
            Part::Link(path) => {
                let target = format!("https://example.com/{path}");
                let short = format!("https://t.co/{index:010}");
                intended.push_str(&format!(" {target} "));
                published.push_str(&format!(" {short} "));
                urls.push((short, target.clone(), target));
            }
        }
    }
    let borrowed: Vec<_> = urls
        .iter()
        .map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str()))
        .collect();
    let published: String = published.trim().nfc().collect();
    (intended, published, entities(&borrowed))
}

#[derive(Debug, Clone)]
enum Part {
    Words(String),
    Link(String),
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    prop::collection::vec(
        prop_oneof![
            ".{0,40}".prop_map(Part::Words),
            "[a-z0-9/]{0,12}".prop_map(Part::Link),
        ],
        0..6,
    )
}

proptest! {
    #[test]
    fn what_was_published_matches(parts in parts()) {
        let (intended, published, urls) = publish(&parts);
        prop_assert!(matches_text(&intended, &published, Some(&urls), false), "{intended:?} {published:?}");
    }

    #[test]
    fn another_text_does_not(parts in parts(), word in "[a-z]{1,9}") {
        let (intended, published, urls) = publish(&parts);
        let other = format!("{intended} {word}");
        prop_assert!(!matches_text(&other, &published, Some(&urls), false));
    }

    #[test]
    fn nothing_breaks_it(intended: String, published: String, url: String, target: String) {
        let urls = entities(&[(&url, &target, &target)]);
        let _either = matches_text(&intended, &published, Some(&urls), true);
    }
}
