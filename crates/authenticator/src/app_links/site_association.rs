//! Reading `apple-app-site-association` (Associated Domains), its `applinks`.

use jose::json::{self, JsonError, Limits};
use serde_json::Value;

use super::MAX_APPLE_BYTES;
use super::component::{self, Address, Component, MAX_COMPONENTS, MAX_PATTERN_BYTES, Verdict};

/// Most entries of `details` that are read.
pub const MAX_DETAILS: usize = 4096;
/// Most application identifiers that are read of one entry.
pub const MAX_APP_IDS: usize = 256;

const LIMITS: Limits = Limits {
    bytes: MAX_APPLE_BYTES,
    depth: 16,
};

/// What the file says of links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteAssociation {
    /// In order.
    pub details: Vec<Detail>,
}

/// Some apps and the addresses they open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// Application identifiers, as they stand there.
    pub app_ids: Vec<String>,
    /// Rules; those of `paths` where there are no `components`. `None`: neither stands there.
    pub components: Option<Vec<Component>>,
}

/// Why a phone cannot read the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SiteAssociationError {
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Nothing about links.
    #[error("the document has to be an object with the member applinks")]
    NoAppLinks,
    /// The form of before 2016 with one member for each app, mostly.
    #[error("applinks.details has to be an array")]
    NoDetails,
    /// Too long a list.
    #[error("more than {MAX_DETAILS} entries in applinks.details")]
    TooMany,
    /// An entry is not as the format wants it.
    #[error("applinks.details, entry {number}: {malformed}")]
    Detail {
        /// Counted from one.
        number: usize,
        /// What, with the member.
        malformed: &'static str,
    },
}

impl SiteAssociationError {
    /// A stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "json",
            Self::NoAppLinks => "no-applinks",
            Self::NoDetails => "no-details",
            Self::TooMany => "too-many",
            Self::Detail { .. } => "detail",
        }
    }
}

impl SiteAssociation {
    /// Reads the file.
    ///
    /// # Errors
    /// [`SiteAssociationError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SiteAssociationError> {
        let document = json::parse(bytes, &LIMITS)?;
        let links = document
            .get("applinks")
            .and_then(Value::as_object)
            .ok_or(SiteAssociationError::NoAppLinks)?;
        let list = links
            .get("details")
            .and_then(Value::as_array)
            .ok_or(SiteAssociationError::NoDetails)?;
        if list.len() > MAX_DETAILS {
            return Err(SiteAssociationError::TooMany);
        }
        let details = list.iter().enumerate().map(|(at, value)| {
            detail(value).map_err(|malformed| SiteAssociationError::Detail {
                number: at + 1,
                malformed,
            })
        });
        Ok(Self {
            details: details.collect::<Result<_, _>>()?,
        })
    }

    /// What an app does with an address; `None` where the file does not name the app.
    #[must_use]
    pub fn judge(&self, app_id: &str, address: Address<'_>) -> Option<Verdict> {
        let own: Vec<&Detail> = self
            .details
            .iter()
            .filter(|detail| detail.app_ids.iter().any(|id| id == app_id))
            .collect();
        if own.is_empty() {
            return None;
        }
        if own.iter().any(|detail| detail.components.is_none()) {
            return Some(Verdict::Unclear);
        }
        let components = own.iter().flat_map(|detail| detail.components.iter().flatten());
        Some(component::judge(components, address))
    }

    /// Every application identifier, in order.
    pub fn app_ids(&self) -> impl Iterator<Item = &str> {
        let ids = self.details.iter().flat_map(|detail| &detail.app_ids);
        ids.map(String::as_str)
    }
}

fn detail(value: &Value) -> Result<Detail, &'static str> {
    let detail = value.as_object().ok_or("has to be an object")?;
    let app_ids = match (detail.get("appIDs"), detail.get("appID")) {
        (Some(list), _) => strings(list, MAX_APP_IDS, "appIDs has to be an array of strings")?,
        (None, Some(one)) => vec![one.as_str().ok_or("appID has to be a string")?.to_owned()],
        (None, None) => return Err("appIDs is missing"),
    };
    let components = match (detail.get("components"), detail.get("paths")) {
        (Some(list), _) => Some(component::read_list(list)?),
        (None, Some(list)) => Some(paths(list)?),
        (None, None) => None,
    };
    Ok(Detail { app_ids, components })
}

/// The older form: patterns for the path alone, `NOT ` in front excludes.
fn paths(list: &Value) -> Result<Vec<Component>, &'static str> {
    let paths = strings(list, MAX_COMPONENTS, "paths has to be an array of strings")?;
    let component = |path: String| match path.strip_prefix("NOT ") {
        _ if path.len() > MAX_PATTERN_BYTES => Err("a pattern in paths is too long"),
        Some(excluded) => Ok(Component::of_path(excluded, true)),
        None => Ok(Component::of_path(&path, false)),
    };
    paths.into_iter().map(component).collect()
}

fn strings(list: &Value, most: usize, malformed: &'static str) -> Result<Vec<String>, &'static str> {
    let list = list.as_array().filter(|list| list.len() <= most).ok_or(malformed)?;
    list.iter()
        .map(|entry| entry.as_str().map(str::to_owned).ok_or(malformed))
        .collect()
}
