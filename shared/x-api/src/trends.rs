//! What trends in a place (<https://docs.x.com/x-api/trends/get-trends-by-woeid>).

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::rate_limit::RateLimits;

/// An answer.
#[derive(Debug, Clone)]
pub struct Trends {
    /// In X's order.
    pub trends: Vec<Trend>,
    /// What the answer says about limits.
    pub limits: RateLimits,
}

/// One trend.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Trend {
    /// A hash tag or words, as people write them.
    #[serde(rename = "trend_name")]
    pub name: String,
    /// How many posts there are. X leaves it out where it likes, and has written it as a number and
    /// as text.
    #[serde(
        rename = "tweet_count",
        alias = "post_count",
        default,
        deserialize_with = "count"
    )]
    pub posts: Option<u64>,
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.replace(',', "").trim().parse().ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_may_be_missing_or_in_any_form() {
        let read = |json: &str| serde_json::from_str::<Trend>(json).unwrap().posts;
        assert_eq!(read(r#"{"trend_name": "a", "tweet_count": 5}"#), Some(5));
        assert_eq!(
            read(r#"{"trend_name": "a", "tweet_count": "12,345"}"#),
            Some(12_345)
        );
        for none in [
            r#"{"trend_name": "a"}"#,
            r#"{"trend_name": "a", "tweet_count": null}"#,
            r#"{"trend_name": "a", "tweet_count": "12K posts"}"#,
            r#"{"trend_name": "a", "tweet_count": {}}"#,
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
