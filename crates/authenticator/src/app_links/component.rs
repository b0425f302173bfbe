//! Which addresses of a host an app opens: the pattern language of Apple's `components`, which Android 15 took over for its dynamic rules.
//!
//! `*` stands for any characters, none included; `?` for exactly one. The first component that matches an address decides, by opening the app or
//! by excluding the address. Substitution variables (`$(lang)`) are not evaluated: what depends on one is [`Verdict::Unclear`].

use serde_json::{Map, Value};

/// Most components that are read in one list.
pub const MAX_COMPONENTS: usize = 4096;
/// Longest pattern that is read, in bytes.
pub const MAX_PATTERN_BYTES: usize = 1024;
/// Most patterns about items of the query in one component.
const MAX_QUERY_ITEMS: usize = 32;

/// What a list of components says of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The app opens it.
    Opens,
    /// A component keeps it in the browser.
    Excluded,
    /// No component matches.
    NoMatch,
    /// A component would have to be evaluated that only a phone can evaluate.
    Unclear,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    path: String,
    query: Query,
    fragment: String,
    exclude: bool,
    case_sensitive: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Query {
    /// A pattern for all of it.
    Whole(String),
    /// A pattern for each of these items, which have to be there.
    Items(Vec<(String, String)>),
}

/// The parts of an address that rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Address<'a> {
    /// With the leading slash, percent-encoded as in the address.
    pub path: &'a str,
    /// Without the question mark; empty where there is none.
    pub query: &'a str,
    /// Without the hash; empty where there is none.
    pub fragment: &'a str,
}

/// What is wrong with a rule; the text names the member.
pub(super) type Malformed = &'static str;

impl Component {
    /// A component for exactly this path, whatever the query.
    #[must_use]
    pub fn exact_path(path: &str) -> Self {
        Self::of_path(path, false)
    }

    pub(super) fn of_path(path: &str, exclude: bool) -> Self {
        Self {
            path: path.to_owned(),
            query: Query::Whole("*".to_owned()),
            fragment: "*".to_owned(),
            exclude,
            case_sensitive: true,
        }
    }

    /// Reads one. Members nobody knows are left alone, as phones do.
    pub(super) fn read(value: &Value) -> Result<Self, Malformed> {
        let object = value.as_object().ok_or("a component has to be an object")?;
        Ok(Self {
            path: pattern(object, "/", "\"/\" of a component has to be a pattern")?,
            query: match object.get("?") {
                None => Query::Whole("*".to_owned()),
                Some(Value::Object(items)) => Query::Items(query_items(items)?),
                Some(whole) => Query::Whole(read_pattern(
                    whole,
                    "\"?\" of a component has to be a pattern or an object of patterns",
                )?),
            },
            fragment: pattern(object, "#", "\"#\" of a component has to be a pattern")?,
            exclude: flag(object, "exclude", false)?,
            case_sensitive: flag(object, "caseSensitive", true)?,
        })
    }

    fn matches(&self, address: Address<'_>) -> bool {
        let fits = |pattern: &str, text: &str| {
            if self.case_sensitive {
                matches(pattern, text)
            } else {
                matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
            }
        };
        let query_fits = match &self.query {
            Query::Whole(pattern) => fits(pattern, address.query),
            Query::Items(items) => items.iter().all(|(name, pattern)| {
                let values = address.query.split('&').filter_map(|item| {
                    let (key, value) = item.split_once('=').unwrap_or((item, ""));
                    (key == name).then_some(value)
                });
                let mut values = values.peekable();
                values.peek().is_some() && values.all(|value| fits(pattern, value))
            }),
        };
        query_fits && fits(&self.path, address.path) && fits(&self.fragment, address.fragment)
    }

    fn needs_a_phone(&self) -> bool {
        let has_variable = |pattern: &str| pattern.contains("$(");
        has_variable(&self.path)
            || has_variable(&self.fragment)
            || match &self.query {
                Query::Whole(pattern) => has_variable(pattern),
                Query::Items(items) => items.iter().any(|(_, pattern)| has_variable(pattern)),
            }
    }
}

/// Reads a list.
pub(super) fn read_list(value: &Value) -> Result<Vec<Component>, Malformed> {
    let list = value.as_array().ok_or("components have to be an array")?;
    if list.len() > MAX_COMPONENTS {
        return Err("too many components");
    }
    list.iter().map(Component::read).collect()
}

/// What the first component that matches says.
#[must_use]
pub fn judge<'a>(components: impl IntoIterator<Item = &'a Component>, address: Address<'_>) -> Verdict {
    for component in components {
        if component.needs_a_phone() {
            return Verdict::Unclear;
        }
        if component.matches(address) {
            return if component.exclude {
                Verdict::Excluded
            } else {
                Verdict::Opens
            };
        }
    }
    Verdict::NoMatch
}

fn query_items(items: &Map<String, Value>) -> Result<Vec<(String, String)>, Malformed> {
    if items.len() > MAX_QUERY_ITEMS {
        return Err("\"?\" of a component has too many items");
    }
    items
        .iter()
        .map(|(name, value)| {
            Ok((
                name.clone(),
                read_pattern(value, "an item of \"?\" has to be a pattern")?,
            ))
        })
        .collect()
}

