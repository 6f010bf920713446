//! Documents that mean no good: each within 64 MiB and two seconds, and the next one works.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a failed unwrap is the assertion"
)]

use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use url::Url;
use vivesphere_feeds::limits::Deadline;
use vivesphere_feeds::{Document, ReadError, Selectors, feed, limits, page};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MOST_BYTES: usize = limits::MEMORY;
const MOST_TIME: Duration = limits::TIME;
/// As much as may be sent, nearly.
const FULL: usize = limits::DOCUMENT_BYTES - 4096;

fn base() -> Url {
    Url::parse("https://news.example/").unwrap()
}

fn selectors() -> Selectors {
    Selectors {
        item: "div .x".to_owned(),
        title: Some("b > i".to_owned()),
        link: Some("a[href]".to_owned()),
        summary: Some("div".to_owned()),
    }
}

type Read = Result<Document, ReadError>;

/// Both readers on one document, and what they took.
fn read(name: &str, document: &[u8]) -> (Read, Read) {
    let mut results = Vec::new();
    for kind in ["feed", "page"] {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let started = Instant::now();
        // Within the time without being told to give up.
        let deadline = Deadline::after(Duration::from_secs(60));
        results.push(match kind {
            "feed" => feed(document, &base(), None, deadline),
            _ => page(document, &base(), None, &selectors(), deadline),
        });
        let (took, used) = (started.elapsed(), MEMORY.peak_usage() - before);
        assert!(took < MOST_TIME, "{name} as a {kind} took {took:?}");
        assert!(used < MOST_BYTES, "{name} as a {kind} took {used} bytes");
    }
    let page = results.pop().unwrap();
    (results.pop().unwrap(), page)
}

fn filled(begin: &str, again: &str, end: &str) -> Vec<u8> {
    let room = FULL - begin.len() - end.len();
    format!("{begin}{}{end}", again.repeat(room / again.len())).into_bytes()
}

fn laughs() -> Vec<u8> {
    let entities: String = (0..30)
        .map(|number| {
            format!(
                "<!ENTITY l{} \"{}\">",
                number + 1,
                format!("&l{number};").repeat(10)
            )
        })
        .collect();
    filled(
        &format!("<!DOCTYPE rss [<!ENTITY l0 \"ha\">{entities}]><rss><channel><item><title>"),
        "&l30;",
        "laugh</title></item></channel></rss>",
    )
}

