//! One ID token, taken apart: every layer, the key that opened or signed it, who vouches for that key, and each claim with who asked for it.
//!
//! As data ([`Explanation`], which serialises) and as a piece of a page ([`render`]). For developers and for the sandbox: an explanation holds
//! the person's data and the token itself, so a service in production does not make one (A_23050).
//!
//! **Trusted for:** telling what the checks in [`crate::client`] saw. It decides nothing.

mod claims;
mod page;
mod steps;
mod texts;

use federation::EntityId;
use jose::UnixTime;
use serde::Serialize;
use serde_json::Value;

use crate::client::VerifiedIdToken;

pub use claims::{AskedBy, ClaimAccount, Standing};
pub use page::render;
pub use texts::{claim_label, moment};

/// The account of one token.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// Who issued it.
    pub issuer: EntityId,
    /// The issuer's name.
    pub provider_name: String,
    /// For whom.
    pub client_id: EntityId,
    /// When it was verified.
    pub verified_at: UnixTime,
    /// From the outside in, then from the signature up to the trust anchor, then the comparison with what was asked.
    pub steps: Vec<Step>,
    /// Every claim in the token, and every one that was asked for and is not there.
    pub claims: Vec<ClaimAccount>,
    /// The token as it came, for tools of one's own.
    pub encrypted_token: String,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// What it was.
    pub kind: StepKind,
    /// What was found.
    pub facts: Vec<Fact>,
    /// The document itself, decoded.
    pub document: Option<Value>,
}

/// The things that are looked at, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// Header of the encryption.
    OuterHeader,
    /// The key of ours that opened it.
    OwnKey,
    /// Header of the signature.
    InnerHeader,
    /// The certificate in that header.
    Certificate,
    /// The signature and its key.
    Signature,
    /// The provider's signed key set.
    KeySet,
    /// The provider's own statement.
    OwnStatement,
    /// The Federation Master's statement about the provider.
    StatementAbout,
    /// The Federation Master and its pinned key.
    TrustAnchor,
    /// Whose metadata counts, member by member.
    Metadata,
    /// The comparison with what was asked.
    Checks,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is about.
    pub name: FactName,
    /// What it says.
    pub value: String,
}

/// What a fact is about. Wire members keep their name on the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactName {
    /// A member of a header or a claim, by its wire name.
    Member(&'static str),
    /// Thumbprint of a key (RFC 7638).
    KeyThumbprint,
    /// Who published the key, or vouches for it.
    VouchedBy,
    /// `kid` of the key that signed the document.
    SignedWith,
    /// Where the document was fetched.
    Address,
    /// When a document or certificate begins.
    ValidFrom,
    /// When it ends.
    ValidUntil,
    /// Subject of a certificate.
    Subject,
    /// Issuer of a certificate.
    Issuer,
    /// SHA-256 of a certificate.
    Fingerprint,
    /// How many keys a set holds.
    KeyCount,
    /// Something is not there, and that is in order.
    Absent,
    /// A check that held.
    Held,
    /// Something that was done, in English.
    Note,
}

/// Takes a verified token apart.
///
/// ```no_run
/// # fn show(token: &relying_party::client::VerifiedIdToken) -> serde_json::Result<String> {
/// let account = relying_party::explain::explain(token);
/// serde_json::to_string_pretty(&account)
/// # }
/// ```
pub fn explain(token: &VerifiedIdToken) -> Explanation {
    let evidence = token.evidence();
    Explanation {
        issuer: token.issuer().clone(),
        provider_name: evidence.provider.name().to_owned(),
        client_id: evidence.client_id.clone(),
        verified_at: evidence.verified_at,
        steps: steps::of(token),
        claims: claims::of(token.claims(), &evidence.asked),
        encrypted_token: evidence.encrypted.clone(),
    }
}

impl Explanation {
    /// The account of one claim.
    pub fn claim(&self, name: &str) -> Option<&ClaimAccount> {
        self.claims.iter().find(|claim| claim.name == name)
    }
}

#[cfg(test)]
mod tests;
