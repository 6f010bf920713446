use super::*;

const PAGE: &str = r#"<!doctype html><html><body><nav><a href="/nav">menu</a></nav>
<ul class="list"><li class="story"><h3>First &amp; <em>best</em></h3><p class="lead">An excerpt</p>
<a href="/one?utm_source=x">read</a><a href="/other">other</a></li>
<li class="story"><h3>Second</h3><img src="x"><br><a href="two">read</a></li>
<li class="ad"><h3>Buy</h3></li></ul></body></html>"#;

fn read(html: &str, item: &str, title: Option<&str>) -> Result<Document, ReadError> {
    let selectors = Selectors {
        item: item.to_owned(),
        title: title.map(str::to_owned),
        summary: Some(".lead".to_owned()),
        link: None,
    };
    page(
        html.as_bytes(),
        &Url::parse("https://news.example/list/").unwrap(),
        None,
        &selectors,
        Deadline::after(crate::limits::TIME),
    )
}

#[test]
fn what_takes_too_long_is_given_up_with_what_was_found() {
    let html = "<ul>".to_owned() + &"<li>An item</li>".repeat(500);
    let selectors = Selectors {
        item: "li".to_owned(),
        ..Selectors::default()
    };
    let base = Url::parse("https://news.example/").unwrap();
    let late = Deadline::after(std::time::Duration::ZERO);
    let document = page(html.as_bytes(), &base, None, &selectors, late).unwrap();
    assert_eq!(document.cut_short, Some(ReadError::TooSlow));
}

#[test]
fn items_are_found() {
    let document = read(PAGE, "li.story", Some("h3")).unwrap();
    assert_eq!(document.items.len(), 2);
    let one = &document.items[0];
    assert_eq!(one.title, "First & best");
    assert_eq!(one.summary, "An excerpt");
    assert_eq!(one.url.as_deref(), Some("https://news.example/one"));
    assert_eq!(
        document.items[1].url.as_deref(),
        Some("https://news.example/list/two")
    );
    // Without a selector for the title, the item's own text.
    let document = read(PAGE, "ul.list > li:not(.ad) a", None).unwrap();
    assert_eq!(document.items[0].title, "read");
    assert_eq!(
        document.items[0].url.as_deref(),
        Some("https://news.example/one")
    );
    assert_eq!(read(PAGE, "article", None), Err(ReadError::NothingSelected));
}

#[test]
fn selectors_are_checked() {
    for (bad, detail) in [
        ("", "empty"),
        ("a, b", "list"),
        ("li >", "understood"),
        ("li:hover", "understood"),
        ("a + b", "understood"),
    ] {
        let selectors = Selectors {
            item: bad.to_owned(),
            ..Selectors::default()
        };
        let error = selectors.check().unwrap_err();
        assert_eq!(error.field, "item");
        assert!(error.detail.contains(detail), "{bad}: {}", error.detail);
    }
    let selectors = Selectors {
        item: "li".to_owned(),
        link: Some("> a".to_owned()),
        ..Selectors::default()
    };
    assert_eq!(selectors.check().unwrap_err().field, "link");
}
