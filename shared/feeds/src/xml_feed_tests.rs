use super::*;
use crate::feed::feed;

fn read_all(text: &str) -> Document {
    feed(
        text.as_bytes(),
        &Url::parse("https://news.example/feed.xml").unwrap(),
        None,
        Deadline::after(crate::limits::TIME),
    )
    .unwrap()
}

#[test]
fn rss_2() {
    let document = read_all(
        r#"<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x "expanded">]>
        <rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
        <title>News &amp; more</title><language>en-GB</language><ttl>30</ttl>
        <image><title>not this</title></image>
        <item><title><![CDATA[One <b>bold</b> thing]]></title><link>/one?utm_medium=rss</link>
          <guid isPermaLink="false">n-1</guid><pubDate>Fri, 20 Nov 2026 14:00:00 GMT</pubDate>
          <category>World</category><category>Second</category>
          <description>&lt;p&gt;An &amp;amp; excerpt &x;&lt;/p&gt;</description></item>
        <item><description>No title, but <![CDATA[text]]></description><link>https://a.example/2</link></item>
        <item><guid>n-1</guid><title>The same again</title></item>
        <item></item></channel></rss>"#,
    );
    assert_eq!(document.title.as_deref(), Some("News & more"));
    assert_eq!(document.language.as_deref(), Some("en-GB"));
    assert_eq!(document.minutes_between_fetches, Some(30));
    assert!(!document.ranking);
    assert_eq!(document.items.len(), 2);
    let one = &document.items[0];
    assert_eq!(one.title, "One bold thing");
    assert_eq!(one.url.as_deref(), Some("https://news.example/one"));
    assert_eq!(
        (one.key.as_str(), one.category.as_deref()),
        ("n-1", Some("world"))
    );
    assert_eq!(one.summary, "An & excerpt");
    assert_eq!(one.published_at, Some(1_795_183_200_000));
    assert_eq!(document.items[1].title, "No title, but text");
    assert_eq!(document.cut_short, None);
}

#[test]
fn atom() {
    let document = read_all(
        r#"<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><title type="html">Blatt</title>
        <link rel="self" href="https://news.example/feed.xml"/>
        <entry xml:lang="fr"><id>urn:1</id><title type="xhtml"><div>Un <i>titre</i></div></title>
          <link rel="enclosure" href="https://news.example/a.mp3"/>
          <link href="https://news.example/a&amp;b#c"/><category term="Sport"/>
          <updated>2026-11-20T15:00:00+01:00</updated><published>2026-11-20T14:00:00Z</published>
          <content type="html">&lt;p&gt;texte&lt;/p&gt;</content></entry></feed>"#,
    );
    assert_eq!(document.language.as_deref(), Some("de"));
    let one = &document.items[0];
    assert_eq!(one.title, "Un titre");
    assert_eq!(one.url.as_deref(), Some("https://news.example/a&b"));
    assert_eq!(
        (one.language.as_deref(), one.category.as_deref()),
        (Some("fr"), Some("sport"))
    );
    assert_eq!(
        (one.summary.as_str(), one.published_at),
        ("texte", Some(1_795_183_200_000))
    );
}

#[test]
fn rdf_and_json_feed() {
    let document = read_all(
        r#"<rdf:RDF xmlns="http://purl.org/rss/1.0/"><channel rdf:about="x"><title>Old</title></channel>
        <item rdf:about="https://news.example/1"><title>First</title><link>https://news.example/1</link>
        <dc:date>2026-11-20T14:00:00Z</dc:date></item></rdf:RDF>"#,
    );
    assert_eq!(document.items[0].key, "https://news.example/1");
    assert_eq!(document.items[0].published_at, Some(1_795_183_200_000));
    let document = read_all(
        r#"{"version": "https://jsonfeed.org/version/1.1", "title": "J", "language": "en", "items": [
        {"id": 5, "title": "Five", "url": "https://news.example/5", "tags": ["A"], "content_html": "<p>x</p>"},
        {"id": "6", "content_text": "Only text here", "unknown": {"deep": [1]}}, {"id": null}]}"#,
    );
    assert_eq!(document.items.len(), 2);
    assert_eq!(
        (
            document.items[0].key.as_str(),
            document.items[0].summary.as_str()
        ),
        ("5", "x")
    );
    assert_eq!(document.items[1].title, "Only text here");
}

#[test]
fn google_trends() {
    let document = read_all(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:ht="https://trends.google.com/trending/rss">
 <channel><title>Daily Search Trends</title><link>https://trends.google.com/trending/rss?geo=US</link>
  <item><title>example storm</title><ht:approx_traffic>2K+</ht:approx_traffic><description></description>
   <link>https://trends.google.com/trending/rss?geo=US</link><pubDate>Fri, 20 Nov 2026 06:00:00 -0800</pubDate>
   <ht:picture>https://img.example/1.jpg</ht:picture><ht:picture_source>Example News</ht:picture_source>
   <ht:news_item><ht:news_item_title>Storm &amp; coast</ht:news_item_title><ht:news_item_snippet></ht:news_item_snippet>
    <ht:news_item_url>https://news.example/a</ht:news_item_url><ht:news_item_picture>https://img.example/2.jpg</ht:news_item_picture>
    <ht:news_item_source>Example News</ht:news_item_source></ht:news_item>
  </item></channel></rss>"#,
    );
    assert!(document.ranking);
    let one = &document.items[0];
    assert_eq!(
        (one.title.as_str(), one.volume),
        ("example storm", Some(2_000))
    );
    assert_eq!(one.key, "example storm 20777");
    assert_eq!(
        one.news,
        [News {
            title: "Storm & coast".to_owned(),
            url: Some("https://news.example/a".to_owned()),
            source: Some("Example News".to_owned()),
        }]
    );
    for (text, number) in [
        ("500+", Some(500)),
        ("50,000+", Some(50_000)),
        ("1.5M", Some(1_500_000)),
        ("many", None),
        ("", None),
    ] {
        assert_eq!(approximate(text), number, "{text}");
    }
}

