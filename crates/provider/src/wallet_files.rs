//! `GET {tenant}/wallet/…`: the web wallet, as it was built into `apps/wallet/dist`, and what it has to know about this insurer.
//!
//! The files are the same for everybody and hold nothing about anybody. Names under `assets/` hold a hash of their content and are kept by
//! browsers for good; everything else is asked for again. No foreign origin is named in the policy, except the card terminal of a sandbox.

use authenticator::policy::{DeviceEvidence, Moving};
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{core::Core, inbox, tenant::Tenant};
use brand::Brand;

mod brand;
mod settings;

pub use brand::{BrandError, Colour, ColourError, Faint};
pub use settings::{Support, WalletSettings, WalletSettingsError};

/// One file of the built wallet.
struct File {
    path: &'static str,
    media_type: &'static str,
    /// Whether its name holds a hash of its content.
    hashed: bool,
    bytes: &'static [u8],
    /// The same, compressed; where that is worth it.
    gzip: Option<&'static [u8]>,
}

/// Written by the build of `apps/wallet` (ADR 0017).
static FILES: &[File] = include!("../../../apps/wallet/dist/files.rs");

/// Languages of the wallet (`apps/wallet/src/texts`).
const LANGUAGES: [&str; 3] = ["de", "de-simple", "en"];

const CONFIG: &str = "config.json";
const MANIFEST: &str = "manifest.webmanifest";

/// `GET /wallet`: to the folder. Relative: the browser stays at the address it is at, whatever stands before it.
pub(crate) fn folder(tenant: &Tenant, query: Option<&str>) -> Option<Response> {
    tenant.settings.wallet.as_ref()?;
    let location = match query {
        Some(query) => format!("wallet/?{query}"),
        None => "wallet/".to_owned(),
    };
    let location = HeaderValue::from_str(&location).ok()?;
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Some((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}

/// Path of the insurer's colours.
pub(crate) const BRAND_PATH: &str = "/brand.css";

/// `GET /brand.css`: the insurer's colours, for the wallet and for the provider's own pages. Nothing stands in it where the insurer names none.
pub(crate) fn brand_sheet(tenant: &Tenant) -> Response {
    // They were checked when the settings were read.
    let brand = brand(tenant).map(|brand| brand.sheet()).unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, brand).into_response()
}

fn brand(tenant: &Tenant) -> Option<Brand> {
    tenant.settings.wallet.as_ref()?.colours().ok().flatten()
}

/// One file; `None` where there is none of this name, or this insurer has no web wallet.
pub(crate) fn file(core: &Core, tenant: &Tenant, path: &str, headers: &HeaderMap) -> Option<Response> {
    let settings = tenant.settings.wallet.as_ref()?;
    let policy = policy(settings);
    match path {
        CONFIG => {
            return Some(answer(
                json(&Config::of(core, tenant, settings)),
                "application/json",
                NO_CACHE,
                &policy,
            ));
        }
        MANIFEST => {
            return Some(answer(
                json(&Manifest::of(tenant)),
                "application/manifest+json",
                NO_CACHE,
                &policy,
            ));
        }
        _ => {}
    }
    let path = if path.is_empty() { "index.html" } else { path };
    let file = FILES.iter().find(|file| file.path == path)?;
    let caching = if file.hashed { FOR_GOOD } else { NO_CACHE };
    let packed = file.gzip.filter(|_| takes_gzip(headers));
    let mut response = answer(packed.unwrap_or(file.bytes).into(), file.media_type, caching, &policy);
    let headers = response.headers_mut();
    if packed.is_some() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if file.gzip.is_some() {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    Some(response)
}

const NO_CACHE: &str = "no-cache";
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// RFC 9110 section 12.5.3, as browsers write it. Whoever writes it otherwise gets the plain file.
fn takes_gzip(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .split(',')
                .any(|coding| coding.trim().eq_ignore_ascii_case("gzip"))
        })
}

/// What a page of the wallet may load and call. Logos of services lie at foreign addresses, which would learn who visits them when: they are
/// not shown. Scripts come from files; text never becomes markup or script ("trusted types": the one exception is the address of
/// the service worker). `form-action 'none'`: the wallet has no form that is sent.
fn policy(settings: &WalletSettings) -> String {
    let terminal = settings
        .terminal_origin()
        .map_or_else(String::new, |origin| format!(" {origin}"));
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'{terminal}; manifest-src 'self'; \
         worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types healthid"
    )
}

/// Nothing of the device but passkeys.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), display-capture=(), encrypted-media=(), \
    fullscreen=(), geolocation=(), gyroscope=(), hid=(), identity-credentials-get=(), idle-detection=(), local-fonts=(), magnetometer=(), \
    microphone=(), midi=(), otp-credentials=(), payment=(), picture-in-picture=(), publickey-credentials-create=(self), \
    publickey-credentials-get=(self), screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()";

