//! Fetching a file as a phone does, and what went wrong on the way.

use authenticator::app_links::{ANDROID_PATH, APPLE_PATH, MAX_ANDROID_BYTES, MAX_APPLE_BYTES, MEDIA_TYPE};
use transport::{FetchError, HttpClient, HttpClientError, HttpResponse};

use super::address::Address;
use super::finding::{Finding, shown};

/// Whose phones read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    Android,
    Apple,
}

impl System {
    pub(super) const ALL: [Self; 2] = [Self::Android, Self::Apple];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Android => "Android",
            Self::Apple => "iOS",
        }
    }

    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Android => ANDROID_PATH,
            Self::Apple => APPLE_PATH,
        }
    }

    const fn most_bytes(self) -> usize {
        match self {
            Self::Android => MAX_ANDROID_BYTES,
            Self::Apple => MAX_APPLE_BYTES,
        }
    }

    /// A stable name for each system.
    const fn code(self, android: &'static str, apple: &'static str) -> &'static str {
        match self {
            Self::Android => android,
            Self::Apple => apple,
        }
    }
}

/// What came.
pub(super) enum Fetched {
    /// The file, as a phone would take it.
    File(Vec<u8>),
    /// The host has none.
    Missing,
    /// A phone would not read it.
    Refused,
}

/// Who asks. The first believes everybody that was named, the second public authorities only: as a phone does.
pub(super) struct Clients {
    pub(super) believing: HttpClient,
    pub(super) public: HttpClient,
}

impl Clients {
    /// Fetches one system's file of the address's host.
    pub(super) async fn fetch(&self, address: &Address, system: System, findings: &mut Vec<Finding>) -> Fetched {
        let url = address.at_root(system.path());
        let headers = [("accept", MEDIA_TYPE)];
        let answer = match self.believing.get(&url, &headers).await {
            Ok(answer) => answer,
            Err(error) => {
                findings.push(no_answer(system, &url, &error));
                return Fetched::Refused;
            }
        };
        if let Err(HttpClientError::Failed(FetchError::Tls(reason))) = self.public.get(&url, &headers).await {
            let code = system.code("android.certificate", "ios.certificate");
            findings.push(certificate(
                code,
                &url,
                &reason,
                " Only --ca or the running sandbox vouches for it.",
            ));
        }
        if answer.status == 404 || answer.status == 410 {
            return Fetched::Missing;
        }
        match defect_of(system, &url, &answer) {
            Some(defect) => {
                findings.push(defect);
                Fetched::Refused
            }
            None => Fetched::File(answer.body.to_vec()),
        }
    }
}

/// The host has no file where one is needed.
pub(super) fn missing(system: System, address: &Address) -> Finding {
    Finding::defect(
        system.code("android.missing", "ios.missing"),
        format!("{} names the {} app", address.at_root(system.path()), system.name()),
        "status 404: the host names no app",
        match system {
            System::Android => "name the app under [tenant.apps] android of the provider's configuration",
            System::Apple => "name the app under [tenant.apps] apple of the provider's configuration",
        },
    )
}

fn certificate(code: &'static str, url: &str, reason: &str, who: &str) -> Finding {
    Finding::defect(
        code,
        format!("a certificate at {url} that a public authority vouches for"),
        format!("{}.{who}", shown(reason)),
        "install a certificate for this host, with its intermediate certificates, of an authority that phones know",
    )
}

fn no_answer(system: System, url: &str, error: &HttpClientError) -> Finding {
    match error {
        HttpClientError::Failed(FetchError::Tls(reason)) => {
            certificate(system.code("android.certificate", "ios.certificate"), url, reason, "")
        }
        HttpClientError::Failed(FetchError::TooLarge(_)) => too_large(system, url, None),
        error => Finding::defect(
            system.code("android.unreachable", "ios.unreachable"),
            format!("an answer from {url}, from the public network"),
            error.to_string(),
            "let the host answer from everywhere, on port 443: the makers' networks fetch the file, not only the phone",
        ),
    }
}

fn too_large(system: System, url: &str, found: Option<usize>) -> Finding {
    Finding::defect(
        system.code("android.too-large", "ios.too-large"),
        format!("{url}: at most {} bytes", system.most_bytes()),
        found.map_or_else(
            || "more than this tool reads".to_owned(),
            |found| format!("{found} bytes"),
        ),
        "name fewer apps and paths, or give some insurers hosts of their own",
    )
}

fn defect_of(system: System, url: &str, answer: &HttpResponse) -> Option<Finding> {
    if (300..400).contains(&answer.status) {
        let to = answer
            .location()
            .map_or_else(String::new, |to| format!(" to {}", shown(to)));
        return Some(Finding::defect(
            system.code("android.redirect", "ios.redirect"),
            format!("{url} answers itself: phones follow no redirect"),
            format!("status {}{to}", answer.status),
            "serve the file at this very address, on this very host",
        ));
    }
    if answer.status != 200 {
        return Some(Finding::defect(
            system.code("android.status", "ios.status"),
            format!("status 200 from {url}"),
            format!("status {}", answer.status),
            "let everybody read the file: without login, from every network, whatever the User-Agent",
        ));
    }
    let media_type = answer.header("content-type").unwrap_or("no Content-Type");
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(MEDIA_TYPE) {
        return Some(Finding::defect(
            system.code("android.content-type", "ios.content-type"),
            format!("Content-Type: {MEDIA_TYPE} from {url}"),
            shown(media_type),
            "send the file as JSON; servers often take a file without extension for binary data",
        ));
    }
    (answer.body.len() > system.most_bytes()).then(|| too_large(system, url, Some(answer.body.len())))
}
