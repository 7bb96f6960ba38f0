//! Values that may be written in two ways: a text or a list of texts, a truth or a text, a number or a text.
//!
//! Each remembers nothing of which way was used, except that a lone text is written back without a list.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `"a"` or `["a", "b"]`; left out when empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(pub Vec<String>);

impl Texts {
    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Into<String>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        Self(texts.into_iter().map(Into::into).collect())
    }
}

impl From<&str> for Texts {
    fn from(text: &str) -> Self {
        Self(vec![text.to_owned()])
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [only] => serializer.serialize_str(only),
            many => serializer.collect_seq(many),
        }
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Texts, E> {
        Ok(Texts(vec![text.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = list.next_element()? {
            texts.push(text);
        }
        Ok(Texts(texts))
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

    #[test]
    fn one_text_and_a_list_of_one_are_the_same() {
        let one: Texts = serde_json::from_str(r#""a""#).unwrap();
        let list: Texts = serde_json::from_str(r#"["a"]"#).unwrap();
        assert_eq!(one, list);
        assert_eq!(serde_json::to_string(&list).unwrap(), r#""a""#);
    }

    #[test]
    fn several_texts_stay_a_list() {
        let texts: Texts = ["a", "b"].into_iter().collect();
        let json = serde_json::to_string(&texts).unwrap();
        assert_eq!(json, r#"["a","b"]"#);
        assert_eq!(serde_json::from_str::<Texts>(&json).unwrap(), texts);
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
