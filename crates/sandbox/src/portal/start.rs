//! `/`: what this is and where to click.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use fedmaster::registration::ParticipantType;
use fedmaster::{Participant, ParticipantState};
use url::form_urlencoded;

use super::Shared;
use super::frame::{Frame, page};
use super::texts::Texts;
use crate::insurers::Insurer;
use crate::people::{DEFAULT_PIN, PEOPLE};
use crate::services::Service;

struct ServiceLine {
    name: String,
    purpose: String,
    pages: String,
}

struct PersonLine {
    name: &'static str,
    insurer: &'static str,
    special: &'static str,
    pin: &'static str,
}

struct InsurerLine<'a> {
    name: &'static str,
    pages: &'a str,
}

struct PartyLine {
    name: String,
    entity_id: String,
    kind: &'static str,
    state: &'static str,
    tone: &'static str,
    link: String,
}

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage<'a> {
    frame: &'a Frame,
    services: Vec<ServiceLine>,
    people: Vec<PersonLine>,
    insurers: Vec<InsurerLine<'a>>,
    parties: Vec<PartyLine>,
    default_pin: &'static str,
    idp_list: String,
}

/// `GET /`.
pub(super) async fn start(State(portal): Shared, frame: Frame) -> Response {
    let (t, language) = (frame.t(), frame.language);
    let addresses = &portal.addresses;
    let services = Service::ALL
        .into_iter()
        .map(|service| {
            let personality = service.personality();
            ServiceLine {
                name: personality.name.get(language).to_owned(),
                purpose: personality.purpose.get(language).to_owned(),
                pages: addresses.service(service).pages.clone(),
            }
        })
        .collect();
    let people = PEOPLE
        .iter()
        .map(|person| PersonLine {
            name: person.display_name,
            insurer: person.insurer.name(),
            special: language.pick(person.special.de, person.special.en),
            pin: person.pin,
        })
        .collect();
    let insurers = Insurer::ALL
        .into_iter()
        .map(|insurer| InsurerLine {
            name: insurer.name(),
            pages: &addresses.insurer(insurer).pages,
        })
        .collect();
    let master = PartyLine {
        name: t.kind_master.to_owned(),
        link: statement_link(&addresses.master),
        entity_id: addresses.master.clone(),
        kind: t.kind_master,
        state: t.state_active,
        tone: "good",
    };
    let participants = portal.master.participants();
    let parties = std::iter::once(master).chain(participants.iter().map(|participant| line(t, participant)));
    let start = StartPage {
        frame: &frame,
        services,
        people,
        insurers,
        parties: parties.collect(),
        default_pin: DEFAULT_PIN,
        idp_list: portal.master.endpoints().idp_list,
    };
    page(StatusCode::OK, &frame, &start)
}

fn line(t: &Texts, participant: &Participant) -> PartyLine {
    let registration = &participant.registration;
    let (state, tone) = match participant.state {
        ParticipantState::Active => (t.state_active, "good"),
        ParticipantState::NotReachable { .. } => (t.state_unreachable, "warn"),
        ParticipantState::Locked { .. } => (t.state_locked, "bad"),
    };
    PartyLine {
        name: registration.organization_name().to_owned(),
        entity_id: registration.entity_id().to_string(),
        kind: match registration.participant_type() {
            ParticipantType::IdentityProvider => t.kind_idp,
            ParticipantType::RelyingParty => t.kind_rp,
        },
        state,
        tone,
        link: statement_link(registration.entity_id().as_str()),
    }
}

/// The page that takes a participant's statement apart.
pub(super) fn statement_link(entity_id: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("entity_id", entity_id)
        .finish();
    format!("/statement?{query}")
}
