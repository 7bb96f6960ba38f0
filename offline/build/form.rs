//! What serde writes, as text: the declarations that it is derived from or written in.
//!
//! A source's items are those that name serde's traits outside comments: types that derive them
//! (with their fields and variants, in order), impls and functions written by hand, macros that
//! declare such types, and their calls; and all aliases of types. Layout, comments and tests do not
//! matter; a name does, since only names tell two fields of one type apart.

/// The items of a source that decide what is written, without comments and layout.
pub(crate) fn items(source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let mut items: Vec<Vec<String>> = vec![Vec::new()];
    let mut depth = 0usize;
    for token in tokens {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ends = depth == 0 && matches!(token.as_str(), "}" | ";");
        if let Some(item) = items.last_mut() {
            item.push(token);
        }
        if ends {
            items.push(Vec::new());
        }
    }
    let is = |item: &[String], words: &[&str]| item.iter().zip(words).all(|(a, b)| a == b);
    let names_serde = |item: &Vec<String>| item.iter().any(|token| token.contains("erialize"));
    let is_left_out = |item: &Vec<String>| {
        is(item, &["#", "[", "cfg", "(", "test", ")"]) || item.iter().any(|token| token == "use")
    };
    items.retain(|item| !is_left_out(item));
    let macros: Vec<String> = items
        .iter()
        .filter(|item| is(item, &["macro_rules", "!"]) && names_serde(item))
        .filter_map(|item| item.get(2).cloned())
        .collect();
    let calls = |item: &Vec<String>| item.first().is_some_and(|name| macros.contains(name));
    let is_alias = |item: &Vec<String>| item.iter().take(5).any(|token| token == "type");
    items.retain(|item| names_serde(item) || calls(item) || is_alias(item));
    items.into_iter().map(|item| item.join(" ")).collect()
}

/// A number for all items, in whatever files and order they stand: FNV-1a, folded to 16 bits.
pub(crate) fn number(mut items: Vec<String>) -> u16 {
    items.sort_unstable();
    let hash = items.join("\n").bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    [0, 16, 32, 48].into_iter().fold(0, |folded, shift| folded ^ (hash >> shift) as u16)
}

/// Words, texts and single signs.
fn tokens(source: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        let len = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first == '"' {
            text_len(rest)
        } else if first == '\'' {
            sign_len(rest)
        } else if first.is_alphanumeric() || first == '_' {
            let part_of_word = |sign: char| sign.is_alphanumeric() || sign == '_';
            rest.find(|sign| !part_of_word(sign)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (token, behind) = rest.split_at(len);
        if !token.starts_with("//") {
            tokens.push(token.to_owned());
        }
        rest = behind.trim_start();
    }
    tokens
}

/// Length of the text that begins here, with its quotation marks.
fn text_len(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, sign)| {
        let ends = *sign == '"' && !escaped;
        escaped = *sign == '\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

/// Length of the character that begins here, or of a lifetime's mark.
fn sign_len(rest: &str) -> usize {
    let mut signs = rest.char_indices().skip(1);
    match (signs.next(), signs.next()) {
        (Some((_, '\\')), _) => rest[2..].find('\'').map_or(1, |at| at + 3),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}