#[test]
fn what_is_no_feed_says_so() {
    let base = Url::parse("https://news.example/").unwrap();
    let in_time = Deadline::after(crate::limits::TIME);
    let read = |text: &str| {
        feed(text.as_bytes(), &base, None, in_time).map(|document| document.items.len())
    };
    for text in [
        "",
        "plain text",
        "<html><body><item><title>x</title></item></body></html>",
        "<!DOCTYPE html><p>x",
    ] {
        assert!(
            matches!(read(text), Err(ReadError::NotAFeed | ReadError::Malformed)),
            "{text}"
        );
    }
    assert_eq!(read("{\"items\": []}"), Err(ReadError::NotAFeed));
    assert_eq!(read("{"), Err(ReadError::Malformed));
    assert_eq!(read("<rss><channel></channel></rss>"), Ok(0));
}

#[test]
fn a_document_that_breaks_off_gives_what_came() {
    let whole = "<rss><channel><item><title>one</title></item><item><title>two";
    let document = read_all(whole);
    assert_eq!(document.items.len(), 1);
    assert_eq!(document.cut_short, Some(ReadError::Malformed));
}

#[test]
fn what_takes_too_long_is_given_up_with_what_was_found() {
    let base = Url::parse("https://news.example/").unwrap();
    let late = Deadline::after(std::time::Duration::ZERO);
    let text = "<rss><channel><item><title>First</title></item>".to_owned() + &"<b/>".repeat(500);
    let document = feed(text.as_bytes(), &base, None, late).unwrap();
    assert_eq!(document.items.len(), 1);
    assert_eq!(document.cut_short, Some(ReadError::TooSlow));
    let text = "<rss><channel>".to_owned() + &"<b/>".repeat(500);
    let read = feed(text.as_bytes(), &base, None, late);
    assert_eq!(read, Err(ReadError::TooSlow));
    let json = r#"{"version": "https://jsonfeed.org/version/1", "items": [{"title": "One"}]}"#;
    let read = feed(json.as_bytes(), &base, None, late);
    assert_eq!(read, Err(ReadError::TooSlow));
}

#[test]
fn what_is_no_markup_keeps_what_looks_like_it() {
    let base = Url::parse("https://news.example/").unwrap();
    let read = |text: &str| {
        let read = feed(
            text.as_bytes(),
            &base,
            None,
            Deadline::after(crate::limits::TIME),
        );
        let items = read.unwrap().items.into_iter();
        items
            .map(|item| (item.title, item.summary))
            .collect::<Vec<_>>()
    };
    let pair = |title: &str, summary: &str| (title.to_owned(), summary.to_owned());
    let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom">
        <entry><id>1</id><title>Vec&lt;T&gt; beats List&lt;T&gt;</title><summary type="text">a &lt;b> c</summary></entry>
        <entry><id>2</id><title type="html">&lt;b>bold&lt;/b> &amp;amp; more</title></entry>
        <entry><id>3</id><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">one <i>two</i></div></title></entry></feed>"#;
    assert_eq!(
        read(atom),
        [
            pair("Vec<T> beats List<T>", "a <b> c"),
            pair("bold & more", ""),
            pair("one two", ""),
        ]
    );
    let json = r#"{"version": "https://jsonfeed.org/version/1.1", "items": [
        {"id": "1", "title": "Vec<T>", "content_text": "if a<b then stop"},
        {"id": "2", "title": "html", "content_html": "a <b>bold</b> word"}]}"#;
    assert_eq!(
        read(json),
        [
            pair("Vec<T>", "if a<b then stop"),
            pair("html", "a bold word"),
        ]
    );
    // RSS does not say which it is: as everybody writes it, it is markup.
    let rss =
        "<rss><channel><item><title>AT&amp;amp;T &lt;i>new&lt;/i></title></item></channel></rss>";
    assert_eq!(read(rss), [pair("AT&T new", "")]);
}

#[test]
fn one_odd_field_of_a_json_feed_costs_that_field_alone() {
    let base = Url::parse("https://news.example/").unwrap();
    let json = r#"{"version": "https://jsonfeed.org/version/1.1", "title": null, "language": 7, "items": [
        {"id": 1, "title": "One", "tags": null, "url": 5},
        {"id": {"a": [1]}, "title": "Two", "tags": [["x"], "y"], "date_published": false},
        null, [1], "three",
        {"id": 2.5, "title": ["no"], "content_text": "Four", "tags": {"a": 1}},
        {"id": "5", "title": "Five", "tags": ["first", 2]}]}"#;
    let read = feed(
        json.as_bytes(),
        &base,
        None,
        Deadline::after(crate::limits::TIME),
    )
    .unwrap();
    let found: Vec<_> = read
        .items
        .iter()
        .map(|item| (item.title.as_str(), item.category.as_deref()))
        .collect();
    assert_eq!(
        found,
        [
            ("One", None),
            ("Two", None),
            ("Four", None),
            ("Five", Some("first"))
        ]
    );
}
