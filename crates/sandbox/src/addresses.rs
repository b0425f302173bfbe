//! Who is reached where: ports, host names, entity identifiers.
//!
//! By default pages are plain HTTP on loopback, so that no browser warns before the first click; statements and mutual TLS are HTTPS with
//! the sandbox's own authority. With HTTPS everything is.

use serde::{Deserialize, Serialize};

use crate::insurers::Insurer;
use crate::services::Service;

/// First of the sandbox's ports where nothing else is said.
pub const DEFAULT_PORT_BASE: u16 = 8400;
/// How many ports in a row a sandbox takes.
pub const PORT_COUNT: u16 = 9;

/// Whether pages are served over HTTP or HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PageScheme {
    /// Plain, on loopback.
    Http,
    /// With the sandbox's authority.
    Https,
}

/// The ports, in the order of the port base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ports {
    /// +0: the portal.
    pub portal: u16,
    /// +1: the Federation Master, HTTPS.
    pub master: u16,
    /// +2: the provider's pages, HTTP; with HTTPS pages nobody listens here.
    pub provider_pages: u16,
    /// +3: the provider, HTTPS.
    pub provider: u16,
    /// +4: the provider's endpoints for services, HTTPS with client certificates.
    pub provider_mtls: u16,
    /// +5: the patient record, HTTPS.
    pub record: u16,
    /// +6: its pages, HTTP.
    pub record_pages: u16,
    /// +7: the e-prescription service, HTTPS.
    pub prescription: u16,
    /// +8: its pages, HTTP.
    pub prescription_pages: u16,
}

impl Ports {
    /// From a base.
    #[must_use]
    pub const fn from_base(base: u16) -> Self {
        Self {
            portal: base,
            master: base + 1,
            provider_pages: base + 2,
            provider: base + 3,
            provider_mtls: base + 4,
            record: base + 5,
            record_pages: base + 6,
            prescription: base + 7,
            prescription_pages: base + 8,
        }
    }

    /// All, in order.
    #[must_use]
    pub const fn all(self) -> [u16; PORT_COUNT as usize] {
        [
            self.portal,
            self.master,
            self.provider_pages,
            self.provider,
            self.provider_mtls,
            self.record,
            self.record_pages,
            self.prescription,
            self.prescription_pages,
        ]
    }

    /// From all, in order.
    #[must_use]
    pub const fn from_all(all: [u16; PORT_COUNT as usize]) -> Self {
        let [
            portal,
            master,
            provider_pages,
            provider,
            provider_mtls,
            record,
            record_pages,
            prescription,
            prescription_pages,
        ] = all;
        Self {
            portal,
            master,
            provider_pages,
            provider,
            provider_mtls,
            record,
            record_pages,
            prescription,
            prescription_pages,
        }
    }
}

/// A service's two addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAddresses {
    /// Entity identifier, HTTPS.
    pub entity_id: String,
    /// Where its pages begin.
    pub pages: String,
}

/// An insurer's addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsurerAddresses {
    /// Issuer, HTTPS.
    pub issuer: String,
    /// Base of what a browser opens.
    pub pages: String,
    /// Base of the endpoints for services.
    pub mtls: String,
}

/// Every address of a sandbox, none with a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The portal.
    pub portal: String,
    /// The Federation Master's entity identifier.
    pub master: String,
    /// `leuchtturm`
    pub leuchtturm: InsurerAddresses,
    /// `kleeblatt`
    pub kleeblatt: InsurerAddresses,
    /// `record`
    pub record: ServiceAddresses,
    /// `prescription`
    pub prescription: ServiceAddresses,
}

