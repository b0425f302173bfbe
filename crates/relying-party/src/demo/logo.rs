//! The insurers' pictures, fetched by the service: browsers need not trust the insurers' certificates, and insurers do not see who is looking.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{RawQuery, State};
use axum::response::Response;
use federation::idp_list::IdpEntry;
use oidc::form::Form;
use transport::Fetched;

use super::App;
use super::pages::picture;

/// Largest picture passed on, in bytes.
pub const MAX_LOGO_BYTES: usize = 64 * 1024;
/// Most pictures kept.
pub const MAX_KEPT_LOGOS: usize = 256;

/// Sent when there is none: a plain square, so that lists stay aligned.
const PLACEHOLDER: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><rect x="4" y="4" width="32" height="32" rx="6" fill="#d3dae0"/></svg>
"##;

type Picture = (&'static str, Arc<[u8]>);

#[derive(Default)]
pub(super) struct Logos(Mutex<HashMap<String, Picture>>);

/// `GET /logo?idp=…`: only for insurers on the Federation Master's list, so that nobody has us fetch other things.
pub(super) async fn logo(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let (content_type, body) = match app.find_logo(query.as_deref().unwrap_or_default()).await {
        Some(found) => found,
        None => ("image/svg+xml", PLACEHOLDER.as_bytes().into()),
    };
    picture(content_type, body.to_vec())
}

impl App {
    async fn find_logo(&self, query: &str) -> Option<Picture> {
        let form = Form::parse(query.as_bytes()).ok()?;
        let issuer = form.value("idp")?;
        let list = self.party.identity_providers((self.clock)()).await.ok()?;
        let entry = list.entries().iter().find(|entry| entry.iss.as_str() == issuer)?;
        if let Some(kept) = self
            .logos
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&entry.logo_uri)
        {
            return Some(kept.clone());
        }
        let picture = self.fetch_logo(entry).await?;
        let mut kept = self.logos.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT_LOGOS {
            kept.clear();
        }
        kept.insert(entry.logo_uri.clone(), picture.clone());
        Some(picture)
    }

    async fn fetch_logo(&self, entry: &IdpEntry) -> Option<Picture> {
        let fetched = self
            .party
            .fetch()
            .fetch(&entry.logo_uri, "image/svg+xml, image/*")
            .await
            .ok()?;
        let content_type = picture_type(&fetched)?;
        (fetched.is_success() && fetched.body.len() <= MAX_LOGO_BYTES)
            .then(|| (content_type, fetched.body.as_ref().into()))
    }
}

fn picture_type(fetched: &Fetched) -> Option<&'static str> {
    let media_type = fetched.media_type()?;
    ["image/svg+xml", "image/png", "image/jpeg", "image/webp"]
        .into_iter()
        .find(|known| *known == media_type)
}
