//! The portal's pages, as a browser without scripts meets them.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{run, sandbox};
use sandbox::people::PEOPLE;
use sandbox::services::Service;
use transport::{AddressRule, HttpClient, HttpResponse, Redirects};
use url::Url;

fn browser() -> HttpClient {
    let roots = sandbox().roots();
    let builder = HttpClient::builder(roots, AddressRule::LoopbackAllowed).keep_cookies();
    builder.redirects(Redirects::Follow).build().unwrap()
}

fn portal(path: &str) -> String {
    format!("{}{path}", sandbox().description().portal)
}

/// The value of the first attribute after a marker.
fn after<'a>(html: &'a str, marker: &str, attribute: &str) -> &'a str {
    let rest = html
        .split_once(marker)
        .unwrap_or_else(|| panic!("{marker} in {html}"))
        .1;
    let rest = rest.split_once(&format!("{attribute}=\"")).unwrap().1;
    rest.split_once('"').unwrap().0
}

fn unescaped(text: &str) -> String {
    text.replace("&#38;", "&").replace("&amp;", "&")
}

/// From the service's start page to the portal's card page.
async fn to_card_page(browser: &HttpClient, service: Service) -> (String, String) {
    let pages = &sandbox().addresses().service(service).pages;
    let start = browser.get(&format!("{pages}/"), &[]).await.unwrap().text();
    let issuer = &sandbox().addresses().leuchtturm.issuer;
    assert!(start.contains(issuer.as_str()));
    let fields = [("idp", issuer.as_str())];
    let login = browser
        .post_form(&format!("{pages}/login"), &fields, &[])
        .await
        .unwrap();
    assert_eq!(login.status, 200, "{}", login.text());
    let link = unescaped(after(&login.text(), "class=\"button\"", "href"));
    assert!(link.starts_with(&portal("/card?")), "{link}");
    let card = browser.get(&link, &[]).await.unwrap();
    assert_eq!(card.status, 200);
    (link, card.text())
}

fn fields(link: &str) -> Vec<(String, String)> {
    Url::parse(link).unwrap().query_pairs().into_owned().collect()
}

async fn send_card(browser: &HttpClient, link: &str, word: &str, pin: &str) -> HttpResponse {
    let mut fields = fields(link);
    fields.push(("card".into(), word.into()));
    fields.push(("pin".into(), pin.into()));
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    browser.post_form(&portal("/card"), &fields, &[]).await.unwrap()
}

#[test]
fn the_start_page_shows_everybody_in_both_languages() {
    run(async {
        let browser = browser();
        for (language, words) in [("de", "In drei Schritten anmelden"), ("en", "Log in in three steps")] {
            let page = browser
                .get(&portal("/"), &[("accept-language", language)])
                .await
                .unwrap();
            let html = page.text();
            assert!(html.contains(words) && html.contains(&format!("<html lang=\"{language}\">")));
            assert!(
                page.header("content-security-policy")
                    .unwrap()
                    .contains("default-src 'none'")
            );
            for person in PEOPLE {
                assert!(
                    html.contains(&person.display_name.replace('\'', "&#39;")),
                    "{}",
                    person.word
                );
            }
            for participant in sandbox().master().participants() {
                assert!(html.contains(participant.registration.entity_id().as_str()));
            }
            assert!(!html.contains("<script"));
        }
    });
}

#[test]
fn the_language_switch_is_remembered() {
    run(async {
        let browser = browser();
        let english = [("accept-language", "en")];
        let page = browser.get(&portal("/?lang=de"), &english).await.unwrap();
        assert!(page.text().contains("<html lang=\"de\">"));
        let page = browser.get(&portal("/register"), &english).await.unwrap();
        assert!(page.text().contains("<html lang=\"de\">"));
    });
}

