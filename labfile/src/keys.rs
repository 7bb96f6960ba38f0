//! Keys that nobody reads: each is named with its position, and with the key that was probably
//! meant.
//!
//! The known keys are asked from the structs that read them, so no list of keys can fall behind.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::nearest;
use super::place::{Place, Tree, Turn};
use super::problem::{Fault, Problem, SOUGHT, quoted};
use super::spec::{
    BridgeSpec, LabSpec, MasqueradeSpec, PortSpec, PublishSpec, RouteSpec, StaticSpec, SwitchSpec,
    TimeoutsSpec, TunnelSpec, VlanSpec,
};

/// Every unknown key of the file, in its order.
pub(super) fn unknown(tree: &Tree<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    in_table(tree, &Place::root(), tree.root().get_ref(), &mut problems);
    problems.sort_by_key(|problem| problem.position);
    problems
}

fn in_table(tree: &Tree<'_>, place: &Place, table: &DeTable<'_>, problems: &mut Vec<Problem>) {
    let known = keys_at(place.turns());
    for (key, value) in table {
        let name: &str = key.get_ref();
        if let Some(known) = known
            && !known.contains(&name)
        {
            if problems.len() >= SOUGHT {
                return;
            }
            let problem = Problem::new(place.clone(), unknown_key(name, known));
            problems.push(problem.at(tree.position(key.span().start)));
            continue;
        }
        in_value(tree, &place.key(name), value, problems);
    }
}

/// The parser bounds how deep values nest, and so this recursion.
fn in_value(
    tree: &Tree<'_>,
    place: &Place,
    value: &Spanned<DeValue<'_>>,
    problems: &mut Vec<Problem>,
) {
    match value.get_ref() {
        DeValue::Table(table) => in_table(tree, place, table, problems),
        DeValue::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                in_value(tree, &place.nth(index), value, problems);
            }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {}
    }
}

fn unknown_key(name: &str, known: &[&str]) -> Fault {
    let meant = synonym(name, known).or_else(|| nearest(name, known.iter().copied()));
    let remedy = match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("write one of {}", known.join(", ")),
    };
    Fault::new(format!("unknown key {}", quoted(name)), remedy)
}

/// Words of other tools for the same thing.
fn synonym<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let (_, ours) =
        SYNONYMS.iter().find(|(theirs, ours)| *theirs == name && known.contains(ours))?;
    known.iter().copied().find(|key| key == ours)
}

const SYNONYMS: [(&str, &str); 33] = [
    ("dev", "out"),
    ("interface", "out"),
    ("gateway", "via"),
    ("dst", "to"),
    ("destination", "to"),
    ("src", "source"),
    ("from", "source"),
    ("tag", "vlan"),
    ("trunk", "trunks"),
    ("ip", "address"),
    ("addresses", "address"),
    ("ns", "netns"),
    ("namespace", "netns"),
    ("protected", "isolated"),
    ("ip", "router"),
    ("address", "router"),
    ("gateway", "router"),
    ("aging", "ageing"),
    ("threads", "workers"),
    ("cpu", "cpus"),
    ("affinity", "cpus"),
    ("busy_poll", "poll"),
    ("ifname", "interface"),
    ("id", "vni"),
    ("key", "vni"),
    ("peers", "remotes"),
    ("remote_ip", "remotes"),
    ("local_ip", "local"),
    ("dstport", "port"),
    ("dst_port", "port"),
    ("tos", "dscp"),
    ("df_default", "df"),
    ("csum", "checksum"),
];

/// The keys of the table at a place; `None` where names are free or the value is no table of ours.
fn keys_at(turns: &[Turn]) -> Option<&'static [&'static str]> {
    let mut way = Vec::with_capacity(turns.len());
    for turn in turns {
        way.push(turn.as_key().unwrap_or("#"));
    }
    match way.as_slice() {
        [] => keys_of::<LabSpec>(),
        ["bridge", _] => keys_of::<BridgeSpec>(),
        ["bridge", _, "vlan", _] => keys_of::<VlanSpec>(),
        ["bridge", _, "static", "#"] => keys_of::<StaticSpec>(),
        ["port", _] => keys_of::<PortSpec>(),
        ["tunnel", _] => keys_of::<TunnelSpec>(),
        ["route", "#"] => keys_of::<RouteSpec>(),
        ["masquerade", "#"] => keys_of::<MasqueradeSpec>(),
        ["publish", "#"] => keys_of::<PublishSpec>(),
        ["switch"] => keys_of::<SwitchSpec>(),
        ["switch", "timeouts"] => keys_of::<TimeoutsSpec>(),
        _ => None,
    }
}