impl Addresses {
    /// What follows from ports, domain and scheme. `localhost` has no names below it: everybody shares it.
    #[must_use]
    pub fn new(ports: Ports, domain: &str, pages: PageScheme) -> Self {
        let names = Names { domain };
        let https = |part: &str, port: u16| format!("https://{}:{port}", names.host(part));
        let page = |part: &str, plain: u16, tls: u16| match pages {
            PageScheme::Http => format!("http://localhost:{plain}"),
            PageScheme::Https => https(part, tls),
        };
        let insurer = |insurer: Insurer| {
            let path = insurer.ik_text();
            InsurerAddresses {
                issuer: format!("{}/{path}", https("idp", ports.provider)),
                pages: format!("{}/{path}", page("idp", ports.provider_pages, ports.provider)),
                mtls: format!("{}/{path}", https("mtls", ports.provider_mtls)),
            }
        };
        Self {
            portal: page("", ports.portal, ports.portal),
            master: https("master", ports.master),
            leuchtturm: insurer(Insurer::Leuchtturm),
            kleeblatt: insurer(Insurer::Kleeblatt),
            record: ServiceAddresses {
                entity_id: https("record", ports.record),
                pages: page("record", ports.record_pages, ports.record),
            },
            prescription: ServiceAddresses {
                entity_id: https("prescription", ports.prescription),
                pages: page("prescription", ports.prescription_pages, ports.prescription),
            },
        }
    }

    /// Of one insurer.
    #[must_use]
    pub const fn insurer(&self, insurer: Insurer) -> &InsurerAddresses {
        match insurer {
            Insurer::Leuchtturm => &self.leuchtturm,
            Insurer::Kleeblatt => &self.kleeblatt,
        }
    }

    /// Of one service.
    #[must_use]
    pub const fn service(&self, service: Service) -> &ServiceAddresses {
        match service {
            Service::Record => &self.record,
            Service::Prescription => &self.prescription,
        }
    }

    /// The insurer with this issuer.
    #[must_use]
    pub fn insurer_of(&self, issuer: &str) -> Option<Insurer> {
        Insurer::ALL
            .into_iter()
            .find(|insurer| self.insurer(*insurer).issuer == issuer)
    }
}

struct Names<'a> {
    domain: &'a str,
}

impl Names<'_> {
    fn host(&self, part: &str) -> String {
        if part.is_empty() || self.domain == "localhost" {
            self.domain.to_owned()
        } else {
            format!("{part}.{}", self.domain)
        }
    }
}

/// Every host name a sandbox under `domain` answers to.
#[must_use]
pub fn host_names(domain: &str) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    if domain != "localhost" {
        names.push(domain.to_owned());
        for part in ["master", "idp", "mtls", "record", "prescription"] {
            names.push(format!("{part}.{domain}"));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_only_pages_are_plain() {
        let addresses = Addresses::new(Ports::from_base(8400), "localhost", PageScheme::Http);
        assert_eq!(addresses.portal, "http://localhost:8400");
        assert_eq!(addresses.master, "https://localhost:8401");
        assert_eq!(addresses.leuchtturm.pages, "http://localhost:8402/109900019");
        assert_eq!(addresses.leuchtturm.issuer, "https://localhost:8403/109900019");
        assert_eq!(addresses.kleeblatt.mtls, "https://localhost:8404/109912342");
        assert_eq!(addresses.record.entity_id, "https://localhost:8405");
        assert_eq!(addresses.record.pages, "http://localhost:8406");
        assert_eq!(addresses.prescription.pages, "http://localhost:8408");
    }

    #[test]
    fn under_a_domain_everybody_has_a_name_and_https() {
        let addresses = Addresses::new(Ports::from_base(9000), "ti.test", PageScheme::Https);
        assert_eq!(addresses.portal, "https://ti.test:9000");
        assert_eq!(addresses.master, "https://master.ti.test:9001");
        assert_eq!(addresses.leuchtturm.issuer, addresses.leuchtturm.pages);
        assert_eq!(addresses.leuchtturm.mtls, "https://mtls.ti.test:9004/109900019");
        assert_eq!(addresses.record.pages, "https://record.ti.test:9005");
        for name in host_names("ti.test") {
            assert!(name == "localhost" || name.ends_with("ti.test"));
        }
    }

    #[test]
    fn ports_survive_their_list() {
        let ports = Ports::from_base(8400);
        assert_eq!(Ports::from_all(ports.all()), ports);
        assert_eq!(ports.all(), [8400, 8401, 8402, 8403, 8404, 8405, 8406, 8407, 8408]);
    }
}