#[test]
fn a_person_gets_from_the_service_through_card_and_consent_back_to_it() {
    run(async {
        let browser = browser();
        let (link, html) = to_card_page(&browser, Service::Prescription).await;
        assert!(html.contains("E-Rezept Sandbox") && html.contains("value=\"lena\""));
        let consent = send_card(&browser, &link, "lena", "123456").await;
        assert_eq!(consent.status, 200);
        assert!(consent.url.contains("/auth/consent?"), "{}", consent.url);
        let html = consent.text();
        let login = after(&html, "name=\"login\"", "value").to_owned();
        let client_id = sandbox().addresses().prescription.entity_id.clone();
        let pages = &sandbox().addresses().leuchtturm.pages;
        let fields = [
            ("client_id", client_id.as_str()),
            ("login", &login),
            ("decision", "approve"),
        ];
        let back = browser
            .post_form(&format!("{pages}/auth/consent"), &fields, &[])
            .await
            .unwrap();
        assert_eq!(back.status, 200, "{}", back.text());
        assert!(back.url.ends_with("/account"), "{}", back.url);
        assert!(back.text().contains("Lena Beispiel"));
    });
}

#[test]
fn wrong_pins_are_counted_on_the_page_and_a_button_unblocks() {
    run(async {
        let browser = browser();
        let (link, _) = to_card_page(&browser, Service::Record).await;
        for words in ["noch 2 Versuche", "noch 1 Versuch", "dreimal falsch"] {
            let html = send_card(&browser, &link, "otto", "00000000").await.text();
            assert!(html.contains("role=\"alert\"") && html.contains(words), "{words}");
        }
        let blocked = send_card(&browser, &link, "otto", "19390700").await.text();
        assert!(blocked.contains("action=\"/card/unblock\""));
        let mut fields = fields(&link);
        fields.push(("card".into(), "otto".into()));
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let unblocked = browser
            .post_form(&portal("/card/unblock"), &fields, &[])
            .await
            .unwrap()
            .text();
        assert!(unblocked.contains("wieder drei Versuche"));
        let consent = send_card(&browser, &link, "otto", "19390700").await;
        assert!(consent.url.contains("/auth/consent?"), "{}", consent.url);
    });
}

#[test]
fn what_is_no_pin_costs_no_try_on_the_page() {
    run(async {
        let browser = browser();
        let (link, _) = to_card_page(&browser, Service::Record).await;
        let html = send_card(&browser, &link, "ada", "12").await.text();
        assert!(html.contains("keinen Versuch gekostet"));
        let cards = sandbox().cards().list().unwrap();
        assert_eq!(
            cards.iter().find(|card| card.word == "ada").unwrap().tries_left,
            Some(3)
        );
    });
}

#[test]
fn a_refused_card_is_explained_with_the_insurers_reason() {
    run(async {
        let browser = browser();
        let (link, _) = to_card_page(&browser, Service::Record).await;
        let refused = send_card(&browser, &link, "renate", "123456").await;
        assert_eq!(refused.status, 403);
        let html = refused.text();
        assert!(
            html.contains("revoked") && html.contains("support code") && html.contains("Sperrliste"),
            "{html}"
        );
    });
}

#[test]
fn addresses_that_lead_nowhere_say_so() {
    run(async {
        let browser = browser();
        let issuer = &sandbox().addresses().leuchtturm.issuer;
        for (path, status) in [
            ("/nowhere".to_owned(), 404),
            ("/card".to_owned(), 400),
            ("/card?issuer=https://idp.example&client_id=a&login=b".to_owned(), 400),
            (format!("/card?issuer={issuer}&client_id=a&login=b"), 400),
            ("/statement".to_owned(), 404),
            ("/statement?entity_id=https://somebody.example".to_owned(), 404),
        ] {
            let page = browser.get(&portal(&path), &[]).await.unwrap();
            assert_eq!(page.status, status, "{path}");
            assert!(page.text().contains("<h1>"), "{path}");
        }
    });
}

