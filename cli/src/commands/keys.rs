//! Keys of the lab file on the command line: given ones to set, named ones to take away.

use anyhow::Result;
use labfile::{BoolOrText, NumberOrText};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::failure::Usage;

/// What `set` sends: the keys that were given, and null for each in `unset`, whose names are the lab file's.
pub(crate) fn patch(given: &impl Serialize, unset: &[String]) -> Result<Value> {
    let mut patch = match serde_json::to_value(given)? {
        Value::Object(keys) => keys,
        _ => Map::new(),
    };
    for key in unset {
        let key = key.replace('-', "_");
        if patch.insert(key.clone(), Value::Null).is_some() {
            return Err(Usage(format!("`{key}` is both set and unset: choose one")).into());
        }
    }
    if patch.is_empty() {
        let sentence = "nothing to set: give a key with its value, or --unset KEY";
        return Err(Usage(sentence.to_owned()).into());
    }
    Ok(Value::Object(patch))
}

/// A rule without the keys in `unset`, whose names are the lab file's. `given` are those that were set with it.
pub(crate) fn without<T: Serialize + DeserializeOwned>(
    rule: T,
    given: &T,
    unset: &[String],
) -> Result<T> {
    let (mut keys, given) = (serde_json::to_value(rule)?, serde_json::to_value(given)?);
    for key in unset {
        let key = key.replace('-', "_");
        if given.get(&key).is_some_and(|value| *value != Value::String(String::new())) {
            return Err(Usage(format!("`{key}` is both set and unset: choose one")).into());
        }
        if keys.as_object_mut().and_then(|keys| keys.remove(&key)).is_none() {
            return Err(Usage(format!("the rule has no `{key}` to take away")).into());
        }
    }
    Ok(serde_json::from_value(keys)?)
}

/// A truth or a text, as in a lab file.
pub(crate) fn bool_or_text(text: &str) -> Result<BoolOrText, std::convert::Infallible> {
    Ok(match text {
        "true" => BoolOrText::Bool(true),
        "false" => BoolOrText::Bool(false),
        text => BoolOrText::Text(text.to_owned()),
    })
}

/// A number or a text, as in a lab file.
pub(crate) fn number_or_text(text: &str) -> Result<NumberOrText, std::convert::Infallible> {
    Ok(match text.parse() {
        Ok(number) => NumberOrText::Number(number),
        Err(_) => NumberOrText::Text(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use labfile::{MasqueradeSpec, PortSpec};
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_was_given_is_sent() {
        let given = PortSpec { mtu: Some(9000), ..PortSpec::default() };
        let unset = ["gateway".to_owned(), "vlan-mode".to_owned()];
        let expected = json!({"mtu": 9000, "gateway": null, "vlan_mode": null});
        assert_eq!(patch(&given, &unset).unwrap(), expected);
    }

    #[test]
    fn keys_of_a_rule_are_taken_away_by_name() {
        let rule = MasqueradeSpec {
            source: "10.0.0.0/8".into(),
            ports: Some("1-9".into()),
            ..MasqueradeSpec::default()
        };
        let none = MasqueradeSpec::default();
        let kept = without(rule.clone(), &none, &["ports".to_owned()]).unwrap();
        assert_eq!(kept, MasqueradeSpec { ports: None, ..rule.clone() });
        for key in ["parity", "colour"] {
            let said = without(rule.clone(), &none, &[key.to_owned()]).unwrap_err();
            assert_eq!(said.to_string(), format!("the rule has no `{key}` to take away"));
        }
        assert!(without(rule.clone(), &rule, &["ports".to_owned()]).unwrap_err().is::<Usage>());
    }

    #[test]
    fn nothing_and_a_contradiction_are_wrong_usage() {
        let given = PortSpec { mtu: Some(9000), ..PortSpec::default() };
        for error in [
            patch(&PortSpec::default(), &[]).unwrap_err(),
            patch(&given, &["mtu".to_owned()]).unwrap_err(),
        ] {
            assert!(error.is::<Usage>(), "{error}");
        }
    }
}
