//! The account as a piece of a page: headings from level 2 on, no styles and no script of its own.

use askama::Template;
use serde_json::Value;

use super::texts::{claim_label, moment};
use super::{ClaimAccount, Explanation, Standing};
use crate::language::Language;

#[derive(Template)]
#[template(path = "explanation.html")]
struct ExplanationPage<'a> {
    account: &'a Explanation,
    language: Language,
    t: &'static Texts,
}

struct Texts {
    contents: &'static str,
    steps: &'static str,
    claims: &'static str,
    claims_caption: &'static str,
    claim: &'static str,
    value: &'static str,
    why: &'static str,
    absent: &'static str,
    document: &'static str,
    token: &'static str,
    token_hint: &'static str,
}

const GERMAN: Texts = Texts {
    contents: "Auf dieser Seite",
    steps: "Warum diesem Token geglaubt wird",
    claims: "Was darin steht, und warum",
    claims_caption: "Jede Angabe im Token, und jede angefragte, die fehlt",
    claim: "Angabe",
    value: "Wert",
    why: "Angefragt durch",
    absent: "nicht enthalten: abgelehnt oder der Kasse nicht bekannt",
    document: "Inhalt anzeigen",
    token: "Das Token, wie es ankam",
    token_hint: "Für eigene Werkzeuge. Öffnen kann es nur, wer den privaten Schlüssel des Dienstes hat.",
};

const ENGLISH: Texts = Texts {
    contents: "On this page",
    steps: "Why this token is believed",
    claims: "What it says, and why",
    claims_caption: "Every claim in the token, and every one asked for that is missing",
    claim: "Claim",
    value: "Value",
    why: "Asked for by",
    absent: "not included: refused, or not known to the insurer",
    document: "Show content",
    token: "The token as it came",
    token_hint: "For tools of your own. Only the holder of the service's private key can open it.",
};

/// Writes the account as HTML. Every value is escaped.
pub fn render(account: &Explanation, language: Language) -> String {
    let t = match language {
        Language::German => &GERMAN,
        Language::English => &ENGLISH,
    };
    // The template has no fallible part; should one ever come, an empty piece is better than a half page.
    ExplanationPage { account, language, t }.render().unwrap_or_default()
}

impl ExplanationPage<'_> {
    fn pretty(&self, document: &Value) -> String {
        serde_json::to_string_pretty(document).unwrap_or_default()
    }

    fn label<'a>(&self, claim: &'a ClaimAccount) -> &'a str {
        claim_label(&claim.name, self.language)
    }

    fn tag_class(&self, claim: &ClaimAccount) -> &'static str {
        match (claim.standing, &claim.value) {
            (_, None) | (Standing::NotAsked, _) => "tag warn",
            (Standing::Essential | Standing::Voluntary, Some(_)) => "tag good",
            (Standing::Protocol, Some(_)) => "tag",
        }
    }

    /// A value as people read it: texts bare, times also as a date, lists with commas.
    fn shown(&self, claim: &ClaimAccount, value: &Value) -> String {
        match (claim.name.as_str(), value) {
            (_, Value::String(text)) => text.clone(),
            ("iat" | "exp" | "nbf" | "auth_time", Value::Number(number)) => {
                let time = number
                    .as_u64()
                    .map(|seconds| moment(jose::UnixTime(seconds)))
                    .unwrap_or_default();
                format!("{number} ({time})")
            }
            (_, Value::Array(list)) if list.iter().all(Value::is_string) => {
                list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
            }
            (_, other) => other.to_string(),
        }
    }

    fn by(&self, claim: &ClaimAccount) -> String {
        claim
            .asked_by
            .iter()
            .map(|by| by.label(self.language))
            .collect::<Vec<_>>()
            .join(", ")
    }
}