#[test]
fn forms_of_other_sites_are_not_taken() {
    run(async {
        let browser = browser();
        let foreign = [("sec-fetch-site", "cross-site")];
        for path in ["/card", "/card/unblock", "/register"] {
            let answer = browser
                .post_form(&portal(path), &[("card", "lena")], &foreign)
                .await
                .unwrap();
            assert_eq!(answer.status, 403, "{path}");
        }
        let answer = browser
            .post_form(&portal("/rehearsal/token/leuchtturm/publish"), &[], &[])
            .await
            .unwrap();
        assert_eq!(answer.status, 403);
    });
}

#[test]
fn every_participants_statement_is_taken_apart_with_its_chain() {
    run(async {
        let browser = browser();
        let mut ids: Vec<String> = sandbox()
            .master()
            .participants()
            .iter()
            .map(|party| party.registration.entity_id().to_string())
            .collect();
        ids.push(sandbox().addresses().master.clone());
        for id in ids {
            let html = browser
                .get(&portal(&format!("/statement?entity_id={id}")), &[])
                .await
                .unwrap()
                .text();
            assert!(
                html.contains("Die Kette hält.") && html.contains("entity-statement+jwt"),
                "{id}"
            );
        }
    });
}

#[test]
fn a_service_registers_with_nothing_but_its_address() {
    run(async {
        let browser = browser();
        let id = sandbox().addresses().prescription.entity_id.clone();
        let page = browser
            .post_form(&portal("/register"), &[("entity_id", &id)], &[])
            .await
            .unwrap();
        assert_eq!(page.status, 200);
        assert!(page.text().contains("Es ist alles in Ordnung"));
        for (fields, words) in [
            (vec![("entity_id", "http://service.example")], "Nicht lesbar"),
            (vec![("entity_id", "https://localhost:9")], "Nicht lesbar"),
            (
                vec![
                    ("entity_id", id.as_str()),
                    ("name", "Dienst <b>fett</b>"),
                    ("redirect_uris", "https://service.example/#fragment"),
                    ("scopes", "urn:x"),
                    ("keys", "{\"keys\":[]}"),
                ],
                "So kann der Dienst nicht mitmachen",
            ),
        ] {
            let page = browser.post_form(&portal("/register"), &fields, &[]).await.unwrap();
            assert_eq!(page.status, 422, "{words}");
            assert!(
                page.text().contains(words) && !page.text().contains("<b>fett"),
                "{}",
                page.text()
            );
        }
    });
}

#[test]
fn the_tour_shows_as_seen_what_the_sandbox_saw_since_it_began_and_nothing_else() {
    // A sandbox of its own: other tests log in, too.
    run(async {
        let running = sandbox::Sandbox::start(common::options()).await.unwrap();
        let portal = running.description().portal.clone();
        let browser = HttpClient::builder(running.roots(), AddressRule::LoopbackAllowed)
            .keep_cookies()
            .redirects(Redirects::Follow)
            .build()
            .unwrap();
        let seen = async |since: &str, step: usize| {
            let page = browser
                .get(&format!("{portal}/tour?step={step}&since={since}"), &[])
                .await
                .unwrap();
            let html = page.text();
            assert!(html.contains(&format!("Schritt {step} von 4")), "{html}");
            let seen = html.matches("tag good\">erledigt").count();
            (seen, html.matches("tag\">noch nicht").count())
        };
        assert_eq!(seen("0", 1).await, (0, 3));
        let headless = sandbox::headless::Headless::with(&running).unwrap();
        let options = sandbox::headless::Headless::options(Service::Record, None);
        let means = sandbox::headless::Means::Person {
            word: "lena",
            pin: "123456",
        };
        let decision = sandbox::headless::Decision::ApproveAll;
        let insurer = sandbox::insurers::Insurer::Leuchtturm;
        headless
            .log_in(Service::Record, insurer, &options, means, &decision)
            .await
            .unwrap();
        // The request was pushed; nobody opened a page.
        assert_eq!(seen("0", 1).await, (1, 2));
        // The card answered and she decided, and no window played the phone; the token was issued, and no browser went back.
        assert_eq!(seen("0", 2).await, (2, 1));
        assert_eq!(seen("0", 3).await, (1, 1));
        assert_eq!(seen("0", 4).await, (0, 0));
        let wallet = format!("{}/wallet/", running.addresses().leuchtturm.pages);
        assert_eq!(browser.get(&wallet, &[]).await.unwrap().status, 200);
        assert_eq!(seen("0", 2).await, (3, 0));
        // Who begins now has seen nothing yet.
        let html = browser.get(&format!("{portal}/tour"), &[]).await.unwrap().text();
        let begin = unescaped(after(&html, "class=\"button\"", "href"));
        let since = begin.rsplit_once('=').unwrap().1.to_owned();
        assert!(begin.starts_with("/tour?step=1&since="), "{begin}");
        for (step, checks) in [(1, 3), (2, 3), (3, 2)] {
            assert_eq!(seen(&since, step).await, (0, checks), "step {step}");
        }
        let page = browser
            .get(&format!("{}/", running.addresses().record.pages), &[])
            .await
            .unwrap();
        assert_eq!(page.status, 200);
        assert_eq!(seen(&since, 1).await, (1, 2));
        running.stop().await;
    });
}