fn answer(body: axum::body::Bytes, media_type: &'static str, caching: &'static str, policy: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, caching),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (header::HeaderName::from_static("permissions-policy"), PERMISSIONS),
    ];
    let mut response = (headers, body).into_response();
    // A policy that cannot be written is a page that is not served.
    match HeaderValue::from_str(policy) {
        Ok(policy) => {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
            response
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn json<T: Serialize>(value: &T) -> axum::body::Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// `config.json`: what the wallet has to know about its insurer.
#[derive(Serialize)]
struct Config<'a> {
    issuer: &'a str,
    insurer: &'a str,
    /// Relative to the wallet.
    logo: &'static str,
    invented: bool,
    card_terminal: Option<&'a str>,
    device_classes: Vec<DeviceClass<'a>>,
    support: Option<&'a Support>,
    /// Whether a bound phone may vouch for a new one.
    moves: bool,
    /// The key that wakes a phone when a login waits for it (RFC 8292): an uncompressed point in base64url. Null where no phone is woken.
    push_key: Option<String>,
    languages: [&'static str; 3],
}

#[derive(Serialize)]
struct DeviceClass<'a> {
    name: &'a str,
    level: &'static str,
    reconfirm_after_seconds: u64,
    evidence: DeviceEvidence,
}

impl<'a> Config<'a> {
    fn of(core: &Core, tenant: &'a Tenant, settings: &'a WalletSettings) -> Self {
        let classes = tenant.settings.policy.device_classes.iter().map(|class| DeviceClass {
            name: &class.name,
            level: class.level.as_str(),
            reconfirm_after_seconds: class.reconfirm_after_seconds,
            evidence: class.evidence,
        });
        Self {
            issuer: tenant.issuer(),
            insurer: &tenant.settings.organization_name,
            logo: "../logo.svg",
            invented: core.invented_people,
            card_terminal: settings.card_terminal.as_deref(),
            device_classes: classes.collect(),
            support: settings.support.as_ref(),
            moves: tenant.settings.policy.moving == Moving::On,
            push_key: inbox::public_key(core, tenant.id()),
            languages: LANGUAGES,
        }
    }
}

/// `manifest.webmanifest`: how the installed wallet is called and looks (W3C Web Application Manifest).
#[derive(Serialize)]
struct Manifest<'a> {
    name: String,
    short_name: &'static str,
    description: &'a str,
    lang: &'static str,
    id: &'static str,
    start_url: &'static str,
    scope: &'static str,
    display: &'static str,
    background_color: &'static str,
    theme_color: String,
    icons: [Icon; 4],
}

#[derive(Serialize)]
struct Icon {
    src: &'static str,
    sizes: &'static str,
    r#type: &'static str,
    purpose: &'static str,
}

impl<'a> Manifest<'a> {
    fn of(tenant: &'a Tenant) -> Self {
        let icon = |src, sizes, r#type, purpose| Icon {
            src,
            sizes,
            r#type,
            purpose,
        };
        Self {
            name: format!("GesundheitsID {}", tenant.settings.organization_name),
            short_name: "GesundheitsID",
            description: &tenant.settings.organization_name,
            lang: "de",
            // All relative to the manifest: below whatever base the browser reached it.
            id: "./",
            start_url: "./",
            scope: "./",
            display: "standalone",
            background_color: "#ffffff",
            theme_color: brand(tenant).map_or(brand::NEUTRAL, |brand| brand.light).to_string(),
            icons: [
                icon("icon.svg", "any", "image/svg+xml", "any"),
                icon("icon-192.png", "192x192", "image/png", "any"),
                icon("icon-512.png", "512x512", "image/png", "any"),
                icon("icon-maskable-512.png", "512x512", "image/png", "maskable"),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_page_is_built_and_names_only_files_that_are_there() {
        let page = FILES.iter().find(|file| file.path == "index.html").unwrap();
        let html = std::str::from_utf8(page.bytes).unwrap();
        let named: Vec<&str> = html
            .split("\"./")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|path| *path != MANIFEST)
            .collect();
        assert!(named.len() >= 3, "{html}");
        for path in named {
            assert!(FILES.iter().any(|file| file.path == path), "{path}");
        }
        assert!(!html.contains("<script>") && !html.contains("<style") && !html.contains("style="));
    }

    #[test]
    fn only_files_with_a_hash_in_their_name_are_kept_for_good() {
        for file in FILES {
            assert_eq!(file.hashed, file.path.starts_with("assets/"), "{}", file.path);
        }
        assert!(FILES.iter().any(|file| file.path == "sw.js" && !file.hashed));
    }

    #[test]
    fn nothing_that_was_built_names_a_foreign_address_to_load_from() {
        for file in FILES
            .iter()
            .filter(|file| file.path.ends_with(".html") || file.path.ends_with(".css"))
        {
            let text = std::str::from_utf8(file.bytes).unwrap();
            assert!(
                !text.contains("http://") && !text.contains("https://") && !text.contains("@import"),
                "{}",
                file.path
            );
        }
    }

    #[test]
    fn without_a_terminal_only_the_own_origin_is_called() {
        let policy = policy(&WalletSettings::default());
        assert!(policy.contains("connect-src 'self';"), "{policy}");
        assert!(!policy.contains("http"), "{policy}");
    }

    #[test]
    fn a_browser_that_takes_gzip_is_told_from_one_that_does_not() {
        for (value, takes) in [
            ("gzip, deflate, br, zstd", true),
            ("GZIP", true),
            ("identity", false),
            ("gzip;q=0", false),
            ("x-gzip", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, value.parse().unwrap());
            assert_eq!(takes_gzip(&headers), takes, "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