fn documents() -> Vec<(&'static str, Vec<u8>)> {
    let rss = "<rss><channel>";
    vec![
        ("nothing", Vec::new()),
        ("too long", vec![b'a'; 10 << 20]),
        ("one line", filled("<rss><channel><item><title>", "x", "")),
        ("deep", filled(rss, "<a>", "")),
        ("deep and closed", [filled(rss, "<a>", ""), b"</a>".repeat(1000)].concat()),
        ("many elements", filled(rss, "<a/>", "")),
        ("siblings below depth", format!("{}{}", "<div>".repeat(98), "<div class=x><b><i>a</i></b></div>".repeat(6_600)).into_bytes()),
        ("items within items", filled(rss, "<item><title>a", "")),
        ("many items", filled(rss, "<item><title>a title of some words</title><guid>1</guid></item>", "")),
        ("different items", (0..40_000).fold(rss.to_owned(), |text, number| text + &format!("<item><title>t{number}</title></item>")).into_bytes()),
        ("attributes", filled("<rss><channel><item ", "a='b' ", "><title>x</title></item>")),
        ("one attribute", filled("<rss><channel><item a='", "&amp;", "'><title>x</title></item>")),
        ("comments", filled(rss, "<!-- -->", "")),
        ("open comment", filled("<rss><channel><!--", "-", "")),
        ("open cdata", filled("<rss><channel><item><title><![CDATA[", "]]", "")),
        ("references", filled("<rss><channel><item><title>", "&#x1F600;", "")),
        ("ampersands", filled("<rss><channel><item><title>", "&", "</title></item>")),
        ("less than", filled(rss, "<", "")),
        ("ends", filled(rss, "</a>", "")),
        ("laughs", laughs()),
        ("external entity", b"<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><rss><channel><item><title>&x;plain</title></item></channel></rss>".to_vec()),
        ("json deep", filled("{\"version\":\"https://jsonfeed.org/version/1\",\"items\":", "[", "")),
        ("json objects", filled("{\"version\":\"https://jsonfeed.org/version/1\",\"items\":[", "{},", "{}]}")),
        ("json tags", filled("{\"version\":\"https://jsonfeed.org/version/1\",\"items\":[{\"tags\":[", "1,", "1]}]}")),
        ("json text", filled("{\"version\":\"https://jsonfeed.org/version/1\",\"items\":[{\"title\":\"", "\\u00e9", "\"}]}")),
        ("broken utf-8", b"\xff\xc0\xed\xa0\x80".repeat(FULL / 5)),
        ("broken utf-8 in a feed", [b"<rss><channel><item><title>".to_vec(), b"\xff".repeat(1000), b"</title></item></channel></rss>".to_vec()].concat()),
        ("utf-16", b"\xff\xfe<\0r\0s\0s\0>\0".repeat(FULL / 12)),
        ("another encoding", [b"<?xml version='1.0' encoding='shift_jis'?>".to_vec(), b"\x83".repeat(FULL - 100)].concat()),
        ("zeros", vec![0; FULL]),
        ("formatting", filled("", "<b><a href=x><font><nobr>", "")),
        ("tables", filled("", "<table><tr><td><svg><math>", "")),
        ("scripts", filled("<script>", "<!--<script>", "")),
        ("long tag", filled("<", "a", ">")),
        ("plaintext", filled("<div><div class=x><plaintext>", "</p>", "")),
    ]
}

#[test]
fn every_reader_stays_within_its_limits_and_the_next_document_works() {
    let good = b"<rss><channel><item><title>All is well</title></item></channel></rss>";
    for (name, document) in documents() {
        let (as_feed, _) = read(name, &document);
        if let Ok(read) = &as_feed {
            assert!(read.items.len() <= limits::ITEMS, "{name}");
            for item in &read.items {
                assert!(
                    item.title.chars().count() <= limits::TITLE_CHARACTERS + 1,
                    "{name}"
                );
                assert!(!item.title.contains("root:"), "{name}");
                assert!(item.key.len() <= 4 * limits::ADDRESS_CHARACTERS, "{name}");
            }
        }
        match name {
            "too long" => assert_eq!(as_feed, Err(ReadError::TooLong)),
            "deep" => assert_eq!(as_feed, Err(ReadError::TooDeep)),
            "many elements" => assert_eq!(as_feed, Err(ReadError::TooManyElements)),
            "laughs" => assert_eq!(as_feed.unwrap().items[0].title, "laugh"),
            "external entity" => assert_eq!(as_feed.unwrap().items[0].title, "plain"),
            "different items" => assert_eq!(as_feed.unwrap().items.len(), limits::ITEMS),
            _ => {}
        }
        let (next, _) = read("the next", good);
        assert_eq!(next.unwrap().items[0].title, "All is well", "after {name}");
    }
    // In this test, so that nothing else uses memory meanwhile.
    let anything = prop::collection::vec(
        prop_oneof![
            any::<u8>(),
            prop::sample::select(b"<>&;/!['\"=-?{}:,".to_vec())
        ],
        0..2_000,
    );
    TestRunner::default()
        .run(
            &(anything, "<rss><channel>|<feed>|\\{|<div>|"),
            |(bytes, begin)| {
                let document = [begin.as_bytes(), &bytes].concat();
                let _results = read("anything", &document);
                Ok(())
            },
        )
        .unwrap();
}
