//! `POST /account/export`: the whole account as one document that she can read and take elsewhere (GDPR Art. 15 and 20).
//!
//! Times are written as dates, every member has its meaning beside it in German and English, and what the law wants said is said.

use std::sync::Arc;

use axum::{body::Bytes, http::HeaderMap, response::Response};
use jose::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vault::{PersonClaims, PersonScope, ScopeError};

use super::history::{answer, enter};
use super::{Overview, Sealed};
use crate::{
    authenticate,
    core::{Core, StepProblem},
    devices,
    history::{Chain, Entry, Event, OpenHistory, Shown, note},
    people,
    tenant::Tenant,
};

/// Names the form of the document.
const FORMAT: &str = "healthid-account-1";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    login: String,
}

/// Hands her everything.
pub(crate) async fn export(core: &Core, tenant: &Arc<Tenant>, headers: &HeaderMap, body: &Bytes) -> Response {
    answer(core, document(core, tenant, headers, body).await)
}

async fn document(
    core: &Core,
    tenant: &Arc<Tenant>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Vec<u8>, StepProblem> {
    let request: Export = authenticate::read(body)?;
    let authenticated = enter(core, tenant, headers, &request.login)?;
    devices::check_still_good(core, tenant, &authenticated).await?;
    let now = core.now();
    // Written down first: the document has this entry too, and none leaves without one.
    let entry = Entry::of(Event::Exported, now)
        .proven(&authenticated.login.performed)
        .with_device(authenticated.login.device);
    note(core, tenant.id(), authenticated.capability.person_id(), entry).await?;
    let capability = authenticated.capability;
    let sealed = Sealed::load(core, tenant, &capability).await?;
    let answer = core.vault.with_person(capability, &sealed.identity, |scope| {
        let (overview, log) = sealed.open(core, tenant, scope)?;
        scope.answer(|claims| write(tenant, scope, claims, overview, log, now))
    })??;
    Ok(answer.into_body())
}

#[derive(Serialize)]
struct History {
    entries: Vec<Shown>,
    chain: Chain,
}

fn write(
    tenant: &Tenant,
    scope: &PersonScope<'_>,
    claims: &PersonClaims<'_>,
    overview: Overview,
    log: OpenHistory,
    now: UnixTime,
) -> Result<Vec<u8>, ScopeError> {
    let person = scope.person_id();
    let history = History {
        chain: log.chain,
        entries: log
            .entries
            .into_iter()
            .map(|(id, entry)| Shown::of(person, id, entry))
            .collect(),
    };
    let (Ok(mut account), Ok(mut history)) = (serde_json::to_value(&overview), serde_json::to_value(&history)) else {
        return Err(ScopeError::Content);
    };
    legible(&mut account);
    legible(&mut history);
    let settings = &tenant.settings;
    let meanings: Map<String, Value> = MEANINGS
        .iter()
        .map(|(member, de, en)| ((*member).to_owned(), json!({"de": de, "en": en})))
        .collect();
    let document = json!({
        "format": FORMAT,
        "made_at": text(now),
        "insurer": {
            "name": settings.organization_name,
            "issuer": tenant.issuer(),
            "contacts": settings.contacts,
        },
        "person": {
            "kvnr": claims.kvnr().as_str(),
            "ik": claims.ik().as_str(),
            "given_name": claims.given_name(),
            "family_name": claims.family_name(),
            "display_name": claims.display_name(),
            "birthdate": claims.birthdate(),
            "sex": claims.sex(),
            "email": claims.email(),
        },
        "account": account,
        "history": history,
        "notice": NOTICE.iter().map(|(about, de, en)| json!({"about": about, "de": de, "en": en})).collect::<Vec<_>>(),
        "meanings": meanings,
    });
    serde_json::to_vec(&document).map_err(|_| ScopeError::Content)
}

/// A time as people and programs read it (RFC 3339, UTC).
fn text(time: UnixTime) -> String {
    let second = time.0 % 86_400;
    format!(
        "{}T{:02}:{:02}:{:02}Z",
        people::day(time),
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// Writes out every time: a number under `at`, `…_at`, `…_until` or `last_used`.
fn legible(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let is_time = name == "at" || name == "last_used" || name.ends_with("_at") || name.ends_with("_until");
                match member.as_u64() {
                    Some(seconds) if is_time => *member = Value::String(text(UnixTime(seconds))),
                    _ => legible(member),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(legible),
        _ => {}
    }
}

/// What each member means; a member that is called the same means the same.
const MEANINGS: &[(&str, &str, &str)] = &[
    ("format", "Form dieses Dokuments", "form of this document"),
    (
        "made_at",
        "Zeitpunkt der Auskunft (UTC)",
        "when this document was made (UTC)",
    ),
    ("insurer", "Ihre Krankenkasse", "your insurer"),
    ("issuer", "Adresse Ihrer GesundheitsID", "address of your health ID"),
    ("contacts", "Ansprechstellen", "whom to ask"),
    (
        "person",
        "Was Ihre Krankenkasse über Sie gemeldet hat",
        "what your insurer has told about you",
    ),
    ("kvnr", "Krankenversichertennummer", "health insurance number"),
    (
        "ik",
        "Institutionskennzeichen der Krankenkasse",
        "institution code of the insurer",
    ),
    ("given_name", "Vorname", "given name"),
    ("family_name", "Nachname", "family name"),
    ("display_name", "Vollständiger Name", "full name"),
    ("birthdate", "Geburtsdatum", "date of birth"),
    (
        "sex",
        "Geschlecht: M männlich, W weiblich, X unbestimmt, D divers; leer: nicht bekannt",
        "sex: M male, W female, X undetermined, D diverse; empty: not known",
    ),
    (
        "email",
        "E-Mail-Adresse; leer: nicht bekannt",
        "mail address; empty: not known",
    ),
    ("account", "Ihr Konto", "your account"),
    ("consents", "Gemerkte Einwilligungen", "remembered consents"),
    ("id", "Kennung dieses Eintrags", "name of this entry"),
    ("client_id", "Kennung des Dienstes", "identifier of the service"),
    (
        "service",
        "Dienst, wie er damals hieß",
        "the service, as it was called then",
    ),
    (
        "shared",
        "Namen der Daten, die weitergegeben oder (ohne Anmeldung) verlangt wurden; nie die Daten selbst",
        "names of the data that were shared or (without a login) asked for; never the data",
    ),
    (
        "decided_at",
        "Wann Sie entschieden haben (UTC)",
        "when you decided (UTC)",
    ),
    ("devices", "Verbundene Geräte", "bound devices"),
    ("name", "Name", "name"),
    ("class", "Art des Geräteschlüssels", "kind of the device's key"),
    ("kind", "Art", "kind"),
    (
        "bound_at",
        "Wann das Gerät verbunden wurde (UTC)",
        "when the device was bound (UTC)",
    ),
    (
        "confirmed_at",
        "Wann es zuletzt mit der Karte bestätigt wurde (UTC)",
        "when it was last confirmed with the card (UTC)",
    ),
    (
        "valid_until",
        "Gerät: bis wann es ohne Karte genügt (UTC). Karte: ihr letzter Tag; null: nicht bekannt",
        "device: until when it does without the card (UTC). card: its last day; null: not known",
    ),
    (
        "last_used",
        "Letzte Benutzung im vergangenen Jahr (UTC)",
        "last use within the past year (UTC)",
    ),
    ("locked", "Ob es gesperrt ist", "whether it is locked"),
    ("cards", "Ihre Karten", "your cards"),
    (
        "history",
        "Alle Zugriffe des vergangenen Jahres",
        "all accesses of the past year",
    ),
    ("entries", "Einträge, die neuesten zuerst", "entries, newest first"),
    ("at", "Zeitpunkt (UTC)", "when (UTC)"),
    ("event", "Was geschehen ist", "what happened"),
    (
        "by",
        "Wer: you Sie, insurer die Krankenkasse, provider der Anbieter",
        "who: you, your insurer, or the provider",
    ),
    (
        "method",
        "Womit Sie sich ausgewiesen haben",
        "what you proved yourself with",
    ),
    ("level", "Vertrauensniveau", "level of assurance"),
    ("device", "Kennung des Geräts", "identifier of the device"),
    ("chain", "Prüfung auf Vollständigkeit", "check that nothing is missing"),
    (
        "length",
        "Anzahl aller Einträge, auch der abgelaufenen",
        "number of all entries, expired ones included",
    ),
    (
        "ok",
        "Ob jeder Eintrag da ist, der nicht abgelaufen ist",
        "whether every entry is there that has not expired",
    ),
    ("notice", "Hinweise nach Art. 15 DSGVO", "notice under Art. 15 GDPR"),
    ("about", "Worum es geht", "what it is about"),
    (
        "block_code",
        "Ob es einen Sperr-Code für den Notfall gibt",
        "whether there is a code for an emergency",
    ),
    (
        "blocked_at",
        "Wann der Sperr-Code zuletzt benutzt wurde (UTC)",
        "when that code was used last (UTC)",
    ),
    ("set_at", "Wann er erstellt wurde (UTC)", "when it was made (UTC)"),
];

/// GDPR Art. 15 (1) a to g, (2).
const NOTICE: &[(&str, &str, &str)] = &[
    (
        "purposes",
        "Ihre Daten werden verarbeitet, damit Sie sich bei Diensten des Gesundheitswesens anmelden können (§ 291 Abs. 8 SGB V).",
        "Your data is processed so that you can log in to services of the health system (SGB V section 291 (8)).",
    ),
    (
        "recipients",
        "Empfänger sind nur die Dienste, die in der Historie und bei den Einwilligungen stehen, mit den dort genannten Daten.",
        "Recipients are only the services in history and consents, with the data named there.",
    ),
    (
        "storage",
        "Einträge der Historie: ein Jahr. Geräte und Einwilligungen: bis Sie sie löschen. Personendaten: bis Sie die GesundheitsID schließen oder Ihre Krankenkasse sie löscht.",
        "Entries of the history: one year. Devices and consents: until you delete them. Personal data: until you close the health ID or your insurer deletes it.",
    ),
    (
        "source",
        "Die Personendaten stammen aus dem Versichertenverzeichnis Ihrer Krankenkasse.",
        "The personal data comes from your insurer's register.",
    ),
    (
        "rights",
        "Sie können Berichtigung, Löschung, Einschränkung und Übertragung verlangen und sich bei der Datenschutzaufsicht Ihrer Krankenkasse beschweren.",
        "You can demand correction, erasure, restriction and transfer, and complain to the data protection authority of your insurer.",
    ),
    (
        "automated-decisions",
        "Es gibt keine automatisierte Entscheidung im Sinne von Art. 22 DSGVO und kein Profil.",
        "There is no automated decision within the meaning of Art. 22 GDPR, and no profile.",
    ),
    (
        "third-countries",
        "Der Anbieter übermittelt nichts in ein Land außerhalb der EU; was ein Dienst tut, sagt der Dienst.",
        "The provider transfers nothing to a country outside the EU; what a service does, the service says.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_out_and_nothing_else_is() {
        let mut value =
            json!({"at": 1_795_262_400_u64, "length": 7, "valid_until": null, "devices": [{"bound_at": 0, "id": "x"}]});
        legible(&mut value);
        assert_eq!(
            value,
            json!({"at": "2026-11-21T12:00:00Z", "length": 7, "valid_until": null, "devices": [{"bound_at": "1970-01-01T00:00:00Z", "id": "x"}]})
        );
    }

    #[test]
    fn every_member_is_explained_once() {
        let members: std::collections::BTreeSet<_> = MEANINGS.iter().map(|(member, ..)| member).collect();
        assert_eq!(members.len(), MEANINGS.len());
    }
}
