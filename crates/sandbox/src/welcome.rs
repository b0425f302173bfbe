//! What `healthid sandbox` prints when everything answers.

use std::fmt::Write as _;

use crate::addresses::DEFAULT_PORT_BASE;
use crate::description::Description;
use crate::people::DEFAULT_PIN;
use crate::services::Service;

/// The welcome of a sandbox that took `started_in_milliseconds` to start.
#[must_use]
pub fn welcome(description: &Description, started_in_milliseconds: u128) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut line = |words: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{words}");
    };
    let page = |service: Service| description.service(service).map_or("", |entry| entry.pages.as_str());
    line(format_args!(
        "healthid {} sandbox: a whole GesundheitsID federation, ready after {started_in_milliseconds} ms",
        description.version
    ));
    line(format_args!(""));
    line(format_args!("  Open this first     {}/", description.portal));
    line(format_args!("  Patient record      {}/", page(Service::Record)));
    line(format_args!("  E-prescription      {}/", page(Service::Prescription)));
    line(format_args!(""));
    line(format_args!(
        "  Take the tour, three minutes: {}/tour",
        description.portal
    ));
    line(format_args!(
        "  Or choose a service and an insurer. Then approve with the wallet, where a second window plays"
    ));
    line(format_args!(
        "  your phone, or with a virtual health card. PIN: {DEFAULT_PIN}"
    ));
    line(format_args!(
        "  All people, cards and insurers are invented. Do not enter anything real."
    ));
    line(format_args!(""));
    line(format_args!("  For your own service"));
    line(format_args!("    Federation Master {}", description.master));
    for insurer in &description.insurers {
        line(format_args!("    {:<17} {}", insurer.word, insurer.issuer));
    }
    line(format_args!("    TLS authority     {}", description.ca.display()));
    line(format_args!("    Register it       {}/register", description.portal));
    line(format_args!(
        "    ID tokens         version 1.0.0 and 2.0.0, as your entity statement announces"
    ));
    line(format_args!(""));
    if description.host_names.len() > 1 {
        line(format_args!("  These names must lead to this machine. In /etc/hosts:"));
        line(format_args!("    127.0.0.1 {}", description.host_names[1..].join(" ")));
        line(format_args!(""));
    }
    line(format_args!("  In another terminal"));
    let at = where_to_find(description);
    let record = description.service(Service::Record);
    line(format_args!("    healthid login{at}"));
    line(format_args!("        a whole login without a browser"));
    line(format_args!(
        "    healthid federation check {}{at}",
        record.map_or("", |entry| &entry.entity_id)
    ));
    line(format_args!("        a statement and its chain, step by step"));
    line(format_args!(
        "    healthid verify {}{at}",
        description
            .insurers
            .first()
            .map_or("", |insurer| insurer.issuer.as_str())
    ));
    line(format_args!(
        "        what runs there, and who says so: here a simulation"
    ));
    line(format_args!("    healthid --help"));
    line(format_args!("        everything else"));
    line(format_args!(""));
    if description.temporary {
        line(format_args!(
            "  Ctrl-C ends it, and its data with it. To keep the data: --data DIR"
        ));
    } else {
        line(format_args!(
            "  Ctrl-C ends it. Its data stays in {}",
            description.data.display()
        ));
    }
    text
}

/// What a command has to add to find this sandbox.
fn where_to_find(description: &Description) -> String {
    if description.portal == format!("http://localhost:{DEFAULT_PORT_BASE}") {
        String::new()
    } else if description.portal.starts_with("https://") {
        format!(" --at {}", description.data.display())
    } else {
        format!(" --at {}", description.portal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addresses::{Addresses, PageScheme, Ports};

    fn description(temporary: bool) -> Description {
        let addresses = Addresses::new(Ports::from_base(8400), "localhost", PageScheme::Http);
        Description {
            version: "1.2.3".into(),
            portal: addresses.portal.clone(),
            card_terminal: addresses.portal.clone(),
            master: addresses.master.clone(),
            master_keys: jose::jwk::JwkSet::default(),
            insurers: Description::insurers_of(&addresses),
            services: Description::services_of(&addresses),
            ca: "/data/ca.pem".into(),
            evidence_pins: "/data/evidence-pins.json".into(),
            data: "/data".into(),
            temporary,
            host_names: vec!["localhost".into()],
        }
    }

    #[test]
    fn the_first_address_is_the_one_to_open_first() {
        let text = welcome(&description(true), 120);
        let first = text.lines().find(|line| line.contains("http")).unwrap_or_default();
        assert!(
            first.contains("Open this first") && first.ends_with("http://localhost:8400/"),
            "{first}"
        );
    }

    #[test]
    fn it_says_what_is_invented_the_pin_and_how_to_stop() {
        for temporary in [true, false] {
            let text = welcome(&description(temporary), 120);
            for words in [
                "invented",
                "123456",
                "/tour",
                "second window",
                "Ctrl-C",
                "/data/ca.pem",
                "healthid login",
                "120 ms",
                "1.2.3",
            ] {
                assert!(text.contains(words), "{words}");
            }
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        }
    }
}
