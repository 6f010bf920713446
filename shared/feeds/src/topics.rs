//! Which topic an item belongs to.
//!
//! The same address is the same story; the same key is the same topic; and titles that share most
//! of their telling words are about the same thing. The last needs three shared words, and three
//! fifths of all words of both: two headlines about one storm meet, two storms do not.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use crate::title::telling_words;

/// Words that two titles must share.
const SHARED: usize = 3;
/// The share of all their words that those must be, in fifths.
const FIFTHS: usize = 3;
/// A word of more topics than this tells nothing.
const COMMON: usize = 200;

/// The topics that an item may belong to.
#[derive(Debug, Default)]
pub struct Topics {
    topics: Vec<Topic>,
    by_key: HashMap<(String, String), usize>,
    by_url: HashMap<String, usize>,
    by_word: HashMap<u64, Vec<usize>>,
}

#[derive(Debug)]
struct Topic {
    id: String,
    language: String,
    words: usize,
}

impl Topics {
    /// Adds a topic: its id, its key ([`crate::title::title_key`]) and its language, empty when
    /// nobody said.
    pub fn add(&mut self, id: &str, key: &str, language: &str) {
        let index = self.topics.len();
        let words = telling_words(key);
        self.topics.push(Topic {
            id: id.to_owned(),
            language: language.to_owned(),
            words: words.len(),
        });
        // The last to say so is right: it has asked last.
        self.by_key
            .insert((key.to_owned(), language.to_owned()), index);
        for word in words {
            self.by_word.entry(hash(word)).or_default().push(index);
        }
    }

    /// Says that a story with this address ([`crate::web_address::url_key`]) is in a topic that was
    /// added.
    pub fn add_url(&mut self, url_key: &str, id: &str) {
        if let Some(index) = self.topics.iter().rposition(|topic| topic.id == id) {
            self.by_url.insert(url_key.to_owned(), index);
        }
    }

    /// The topic of an item, if there is one yet.
    #[must_use]
    pub fn find(&self, key: &str, language: &str, url_key: Option<&str>) -> Option<&str> {
        let index = url_key
            .and_then(|url| self.by_url.get(url))
            .or_else(|| self.by_key.get(&(key.to_owned(), language.to_owned())))
            .copied()
            .or_else(|| self.similar(key, language))?;
        Some(self.topics.get(index)?.id.as_str())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.topics.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    fn similar(&self, key: &str, language: &str) -> Option<usize> {
        let words = telling_words(key);
        if words.len() < SHARED {
            return None;
        }
        let mut shared: HashMap<usize, usize> = HashMap::new();
        for word in &words {
            let Some(indexes) = self.by_word.get(&hash(word)) else {
                continue;
            };
            if indexes.len() > COMMON {
                continue;
            }
            for index in indexes {
                *shared.entry(*index).or_default() += 1;
            }
        }
        shared
            .into_iter()
            .filter_map(|(index, shared)| {
                let topic = self.topics.get(index)?;
                let all = topic.words + words.len() - shared;
                let fits =
                    shared >= SHARED && shared * 5 >= all * FIFTHS && topic.language == language;
                fits.then_some((shared, index))
            })
            // The one that shares most, of several the oldest.
            .max_by_key(|(shared, index)| (*shared, std::cmp::Reverse(*index)))
            .map(|(_, index)| index)
    }
}

/// The same in every instance: two that group the same items group them alike.
fn hash(word: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::title::title_key;

    fn topics() -> Topics {
        let mut topics = Topics::default();
        let mut add = |id: &str, title: &str| topics.add(id, &title_key(title), "en");
        add("storm", "Storm Alex hits the coast of Brittany");
        add("match", "Rovers beat United in cup final");
        add("tag", "#WorldCup");
        topics.add_url("news.example/a", "match");
        topics
    }

    #[test]
    fn an_item_finds_its_topic() {
        let topics = topics();
        let find = |title: &str, url| topics.find(&title_key(title), "en", url);
        assert_eq!(
            find("STORM ALEX HITS THE COAST OF BRITTANY!", None),
            Some("storm")
        );
        assert_eq!(find("Storm Alex hits Brittany coast", None), Some("storm"));
        assert_eq!(find("Storm Barbara hits the coast of Cornwall", None), None);
        assert_eq!(find("World Cup", None), Some("tag"));
        assert_eq!(
            find("Something else altogether", Some("news.example/a")),
            Some("match")
        );
        assert_eq!(find("Cup", None), None);
        assert_eq!(
            topics.find(&title_key("Storm Alex hits Brittany coast"), "fr", None),
            None
        );
        assert_eq!(topics.len(), 3);
    }
}
