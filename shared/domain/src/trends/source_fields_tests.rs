use super::*;

fn page() -> SourceFields {
    SourceFields {
        name: " A page ".to_owned(),
        kind: "page".to_owned(),
        url: Some("https://news.example/?utm_source=x#top".to_owned()),
        selectors: Some(PageSelectors {
            item: "li".to_owned(),
            title: None,
            link: None,
            summary: None,
        }),
        permission: Some(PagePermission {
            granted_by: "The editor".to_owned(),
            granted_at: 1,
            reference: "Letter of May".to_owned(),
        }),
        enabled: true,
        ..SourceFields::default()
    }
}

fn pointers(fields: SourceFields) -> Vec<String> {
    match fields.checked(false) {
        Err(Error::Invalid(errors)) => errors.into_iter().map(|error| error.pointer).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_page_is_taken_with_a_permission_only() {
    let checked = page().checked(false).unwrap();
    assert_eq!(checked.name, "A page");
    // The address as somebody wrote it, but for what is never sent.
    assert_eq!(checked.target.key(), "page news.example/?utm_source=x");
    let without = SourceFields {
        permission: None,
        ..page()
    };
    assert_eq!(pointers(without), ["/permission"]);
    let mut blank = page();
    blank.permission.as_mut().unwrap().reference = " ".to_owned();
    assert_eq!(pointers(blank), ["/permission/reference"]);
    let mut wrong = page();
    wrong.selectors.as_mut().unwrap().item = "li,".to_owned();
    assert_eq!(pointers(wrong), ["/selectors/item"]);
}

#[test]
fn what_does_not_belong_to_a_kind_is_refused() {
    let feed = |url: &str| SourceFields {
        kind: "feed".to_owned(),
        url: Some(url.to_owned()),
        selectors: None,
        permission: None,
        ..page()
    };
    assert_eq!(pointers(feed("https://news.example/rss")), [""; 0]);
    for refused in [
        "https://x.com/feed",
        "http://127.0.0.1/",
        "nonsense",
        "ftp://a.example/",
    ] {
        assert_eq!(pointers(feed(refused)), ["/url"], "{refused}");
    }
    assert_eq!(
        pointers(SourceFields {
            kind: "x_trends".to_owned(),
            ..page()
        }),
        ["/woeid", "/url", "/selectors", "/permission"]
    );
    assert_eq!(
        pointers(SourceFields {
            kind: "rss".to_owned(),
            ..page()
        }),
        ["/kind"]
    );
    let wrong = SourceFields {
        name: String::new(),
        language: Some("!".to_owned()),
        category: Some("\n".to_owned()),
        weight: Some(f64::NAN),
        interval_seconds: Some(1),
        ..feed("https://news.example/rss")
    };
    assert_eq!(
        pointers(wrong),
        [
            "/name",
            "/category",
            "/language",
            "/weight",
            "/interval_seconds"
        ]
    );
}
