//! An `http` block: a request to the control API as it is sent, a blank line, and the answer as it
//! comes.
//!
//! ```text
//! POST /v1/bridges/br1
//! {"router": "10.9.0.1/24"}
//!
//! 200
//! {"changes": ["+ bridge br1 ..."]}
//! ```
//!
//! In the answer "…" stands for any value, as the last of a list for any others, and as a key for
//! any others.

use serde_json::Value;

use super::page::Block;
use crate::http;
use crate::world::World;

/// What is wrong with the answer, if anything is.
pub(super) fn fault(world: &World, block: &Block<'_>) -> Option<String> {
    let mut exchanges = block.body.split(|line| line.is_empty());
    let mut faults = String::new();
    while let (Some(request), answer) = (exchanges.next(), exchanges.next()) {
        let answer = answer.unwrap_or_else(|| panic!("line {}: no answer", block.line));
        let (head, body) = request.split_first().unwrap();
        let (status, shown) = answer.split_first().unwrap();
        let (given, got) = http::request(world, head, body.join("\n").as_bytes());
        let shown: Value = serde_json::from_str(&shown.join("\n"))
            .unwrap_or_else(|error| panic!("line {}: {error}", block.line));
        let got: Value = serde_json::from_str(&got).unwrap_or(Value::String(got));
        if *status != given.to_string() || !matches(&shown, &got) {
            faults += &format!("{head}: the answer is\n{given}\n{got:#}\n");
        }
    }
    (!faults.is_empty()).then_some(faults)
}

fn matches(shown: &Value, got: &Value) -> bool {
    match (shown, got) {
        (Value::String(shown), _) if shown == ANY => true,
        (Value::Array(shown), Value::Array(got)) => {
            let is_open = shown.last().is_some_and(|last| last == ANY);
            let shown = &shown[..shown.len() - usize::from(is_open)];
            let is_length =
                if is_open { got.len() >= shown.len() } else { got.len() == shown.len() };
            is_length && shown.iter().zip(got).all(|(shown, got)| matches(shown, got))
        }
        (Value::Object(shown), Value::Object(got)) => {
            let is_open = shown.contains_key(ANY);
            let has = |(key, value)| got.get(key).is_some_and(|got| matches(value, got));
            let is_length = is_open || got.len() == shown.len();
            is_length && shown.iter().filter(|(key, _)| *key != ANY).all(has)
        }
        _ => shown == got,
    }
}

const ANY: &str = "…";

#[test]
fn an_answer_is_what_is_shown_or_what_may_stand_there() {
    let is = |shown: &str, got: &str| {
        let [shown, got] = [shown, got].map(|text| serde_json::from_str(text).unwrap());
        matches(&shown, &got)
    };
    assert!(is(r#"{"a": 1, "b": "…"}"#, r#"{"a": 1, "b": [2]}"#));
    assert!(is(r#"{"a": 1, "…": "…"}"#, r#"{"a": 1, "b": [2]}"#));
    assert!(is(r#"[1, "…"]"#, "[1, 2, 3]"));
    assert!(!is(r#"{"a": 1}"#, r#"{"a": 1, "b": [2]}"#));
    assert!(!is(r#"{"a": 1, "…": "…"}"#, r#"{"a": 2, "b": [2]}"#));
    assert!(!is(r#"{"a": 1, "b": 2}"#, r#"{"a": 1, "c": 2}"#));
    assert!(!is("[1]", "[1, 2]"));
}
