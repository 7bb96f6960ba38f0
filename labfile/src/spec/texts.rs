//! Values that may be written in two ways: a text or a list of texts, a truth or a text, a number
//! or a text.
//!
//! Each remembers nothing of which way was used, except that a lone text is written back without a
//! list.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `"a"` or `["a", "b"]` as a list.
pub(crate) mod one_or_many {
    use super::{Deserializer, Serializer, TextsVisitor};

    pub(crate) fn serialize<S: Serializer>(
        texts: &[String],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match texts {
            [only] => serializer.serialize_str(only),
            many => serializer.collect_seq(many),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<String>, D::Error> {
        deserializer.deserialize_any(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<String>, E> {
        Ok(vec![text.to_owned()])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = list.next_element()? {
            texts.push(text);
        }
        Ok(texts)
    }
}

/// `true`, `false` or `"a"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoolOrText {
    /// A truth.
    Bool(bool),
    /// A text.
    Text(String),
}

/// As on the command line.
impl FromStr for BoolOrText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.parse() {
            Ok(truth) => Self::Bool(truth),
            Err(_) => Self::Text(text.to_owned()),
        })
    }
}

impl Serialize for BoolOrText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for BoolOrText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BoolOrTextVisitor)
    }
}

struct BoolOrTextVisitor;

impl Visitor<'_> for BoolOrTextVisitor {
    type Value = BoolOrText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, true or false")
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<BoolOrText, E> {
        Ok(BoolOrText::Bool(truth))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<BoolOrText, E> {
        Ok(BoolOrText::Text(text.to_owned()))
    }
}

/// `7` or `"a"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberOrText {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// As on the command line.
impl FromStr for NumberOrText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.parse() {
            Ok(number) => Self::Number(number),
            Err(_) => Self::Text(text.to_owned()),
        })
    }
}

impl Serialize for NumberOrText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for NumberOrText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrTextVisitor)
    }
}

struct NumberOrTextVisitor;

impl Visitor<'_> for NumberOrTextVisitor {
    type Value = NumberOrText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number or a string")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<NumberOrText, E> {
        Ok(NumberOrText::Number(number))
    }

    /// JSON has positive numbers as unsigned ones; beyond [`i64`] all are equally wrong.
    fn visit_u64<E: Error>(self, number: u64) -> Result<NumberOrText, E> {
        Ok(NumberOrText::Number(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<NumberOrText, E> {
        Ok(NumberOrText::Text(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Texts(#[serde(with = "one_or_many")] Vec<String>);

    #[test]
    fn one_text_and_a_list_of_one_are_the_same() {
        let one: Texts = serde_json::from_str(r#""a""#).unwrap();
        let list: Texts = serde_json::from_str(r#"["a"]"#).unwrap();
        assert_eq!(one, list);
        assert_eq!(serde_json::to_string(&list).unwrap(), r#""a""#);
    }

    #[test]
    fn several_texts_stay_a_list() {
        let json = r#"["a","b"]"#;
        let texts: Texts = serde_json::from_str(json).unwrap();
        assert_eq!(texts, Texts(vec!["a".into(), "b".into()]));
        assert_eq!(serde_json::to_string(&texts).unwrap(), json);
    }

    #[test]
    fn a_number_is_neither() {
        let error = serde_json::from_str::<BoolOrText>("7").unwrap_err();
        assert!(error.to_string().contains("expected a string, true or false"), "{error}");
    }

    #[test]
    fn a_number_and_a_text_stay_what_they_are() {
        for json in ["64", "-1", r#""inherit""#] {
            let value: NumberOrText = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
        }
        let huge: NumberOrText = serde_json::from_str("18446744073709551615").unwrap();
        assert_eq!(huge, NumberOrText::Number(i64::MAX));
        let error = serde_json::from_str::<NumberOrText>("true").unwrap_err();
        assert!(error.to_string().contains("expected a whole number or a string"), "{error}");
    }
}
