//! Whether a post on the timeline is the one that was meant.
//!
//! X does not give a text back as it got it: links become t.co, `&`, `<` and `>` become entities,
//! an attached picture appends a link, a reply may begin with mentions, white space and Unicode
//! forms change. So both sides are brought into one form, and each link of the published text
//! stands for any way in which its target may have been written.

use icu_normalizer::ComposingNormalizerBorrowed;

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
    let (template, links) = template(published_text, urls);
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
/// of attached media are left out.
fn template<'a>(text: &str, urls: &'a [UrlEntity]) -> (String, Vec<&'a UrlEntity>) {
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
            if !is_media(entity) {
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

/// The link that X appends for a picture leads to the post itself.
fn is_media(entity: &UrlEntity) -> bool {
    entity.media_key.is_some()
        || entity.expanded_url.as_deref().is_some_and(|url| {
            let own = ["https://x.com/", "https://twitter.com/"]
                .iter()
                .any(|host| url.starts_with(host));
            own && url.contains("/status/") && (url.contains("/photo/") || url.contains("/video/"))
        })
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
            reached = reached
                .into_iter()
                .flat_map(|at| {
                    written
                        .iter()
                        .filter(move |way| begins_with(intended, at, way))
                        .map(move |way| at + way.len())
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

/// How a person may have written a link: with or without its scheme, with or without the final
/// slash of a bare host, or as X shows it.
fn spellings(link: &UrlEntity) -> Vec<String> {
    let mut ways = vec![link.url.clone()];
    for target in [&link.expanded_url, &link.display_url]
        .into_iter()
        .flatten()
    {
        let target = NFC.normalize(target).into_owned();
        let bare = target
            .strip_prefix("https://")
            .or_else(|| target.strip_prefix("http://"))
            .unwrap_or(&target)
            .to_owned();
        for form in [&bare, bare.trim_end_matches('/')] {
            ways.push(form.to_owned());
            ways.push(format!("{form}/"));
            ways.push(format!("http://{form}"));
            ways.push(format!("https://{form}"));
            ways.push(format!("http://{form}/"));
            ways.push(format!("https://{form}/"));
        }
        ways.push(target);
    }
    ways.retain(|way| !way.is_empty());
    ways.sort_unstable();
    ways.dedup();
    ways
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
