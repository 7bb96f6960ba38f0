//! Keys of the lab file on the command line: given ones to set, named ones to take away.

use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::failure::Usage;

/// What `set` sends: the keys that were given, and null for each in `unset`, whose names are the
/// lab file's.
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

/// A rule with the keys that are `given`, and without those in `unset`, whose names are the lab
/// file's.
pub(crate) fn edited<T: Serialize + DeserializeOwned>(
    rule: T,
    given: &T,
    unset: &[String],
) -> Result<T> {
    let (rule, given) = (serde_json::to_value(rule)?, serde_json::to_value(given)?);
    let (Value::Object(mut keys), Value::Object(mut given)) = (rule, given) else {
        unreachable!("a rule is a table");
    };
    given.retain(|_, value| *value != Value::String(String::new()));
    for key in unset {
        let key = key.replace('-', "_");
        if given.contains_key(&key) {
            return Err(Usage(format!("`{key}` is both set and unset: choose one")).into());
        }
        if keys.remove(&key).is_none() {
            return Err(Usage(format!("the rule has no `{key}` to take away")).into());
        }
    }
    keys.extend(given);
    Ok(serde_json::from_value(Value::Object(keys))?)
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
        let kept = edited(rule.clone(), &none, &["ports".to_owned()]).unwrap();
        assert_eq!(kept, MasqueradeSpec { ports: None, ..rule.clone() });
        for key in ["parity", "colour"] {
            let said = edited(rule.clone(), &none, &[key.to_owned()]).unwrap_err();
            assert_eq!(said.to_string(), format!("the rule has no `{key}` to take away"));
        }
        assert!(edited(rule.clone(), &rule, &["ports".to_owned()]).unwrap_err().is::<Usage>());
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