#[test]
fn an_address_that_is_no_step_of_the_tour_leads_to_its_beginning() {
    run(async {
        let browser = browser();
        for query in [
            "?step=0&since=0",
            "?step=5&since=0",
            "?step=1",
            "?step=x&since=0",
            "?step=1&since=-1",
            "?step=1&since=99999999",
        ] {
            let page = browser.get(&portal(&format!("/tour{query}")), &[]).await.unwrap();
            assert_eq!(
                (page.status, page.url.as_str()),
                (200, portal("/tour").as_str()),
                "{query}"
            );
        }
        for (language, words) in [("de", "Schritt"), ("en", "Step")] {
            for step in 1..=4 {
                let address = portal(&format!("/tour?step={step}&since=0&lang={language}"));
                let page = browser.get(&address, &[]).await.unwrap();
                let html = page.text();
                assert!(page.status == 200 && html.contains(words) && !html.contains("<script"));
                // A window of its own for everything that is not the portal's.
                let outside = html.matches("href=\"http").count();
                assert_eq!(html.matches("target=\"_blank\"").count(), outside, "step {step}");
            }
        }
    });
}

#[test]
fn the_wallet_is_offered_beside_the_card_pages() {
    run(async {
        let browser = browser();
        let wallet = format!("{}/wallet/", sandbox().addresses().leuchtturm.pages);
        let start = browser.get(&portal("/"), &[]).await.unwrap().text();
        assert!(start.contains(&format!("href=\"{wallet}\" target=\"_blank\"")) && start.contains("href=\"/tour\""));
        let page = browser.get(&wallet, &[]).await.unwrap();
        assert!(page.status == 200 && page.header("content-security-policy").is_some());
        let config = browser.get(&format!("{wallet}config.json"), &[]).await.unwrap();
        let config: serde_json::Value = config.json().unwrap();
        assert_eq!(config["card_terminal"], sandbox().description().card_terminal.as_str());
        let (link, html) = to_card_page(&browser, Service::Record).await;
        let offered = unescaped(after(&html, "<p class=\"quiet\">Lieber", "href"));
        assert!(offered.starts_with(&wallet), "{offered}");
        // The wallet takes all three.
        assert_eq!(fields(&offered), fields(&link));
        assert_eq!(fields(&offered).len(), 3);
    });
}

#[test]
fn tools_find_addresses_and_authority() {
    run(async {
        let browser = browser();
        let description = browser.get(&portal("/sandbox.json"), &[]).await.unwrap();
        let read: sandbox::description::Description = description.json().unwrap();
        assert_eq!(read, *sandbox().description());
        assert!(!description.text().contains("seed"));
        let pem = browser.get(&portal("/ca.pem"), &[]).await.unwrap().text();
        assert_eq!(pem, std::fs::read_to_string(&read.ca).unwrap());
        for path in ["/page.css", "/icon.svg"] {
            assert_eq!(browser.get(&portal(path), &[]).await.unwrap().status, 200);
        }
    });
}
