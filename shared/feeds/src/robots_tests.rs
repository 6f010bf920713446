//! The RFC's own examples, and what crawlers meet.

use proptest::prelude::*;

use super::*;

fn allows(file: &str, product: &str, path: &str) -> bool {
    Robots::parse(file.as_bytes(), product).allows(path)
}

#[test]
fn the_simple_example_of_the_rfc() {
    // RFC 9309, section 5.1.
    let file = "User-Agent: *\nDisallow: *.gif$\nDisallow: /example/\nAllow: /publications/\n\n\
        User-Agent: foobot\nDisallow:/\nAllow:/example/page.html\nAllow:/example/allowed.gif\n\n\
        User-Agent: barbot\nUser-Agent: bazbot\nDisallow: /example/page.html\n\n\
        User-Agent: quxbot\n";
    assert!(!allows(file, "other", "/a.gif"));
    assert!(allows(file, "other", "/a.gif?b"));
    assert!(!allows(file, "other", "/example/a"));
    assert!(allows(file, "other", "/publications/a"));
    assert!(!allows(file, "foobot", "/anything"));
    assert!(allows(file, "foobot", "/example/page.html"));
    assert!(allows(file, "FooBot", "/example/allowed.gif"));
    for product in ["barbot", "bazbot"] {
        assert!(!allows(file, product, "/example/page.html"));
        assert!(allows(file, product, "/a.gif"));
    }
    assert!(allows(file, "quxbot", "/example/page.html"));
}

#[test]
fn the_longest_match_of_the_rfc() {
    // RFC 9309, section 5.2.
    let file =
        "User-Agent: foobot\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif\n";
    assert!(!allows(file, "foobot", "/example/page/disallowed.gif"));
    assert!(allows(file, "foobot", "/example/page/other.gif"));
    let tie = "user-agent: *\ndisallow: /a\nallow: /a\n";
    assert!(allows(tie, "foobot", "/a/b"));
}

#[test]
fn encodings_are_compared_in_one_form() {
    // RFC 9309, section 2.2.2, its table.
    for (pattern, path, fits) in [
        ("/foo/bar?baz=quz", "/foo/bar?baz=quz", true),
        (
            "/foo/bar?baz=https://foo.bar",
            "/foo/bar?baz=https://foo.bar",
            true,
        ),
        ("/foo/bar/ツ", "/foo/bar/%E3%83%84", true),
        ("/foo/bar/%E3%83%84", "/foo/bar/%e3%83%84", true),
        ("/foo/bar/%62%61%7A", "/foo/bar/baz", true),
        ("/foo/%2Fbar", "/foo//bar", false),
    ] {
        let file = format!("user-agent: *\ndisallow: {pattern}\n");
        assert_eq!(!allows(&file, "any", path), fits, "{pattern} {path}");
    }
}

#[test]
fn special_characters() {
    for (pattern, path, fits) in [
        ("/*/private", "/a/private", true),
        ("/*/private", "/private", false),
        ("/a*b*c$", "/axxbxxc", true),
        ("/a*b*c$", "/axxbxxcd", false),
        ("/a$", "/a", true),
        ("/a$", "/ab", false),
        ("/*", "/anything", true),
        ("*", "/anything", true),
        ("/a*a$", "/a", false),
        ("private", "/private", true),
    ] {
        let file = format!("user-agent: *\ndisallow: {pattern}\n");
        assert_eq!(!allows(&file, "any", path), fits, "{pattern} {path}");
    }
}

#[test]
fn groups_of_one_crawler_are_one_and_a_stranger_gets_none() {
    let file = "Disallow: /before-any-group\nuser-agent: a\ndisallow: /x\nuser-agent: b\ndisallow: /y\n\
        user-agent: A/1.0\ndisallow: /z\nsitemap: https://news.example/map.xml\n";
    assert!(!allows(file, "a", "/x"));
    assert!(!allows(file, "a", "/z"));
    assert!(allows(file, "a", "/y"));
    assert!(allows(file, "c", "/x"));
    assert!(allows(file, "c", "/before-any-group"));
    // A sitemap between two user agents parts no group.
    let parted =
        "user-agent: a\nsitemap: https://news.example/map.xml\nuser-agent: b\ndisallow: /\n";
    assert!(!allows(parted, "a", "/x"));
}

#[test]
fn crawl_delay_is_the_group_s() {
    let file = "user-agent: *\ncrawl-delay: 30\nuser-agent: slow\ncrawl-delay: 2.5\ndisallow:\n\
        user-agent: odd\ncrawl-delay: -1\nuser-agent: never\ncrawl-delay: 1e99\n";
    let delay = |product| Robots::parse(file.as_bytes(), product).crawl_delay();
    assert_eq!(delay("other"), Some(Duration::from_secs(30)));
    assert_eq!(delay("slow"), Some(Duration::from_millis(2_500)));
    assert_eq!(delay("odd"), None);
    assert_eq!(delay("never"), Some(Duration::from_secs(86_400)));
}

#[test]
fn the_file_may_always_be_fetched_and_nothing_else_when_it_cannot_be_had() {
    assert!(!Robots::disallow_all().allows("/a"));
    assert!(Robots::disallow_all().allows("/robots.txt"));
    assert!(Robots::allow_all().allows("/a"));
}

#[test]
fn a_file_beyond_the_limit_is_read_up_to_there() {
    let mut file = "user-agent: *\ndisallow: /early\n".to_owned();
    file.push_str(&"# much\n".repeat(100_000));
    file.push_str("disallow: /late\n");
    assert!(!allows(&file, "any", "/early"));
    assert!(allows(&file, "any", "/late"));
    // As many rules and stars as one likes do not take long.
    let hostile = format!(
        "user-agent: *\n{}",
        format!("disallow: /{}z$\n", "*a".repeat(400)).repeat(600)
    );
    let robots = Robots::parse(hostile.as_bytes(), "any");
    let started = std::time::Instant::now();
    assert!(robots.allows(&format!("/{}", "a".repeat(2_000))));
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn what_is_kept_comes_back() {
    let robots = Robots::parse(
        b"\xef\xbb\xbfUser-agent: *\r\nDisallow: /a\r\nCrawl-delay: 3\r\n",
        "x",
    );
    let json = serde_json::to_string(&robots).unwrap();
    assert_eq!(serde_json::from_str::<Robots>(&json).unwrap(), robots);
    assert!(!robots.allows("/a"));
}

proptest! {
    #[test]
    fn any_file_is_read(file in prop::collection::vec(any::<u8>(), 0..400), path in "/[ -~]{0,40}") {
        let _answer = Robots::parse(&file, "ViveSphere").allows(&path);
    }

    #[test]
    fn a_pattern_without_special_characters_is_a_prefix(prefix in "/[a-z/]{0,12}", path in "/[a-z/]{0,16}") {
        let file = format!("user-agent: *\ndisallow: {prefix}\n");
        prop_assert_eq!(!allows(&file, "any", &path), path.starts_with(&prefix));
    }
}