/// Asks a struct's own reader which fields it has: it names them to the deserializer, which here
/// only keeps the names.
fn keys_of<'de, T: Deserialize<'de>>() -> Option<&'static [&'static str]> {
    match T::deserialize(FieldProbe) {
        Err(Fields(fields)) => fields,
        Ok(_) => None,
    }
}

struct FieldProbe;

#[derive(Debug)]
struct Fields(Option<&'static [&'static str]>);

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fields")
    }
}

impl std::error::Error for Fields {}

impl serde::de::Error for Fields {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(None)
    }
}

impl<'de> Deserializer<'de> for FieldProbe {
    type Error = Fields;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fields> {
        Err(Fields(None))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fields> {
        Err(Fields(Some(fields)))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(text: &str) -> String {
        let tree = Tree::new(text, DeTable::parse(text).unwrap());
        let lines: Vec<String> = unknown(&tree)
            .iter()
            .map(|problem| {
                let at = problem.position.unwrap();
                format!("{}:{}: {problem}", at.line, at.column)
            })
            .collect();
        lines.join("\n")
    }

    #[test]
    fn every_unknown_key_is_reported_where_it_stands() {
        assert_eq!(
            sentences("brigde = 1\n[port.red]\nadress = 1\nbridge = \"b\"\n"),
            "1:1: unknown key \"brigde\"; did you mean `bridge`?\n\
             3:1: port \"red\": unknown key \"adress\"; did you mean `address`?"
        );
    }

    #[test]
    fn a_strange_key_gets_the_list() {
        assert_eq!(
            sentences("[[route]]\ncolour = 1\n"),
            "2:1: route 1: unknown key \"colour\"; write one of to, via, out, reject"
        );
    }

    #[test]
    fn words_of_other_tools_are_understood() {
        assert_eq!(
            sentences("[[route]]\ndev = 1\n[port.a]\ntag = 1\nns = 1\n[bridge.b]\naddress = 1\n"),
            "2:1: route 1: unknown key \"dev\"; did you mean `out`?\n\
             4:1: port \"a\": unknown key \"tag\"; did you mean `vlan`?\n\
             5:1: port \"a\": unknown key \"ns\"; did you mean `netns`?\n\
             7:1: bridge \"b\": unknown key \"address\"; did you mean `router`?"
        );
    }

    #[test]
    fn a_tunnel_s_keys_have_other_names_elsewhere() {
        assert_eq!(
            sentences(
                "[tunnel.vx0]\nkey = 42\nremote = \"192.0.2.1\"\ndstport = 4789\ntrunks = 1\n"
            ),
            "2:1: tunnel \"vx0\": unknown key \"key\"; did you mean `vni`?\n\
             3:1: tunnel \"vx0\": unknown key \"remote\"; did you mean `remotes`?\n\
             4:1: tunnel \"vx0\": unknown key \"dstport\"; did you mean `port`?\n\
             5:1: tunnel \"vx0\": unknown key \"trunks\"; did you mean `trunk`?"
        );
    }

    #[test]
    fn tables_within_tables_are_known() {
        let text = "[bridge.b.vlan.10]\nrooter = 1\n[[bridge.b.static]]\nmca = 1\n\
                    [switch.timeouts]\nudq = 1\n";
        assert_eq!(
            sentences(text),
            "2:1: bridge \"b\" VLAN 10: unknown key \"rooter\"; did you mean `router`?\n\
             4:1: bridge \"b\" static entry 1: unknown key \"mca\"; did you mean `mac`?\n\
             6:1: switch: unknown key \"udq\"; did you mean `udp`?"
        );
    }
}
