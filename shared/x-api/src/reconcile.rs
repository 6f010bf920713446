//! Whether a post on the timeline is the one that was meant.
//!
//! X does not give a text back as it got it: links become t.co, `&`, `<` and `>` become entities,
//! an attached picture appends a link, a reply may begin with mentions, white space and Unicode
//! forms change. So both sides are brought into one form, and each link of the published text
//! stands for any way in which its target may have been written.

use icu_normalizer::ComposingNormalizerBorrowed;
use idna::punycode;
use percent_encoding::{CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::post::{Entities, Post, UrlEntity};

/// Stands for a link while the text around it is brought into form. X refuses this character in
/// posts, so no text contains it.
const LINK: char = '\u{FFFF}';

/// Unicode's composed form, in which X counts and keeps texts.
const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();

/// Whether `post` says what `intended_text` says, and answers what it was meant to answer: nothing, or
/// the post with this id. Where X does not say what it answers, the text decides: to take a post for
/// absent that is there would double it.
#[must_use]
pub fn matches(intended_text: &str, in_reply_to: Option<&str>, post: &Post) -> bool {
    let answered = post.in_reply_to();
    (answered.is_none() || answered == in_reply_to) && says(intended_text, post)
}

fn says(intended_text: &str, post: &Post) -> bool {
    let (text, entities) = match &post.note {
        Some(note) => (&note.text, note.entities.as_ref()),
        None => (&post.text, post.entities.as_ref()),
    };
    let urls = entities.or(post.entities.as_ref());
    matches_text(intended_text, text, urls, post.is_reply())
}

/// [`matches`] for a text with its entities. `is_reply` lets the published text begin with
/// mentions that the intended one does not have.
#[must_use]
pub fn matches_text(
    intended_text: &str,
    published_text: &str,
    entities: Option<&Entities>,
    is_reply: bool,
) -> bool {
    let intended = normalize(intended_text);
    let urls = entities.map_or(&[][..], |entities| &entities.urls);
    let (template, links) = template(&intended, published_text, urls);
    // Entities are unescaped, but a text that came unescaped may spell one out itself.
    let decoded = without_entities(&template);
    [decoded.as_str(), template.as_str()].iter().any(|form| {
        let form = normalize_template(form);
        fits(&intended, &form, &links)
            || (is_reply && without_mentions(&form).any(|shorter| fits(&intended, shorter, &links)))
    })
}

fn normalize(text: &str) -> String {
    normalize_template(&text.replace(LINK, ""))
}

fn normalize_template(text: &str) -> String {
    let composed = NFC.normalize(text);
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The three characters that X escapes. `&amp;` comes last: what it uncovers was typed.
fn without_entities(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// The published text with [`LINK`] in the place of each link, and the links in order. The links
/// of attached media are left out, unless the intended text has them: people write such links, too.
fn template<'a>(intended: &str, text: &str, urls: &'a [UrlEntity]) -> (String, Vec<&'a UrlEntity>) {
    let mut rest: &str = text;
    let mut template = String::with_capacity(text.len());
    let mut links = Vec::new();
    while !rest.is_empty() {
        // The longest at this place: one link may begin like another.
        let here = urls
            .iter()
            .filter(|entity| !entity.url.is_empty() && rest.starts_with(&entity.url))
            .max_by_key(|entity| entity.url.len());
        if let Some(entity) = here {
            if !is_media(entity, intended) {
                template.push(LINK);
                links.push(entity);
            }
            rest = rest.get(entity.url.len()..).unwrap_or_default();
            continue;
        }
        let mut characters = rest.chars();
        match characters.next() {
            Some(LINK) | None => {}
            Some(character) => template.push(character),
        }
        rest = characters.as_str();
    }
    (template, links)
}

/// The link that X appends for a picture leads to the post itself. One that looks like it and stands
/// in the intended text was written there.
fn is_media(entity: &UrlEntity, intended: &str) -> bool {
    if entity.media_key.is_some() {
        return true;
    }
    let looks_like_it = entity.expanded_url.as_deref().is_some_and(|url| {
        is_of_x(url)
            && url.contains("/status/")
            && (url.contains("/photo/") || url.contains("/video/"))
    });
    looks_like_it && !is_written(entity, intended)
}

/// Whether a text has this link in any spelling.
fn is_written(entity: &UrlEntity, text: &str) -> bool {
    let ways = spellings(entity);
    text.char_indices()
        .any(|(at, _)| ways.iter().any(|way| begins_with(text, at, way)))
}

/// X's hosts, under which the same posts are found.
const OWN_HOSTS: [&str; 2] = ["x.com/", "twitter.com/"];

fn is_of_x(url: &str) -> bool {
    let bare = without_scheme(url);
    OWN_HOSTS.iter().any(|host| bare.starts_with(host))
}

fn without_scheme(url: &str) -> &str {
    url.strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .unwrap_or(url)
}

/// The text without its first mention, without its first two, and so on.
fn without_mentions(text: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(text), |text| {
        let (mention, rest) = text.strip_prefix('@')?.split_once(' ')?;
        mention
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            .then_some(rest)
    })
    .skip(1)
}

/// Whether `intended` is the template with every [`LINK`] replaced by a way of writing that link.
/// It keeps every position that can be reached, so it never takes more than
/// links × length steps.
fn fits(intended: &str, template: &str, links: &[&UrlEntity]) -> bool {
    let mut reached = vec![0];
    for (index, literal) in template.split(LINK).enumerate() {
        if index > 0 {
            let Some(link) = links.get(index - 1) else {
                return false;
            };
            let written = spellings(link);
            let is_known = link.expanded_url.is_some() || link.display_url.is_some();
            reached = reached
                .into_iter()
                .flat_map(|at| {
                    let known = written
                        .iter()
                        .filter(move |way| begins_with(intended, at, way))
                        .map(move |way| at + way.len());
                    let any = (!is_known).then(|| any_link(intended, at));
                    known.chain(any.into_iter().flatten())
                })
                .collect();
            reached.sort_unstable();
            reached.dedup();
        }
        reached.retain_mut(|at| {
            let fits = intended
                .get(*at..)
                .is_some_and(|rest| rest.starts_with(literal));
            *at += literal.len();
            fits
        });
    }
    reached.contains(&intended.len())
}

/// Schemes and hosts have no case, paths do.
fn begins_with(text: &str, at: usize, way: &str) -> bool {
    let host = way.find("://").map_or(0, |scheme| scheme + 3);
    let path = way
        .get(host..)
        .and_then(|rest| rest.find(['/', '?', '#']))
        .map_or(way.len(), |end| host + end);
    let part = |from, to| text.get(at + from..at + to);
    part(0, path)
        .zip(way.get(..path))
        .is_some_and(|(part, way)| part.eq_ignore_ascii_case(way))
        && part(path, way.len()) == way.get(path..)
}

/// Where a link that begins at `at` may end. X does not always say where a link leads: then whatever
/// has a dot and no white space may be it, for to take the post for absent would double it.
fn any_link(text: &str, at: usize) -> impl Iterator<Item = usize> {
    let rest = text.get(at..).unwrap_or_default();
    let word = rest.split(' ').next().unwrap_or_default();
    let first_dot = word.find('.').unwrap_or(word.len());
    word.char_indices()
        .map(|(start, character)| start + character.len_utf8())
        .filter(move |end| *end > first_dot + 1)
        .map(move |end| at + end)
}

/// How a person may have written a link: with or without its scheme, with or without the final
/// slash of a bare host, as X shows it, with letters as they are or in ASCII.
fn spellings(link: &UrlEntity) -> Vec<String> {
    let mut ways = vec![link.url.clone()];
    for target in [&link.expanded_url, &link.display_url]
        .into_iter()
        .flatten()
    {
        let target = NFC.normalize(target).into_owned();
        for bare in same_place(without_scheme(&target)) {
            for form in [bare.as_str(), bare.trim_end_matches('/')] {
                ways.push(form.to_owned());
                ways.push(format!("{form}/"));
                ways.push(format!("http://{form}"));
                ways.push(format!("https://{form}"));
                ways.push(format!("http://{form}/"));
                ways.push(format!("https://{form}/"));
            }
        }
        ways.push(target);
    }
    ways.retain(|way| !way.is_empty());
    ways.sort_unstable();
    ways.dedup();
    ways
}

/// A link without its scheme, and other spellings that lead to the same place: its host in Unicode and
/// in punycode (RFC 3492), its path with and without percent-encoding (RFC 3986), and X's two hosts.
fn same_place(bare: &str) -> Vec<String> {
    let end = bare.find(['/', '?', '#']).unwrap_or(bare.len());
    let (host, path) = bare.split_at(end);
    let mut hosts = vec![
        host.to_owned(),
        labels(host, |label| {
            let encoded = label.strip_prefix("xn--")?;
            punycode::decode_to_string(encoded)
        }),
        labels(host, |label| {
            if label.is_ascii() {
                return None;
            }
            let encoded = punycode::encode_str(&label.to_lowercase())?;
            Some(format!("xn--{encoded}"))
        }),
    ];
    match host {
        "x.com" => hosts.push("twitter.com".to_owned()),
        "twitter.com" => hosts.push("x.com".to_owned()),
        _ => {}
    }
    let mut paths = vec![
        path.to_owned(),
        utf8_percent_encode(path, CONTROLS).to_string(),
    ];
    if let Ok(decoded) = percent_decode_str(path).decode_utf8() {
        paths.push(NFC.normalize(&decoded).into_owned());
    }
    for list in [&mut hosts, &mut paths] {
        list.sort_unstable();
        list.dedup();
    }
    let each = |host: String| paths.iter().map(move |path| format!("{host}{path}"));
    hosts.into_iter().flat_map(each).collect()
}

/// A host with each label changed for which there is something to change.
fn labels(host: &str, change: impl Fn(&str) -> Option<String>) -> String {
    let labels = host.split('.');
    let changed = labels.map(|label| change(label).unwrap_or_else(|| label.to_owned()));
    changed.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