fn pattern(object: &Map<String, Value>, name: &str, malformed: Malformed) -> Result<String, Malformed> {
    object
        .get(name)
        .map_or_else(|| Ok("*".to_owned()), |value| read_pattern(value, malformed))
}

fn read_pattern(value: &Value, malformed: Malformed) -> Result<String, Malformed> {
    let text = value.as_str().ok_or(malformed)?;
    if text.len() > MAX_PATTERN_BYTES {
        return Err("a pattern of a component is too long");
    }
    Ok(text.to_owned())
}

fn flag(object: &Map<String, Value>, name: &str, otherwise: bool) -> Result<bool, Malformed> {
    match object.get(name) {
        None => Ok(otherwise),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err("exclude and caseSensitive of a component have to be true or false"),
    }
}

/// Takes back to the last star when it is stuck: at most the product of both lengths.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(&c) if c == '?' || c == text[read] => {
                at += 1;
                read += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    at = after + 1;
                    read = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn at(path: &str) -> Address<'_> {
        let (path, fragment) = path.split_once('#').unwrap_or((path, ""));
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Address { path, query, fragment }
    }

    fn judged(components: &Value, address: &str) -> Verdict {
        judge(&read_list(components).unwrap(), at(address))
    }

    #[test]
    fn stars_and_question_marks_stand_for_what_apple_says() {
        for (pattern, text) in [
            ("/auth", "/auth"),
            ("/*", "/"),
            ("/*", "/109900019/auth"),
            ("*", ""),
            ("/?", "/a"),
            ("/?*", "/ab"),
            ("*/auth", "/109900019/auth"),
            ("/a*b*c", "/aXbXbYc"),
            ("/a**", "/a"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("/auth", "/auth/"),
            ("/auth", "/Auth"),
            ("/auth", "/auth/consent"),
            ("/?", "/"),
            ("/?*", "/"),
            ("", "/"),
            ("/a*b", "/aXc"),
            ("/109900019/*", "/109900020/auth"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn the_first_component_that_matches_decides() {
        let rules = json!([{"/": "/auth/private", "exclude": true}, {"/": "/auth*"}]);
        assert_eq!(judged(&rules, "/auth"), Verdict::Opens);
        assert_eq!(judged(&rules, "/auth/private"), Verdict::Excluded);
        assert_eq!(judged(&rules, "/account"), Verdict::NoMatch);
        assert_eq!(judged(&json!([]), "/auth"), Verdict::NoMatch);
        assert_eq!(judged(&json!([{}]), "/auth?a=b#c"), Verdict::Opens);
    }

    #[test]
    fn items_of_the_query_have_to_be_there_and_fit() {
        let rules = json!([{"/": "/auth", "?": {"request_uri": "?*", "client_id": "https*"}}]);
        assert_eq!(
            judged(&rules, "/auth?client_id=https%3A&request_uri=urn"),
            Verdict::Opens
        );
        for address in [
            "/auth",
            "/auth?client_id=https",
            "/auth?client_id=https&request_uri=",
            "/auth?client_id=http&request_uri=u",
            "/auth?client_id=https&request_uri=u&client_id=urn",
        ] {
            assert_eq!(judged(&rules, address), Verdict::NoMatch, "{address}");
        }
        let whole = json!([{"?": "a=?"}]);
        assert_eq!(judged(&whole, "/?a=1"), Verdict::Opens);
        assert_eq!(judged(&whole, "/?a=12"), Verdict::NoMatch);
    }

    #[test]
    fn case_matters_unless_said_otherwise_and_variables_are_left_to_the_phone() {
        assert_eq!(judged(&json!([{"/": "/AUTH"}]), "/auth"), Verdict::NoMatch);
        assert_eq!(
            judged(&json!([{"/": "/AUTH", "caseSensitive": false}]), "/auth"),
            Verdict::Opens
        );
        assert_eq!(judged(&json!([{"/": "/$(lang)/auth"}]), "/auth"), Verdict::Unclear);
        assert_eq!(
            judged(&json!([{"/": "/auth"}, {"/": "/$(lang)"}]), "/auth"),
            Verdict::Opens
        );
    }

    #[test]
    fn what_is_no_component_is_refused() {
        let long = "x".repeat(MAX_PATTERN_BYTES + 1);
        let many = vec![json!({}); MAX_COMPONENTS + 1];
        for value in [
            json!({}),
            json!("*"),
            json!(["/auth"]),
            json!([{"/": 1}]),
            json!([{"/": ["/auth"]}]),
            json!([{"?": ["a"]}]),
            json!([{"?": {"a": 1}}]),
            json!([{"#": null}]),
            json!([{"exclude": "true"}]),
            json!([{"caseSensitive": 1}]),
            json!([{"/": long}]),
            json!(many),
        ] {
            assert!(read_list(&value).is_err());
        }
    }

    #[test]
    fn hostile_patterns_end_soon() {
        let pattern = format!("{}b", "*a".repeat(MAX_PATTERN_BYTES / 2 - 1));
        assert!(!matches(&pattern, &"a".repeat(8192)));
    }
}
