//! The page at `/docs` in a real browser: seen, searched, steered by keyboard, tried.

use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::browser::Browser;

/// WebDriver's code points for keys.
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

/// The least contrast of any text with what is behind it (WCAG 2.2, 1.4.3 wants 4.5).
const CONTRAST: &str = "
    const light = (color) => {
        const parts = color.match(/[\\d.]+/g).slice(0, 3).map((part) => {
            part /= 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const behind = (element) => {
        for (; element; element = element.parentElement) {
            const color = getComputedStyle(element).backgroundColor;
            if (!/, 0\\)$/.test(color)) return color;
        }
        return 'rgb(255, 255, 255)';
    };
    let least = 21;
    for (const element of document.querySelectorAll('body *')) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (!own || !element.checkVisibility()) continue;
        const pair = [light(getComputedStyle(element).color), light(behind(element))];
        const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        least = Math.min(least, ratio);
    }
    return least;";

#[tokio::test]
async fn the_page_shows_every_operation_and_tries_them() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let app = App::start().await;
    let admin = app.admin().await;
    let document = admin.get("/api/v1/openapi.json").await.json(200);
    let count: usize = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|item| {
            item.as_object()
                .unwrap()
                .keys()
                .filter(|key| *key != "servers")
                .count()
        })
        .sum();

    let docs = format!("{}/docs", app.base_url);
    browser.open(&docs).await;
    let operations = "document.querySelectorAll('.operation').length";
    browser.wait_for(&format!("{operations} === {count}")).await;
    let visible = "return [...document.querySelectorAll('.operation')].filter((it) => \
        it.checkVisibility()).map((it) => it.id)";

    // Found by keyboard alone.
    browser.press("/").await;
    browser.press("paused bot").await;
    let found = browser.run(visible).await;
    assert_eq!(found, json!(["post_bots_by_bot_id_resume"]));
    browser.press(ESCAPE).await;
    assert_eq!(browser.run(visible).await.as_array().unwrap().len(), count);

    // Every operation opens, and says what it takes and gives.
    let empty = browser
        .run(
            "for (const it of document.querySelectorAll('.operation')) { it.open = true; it.fill(); }
             for (const it of document.querySelectorAll('details')) { it.open = true; it.fill?.(); }
             return [...document.querySelectorAll('.operation')]
                 .filter((it) => !it.querySelector('.answer dl')).map((it) => it.id)",
        )
        .await;
    assert_eq!(empty, json!([]));
    let text = browser.run("return document.body.textContent").await;
    for expected in [
        "permission bots:write",
        "bot_name string required",
        "at most 2400",
        "curl --request PATCH",
        "between components only",
    ] {
        assert!(text.as_str().unwrap().contains(expected), "{expected}");
    }
    assert!(!text.as_str().unwrap().contains("undefined"));
    assert!(!text.as_str().unwrap().contains("[object"));
    let unnamed = browser
        .run(
            "return [...document.querySelectorAll('input, textarea, select, button')].filter((it) =>
                 !(it.labels?.length || it.textContent.trim())).map((it) => it.outerHTML)",
        )
        .await;
    assert_eq!(unnamed, json!([]));
    for scheme in ["light", "dark"] {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        browser
            .command("Emulation.setEmulatedMedia", json!({"features": features}))
            .await;
        let least = browser.run(CONTRAST).await.as_f64().unwrap();
        assert!(least >= 4.5, "{scheme}: {least}");
    }

    try_it(&browser, &docs, admin.token.as_deref().unwrap()).await;
    on_a_phone(&browser, &docs).await;
    let complaints = browser.complaints().await;
    let own: Vec<&String> = complaints
        .iter()
        .filter(|it| !it.contains("/auth/me"))
        .collect();
    assert!(own.is_empty(), "{own:#?}");
}

/// An operation is opened by its address and by keyboard, and asked without and with a token.
async fn try_it(browser: &Browser, docs: &str, token: &str) {
    browser.open("about:blank").await;
    browser.open(&format!("{docs}#get_auth_me")).await;
    browser
        .wait_for("document.getElementById('get_auth_me')?.open")
        .await;
    let me = "document.getElementById('get_auth_me')";
    // Its address has put the focus on it: Enter shuts it and opens it.
    browser.press(ENTER).await;
    browser.wait_for(&format!("!{me}.open")).await;
    browser.press(ENTER).await;
    browser.wait_for(&format!("{me}.open")).await;
    browser
        .run(&format!("{me}.querySelector('.try > summary').focus()"))
        .await;
    browser.press(ENTER).await;
    let said = format!("{me}.querySelector('.try [role=status]')?.textContent ?? ''");
    for (typed, expected) in [
        ("", "\"missing_credentials\""),
        (token, "\"username\": \"admin\""),
    ] {
        browser
            .run("document.getElementById('token').focus()")
            .await;
        browser.press(typed).await;
        browser
            .wait_for(&format!("{me}.querySelector('.try button')"))
            .await;
        browser
            .run(&format!("{me}.querySelector('.try button').focus()"))
            .await;
        browser.press(ENTER).await;
        browser
            .wait_for(&format!("({said}).includes({})", json!(expected)))
            .await;
    }
    let line = browser
        .run(&format!(
            "return {me}.querySelector('.try pre').textContent"
        ))
        .await;
    assert!(line.as_str().unwrap().contains("Bearer $TOKEN"), "{line}");
    let kept = browser
        .run("return [localStorage.length, sessionStorage.length, document.cookie]")
        .await;
    assert_eq!(kept, json!([0, 0, ""]));
    let elsewhere = browser
        .run(
            "return performance.getEntriesByType('resource').map((it) => it.name)
                 .filter((it) => !it.startsWith(location.origin) && !it.startsWith('data:'))",
        )
        .await;
    assert_eq!(elsewhere, json!([]));
}

async fn on_a_phone(browser: &Browser, docs: &str) {
    let phone = json!({"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true});
    browser
        .command("Emulation.setDeviceMetricsOverride", phone)
        .await;
    browser.open("about:blank").await;
    browser.open(&format!("{docs}#patch_bots_by_bot_id")).await;
    browser
        .wait_for("document.getElementById('patch_bots_by_bot_id')?.open")
        .await;
    let sizes: Value = browser
        .run(
            "for (const it of document.querySelectorAll('details')) { it.open = true; it.fill?.(); }
             return [document.documentElement.scrollWidth, innerWidth,
                 Math.min(...[...document.querySelectorAll('button, input, select')]
                     .filter((it) => it.checkVisibility())
                     .map((it) => it.getBoundingClientRect().height))]",
        )
        .await;
    let [wide, room, least] = [0, 1, 2].map(|at| sizes[at].as_f64().unwrap());
    assert!(wide <= room, "it scrolls sideways: {wide} of {room}");
    assert!(least >= 24.0, "too small for a finger: {least}");
}
