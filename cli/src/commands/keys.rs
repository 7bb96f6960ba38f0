//! Keys of the lab file on the command line: given ones to set, named ones to take away.

use anyhow::Result;
use daemon::config::{BoolOrText, NumberOrText};
use serde::Serialize;
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
    use daemon::config::PortSpec;
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
