//! JSON Feed 1.1 (<https://www.jsonfeed.org/version/1.1/>).

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use url::Url;

use crate::date;
use crate::document::{Document, ReadError};
use crate::feed::{Draft, Written, add, language};
use crate::limits::{Deadline, ITEMS, TITLE_CHARACTERS};
use crate::text::literal;

#[derive(Deserialize)]
struct Feed {
    #[serde(default)]
    version: Text,
    #[serde(default)]
    title: Text,
    #[serde(default)]
    language: Text,
    #[serde(deserialize_with = "limited")]
    items: Vec<Entry>,
}

/// An item. One field that is not what it should be costs that field, and no more.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Fields {
    id: Text,
    url: Text,
    external_url: Text,
    title: Text,
    summary: Text,
    content_text: Text,
    content_html: Text,
    date_published: Text,
    date_modified: Text,
    language: Text,
    tags: Tags,
}

/// What a visitor makes of a value that it has no use for.
macro_rules! nothing_of {
    ($($visit:ident: $kind:ty),* $(,)?) => {
        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("anything")
        }

        $(fn $visit<E>(self, _: $kind) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        })*

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    };
}

fn pass_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn pass_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// An item; nothing where something else stands in its place.
#[derive(Default)]
struct Entry(Option<Box<Fields>>);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyEntry;
        impl<'de> Visitor<'de> for AnyEntry {
            type Value = Entry;

            nothing_of! { visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Entry, A::Error> {
                pass_list(list).map(|()| Entry::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
                let fields = Fields::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Entry(Some(Box::new(fields))))
            }
        }
        deserializer.deserialize_any(AnyEntry)
    }
}

/// The first of a list of tags.
#[derive(Default)]
struct Tags(Text);

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyTags;
        impl<'de> Visitor<'de> for AnyTags {
            type Value = Tags;

            nothing_of! { visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tags, A::Error> {
                let first = list.next_element()?.unwrap_or_default();
                pass_list(list).map(|()| Tags(first))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Tags, A::Error> {
                pass_map(map).map(|()| Tags::default())
            }
        }
        deserializer.deserialize_any(AnyTags)
    }
}

/// Text, or a number, which some write for an id. Anything else is no text.
#[derive(Default)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyText;
        impl<'de> Visitor<'de> for AnyText {
            type Value = Text;

            nothing_of! { visit_bool: bool, visit_f64: f64 }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Text, A::Error> {
                pass_list(list).map(|()| Text::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text, A::Error> {
                pass_map(map).map(|()| Text::default())
            }
        }
        deserializer.deserialize_any(AnyText)
    }
}

impl Text {
    fn or(self, other: Self) -> Self {
        if self.0.is_empty() { other } else { self }
    }

    fn given(self) -> Option<String> {
        (!self.0.is_empty()).then_some(self.0)
    }
}

/// A list of which no more than the limit is kept: a short text can hold a very long one.
pub(crate) fn limited<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Limited<T>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Limited<T> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut kept = Vec::new();
            while kept.len() < ITEMS {
                match list.next_element()? {
                    Some(item) => kept.push(item),
                    None => return Ok(kept),
                }
            }
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(kept)
        }
    }
    deserializer.deserialize_seq(Limited(std::marker::PhantomData))
}

/// Reads one. JSON is read in time proportional to its length; what costs is the markup in its
/// entries, so the clock is looked at between them.
pub(crate) fn read(text: &str, base: &Url, deadline: Deadline) -> Result<Document, ReadError> {
    let feed: Feed = serde_json::from_str(text).map_err(|error| {
        if error.is_data() {
            ReadError::NotAFeed
        } else {
            ReadError::Malformed
        }
    })?;
    if !feed.version.0.contains("jsonfeed.org") {
        return Err(ReadError::NotAFeed);
    }
    let title = feed.title.given();
    let mut document = Document {
        title: title.map(|title| literal(&title, TITLE_CHARACTERS)),
        language: language(&feed.language.0),
        ..Document::default()
    };
    for entry in feed.items {
        if deadline.has_passed() {
            if document.items.is_empty() {
                return Err(ReadError::TooSlow);
            }
            document.cut_short = Some(ReadError::TooSlow);
            break;
        }
        let Some(entry) = entry.0 else {
            continue;
        };
        let draft = Draft {
            id: entry.id.0,
            title: Written::Text(entry.title.0),
            link: entry.url.or(entry.external_url).0,
            summary: Written::Text(entry.summary.0),
            content: match entry.content_text.given() {
                Some(text) => Written::Text(text),
                None => Written::Markup(entry.content_html.0),
            },
            language: entry.language.given(),
            category: entry.tags.0.0,
            published_at: date::parse(&entry.date_published.or(entry.date_modified).0),
        };
        add(&mut document, draft.into_item(base));
    }
    Ok(document)
}
