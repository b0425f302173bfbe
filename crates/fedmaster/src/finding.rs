//! What a registration or a statement gets wrong, said so that its author can mend it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest `found` that is quoted, in characters. Statements are public, but a finding is read by people.
pub const MAX_FOUND_CHARACTERS: usize = 200;

/// The rules the Federation Master checks registrations and participants against (gematik: registration data and checks of the
/// Federation Master; OpenID Federation 1.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The entity identifier is an https URL without query, fragment, user information and trailing slash.
    EntityIdentifier,
    /// A registration has exactly the members of its participant type.
    RegistrationMembers,
    /// At least one P-256 signature key, each with its own `kid`.
    EntityKeys,
    /// Organisation name: at most 128 characters of the admitted set.
    OrganizationName,
    /// Logo: absolute http(s) URL, at most 2000 characters, no fragment.
    LogoUri,
    /// `user_type_supported` is one of IP, HP, HCI.
    UserType,
    /// TLS keys are registered as public keys, each for a domain.
    TlsKeys,
    /// Redirect URIs are absolute https URLs without query, fragment and user information.
    RedirectUris,
    /// Scopes are scope tokens.
    Scopes,
    /// Claims are claim names.
    Claims,
    /// The participant's statement can be fetched.
    Reachable,
    /// The statement is served with its media type.
    MediaType,
    /// The statement is a well-formed entity configuration.
    StatementForm,
    /// The statement's `kid` is a registered key of the participant.
    RegisteredKey,
    /// The statement's signature verifies with that key.
    Signature,
    /// `iat` is not in the future, `exp` has not passed.
    Validity,
    /// `exp` is at most 24 h after `iat`.
    Lifetime,
    /// `iss` and `sub` are the registered issuer.
    RegisteredIssuer,
    /// `authority_hints` names this master and nobody else.
    AuthorityHints,
    /// The statement has metadata of the registered participant type.
    MetadataType,
    /// Endpoints are https URLs of at most 2000 characters.
    Endpoints,
    /// The service's name is present and not too long.
    ClientName,
    /// Every scope of the statement is registered. Breaking it locks a relying party.
    RegisteredScopes,
    /// Every redirect URI of the statement is registered.
    RegisteredRedirectUris,
}

impl Rule {
    /// Where the rule is written.
    pub const fn source(self) -> &'static str {
        match self {
            Self::EntityIdentifier => "A_22604, OpenID Federation 1.0 §1.2",
            Self::RegistrationMembers => "gemSpec_IDP_FedMaster, registration data",
            Self::EntityKeys => "A_23336, A_23337, OpenID Federation 1.0 §3.1.1",
            Self::OrganizationName | Self::LogoUri | Self::UserType => "gemSpec_IDP_FedMaster, AF_10100",
            Self::TlsKeys => "AF_10110",
            Self::RedirectUris => "A_27585",
            Self::Scopes => "RFC 6749 §3.3",
            Self::Claims => "OpenID Connect Core 1.0 §5.1",
            Self::Reachable => "A_22948, A_22949, OpenID Federation 1.0 §9",
            Self::MediaType | Self::StatementForm => "OpenID Federation 1.0 §3, §9",
            Self::RegisteredKey | Self::Signature => "OpenID Federation 1.0 §3.2",
            Self::Validity => "OpenID Federation 1.0 §3.1.1",
            Self::Lifetime => "A_23010, A_23034",
            Self::RegisteredIssuer => "A_22604, OpenID Federation 1.0 §3.1.1",
            Self::AuthorityHints => "OpenID Federation 1.0 §3.1.2",
            Self::MetadataType => "OpenID Federation 1.0 §5.1",
            Self::Endpoints => "AF_10110, gemSpec_IDP_FedMaster",
            Self::ClientName => "gemSpec_IDP_FD",
            Self::RegisteredScopes | Self::RegisteredRedirectUris => "AF_10101, gemSpec_IDP_FedMaster 1.3.0",
        }
    }

    /// Whether breaking this rule takes a relying party out of the federation until it is mended.
    pub const fn locks(self) -> bool {
        matches!(self, Self::RegisteredScopes)
    }
}

/// One rule broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Where it is written. Filled in by [`Finding::new`]; not read back.
    #[serde(default, skip_deserializing)]
    pub source: &'static str,
    /// The member, as a path: `metadata.openid_relying_party.scope`.
    pub member: String,
    /// What would be right.
    pub expected: String,
    /// What is there, shortened to [`MAX_FOUND_CHARACTERS`].
    pub found: String,
}

impl Finding {
    /// A finding. `found` is public data of the participant; control characters are taken out.
    pub fn new(rule: Rule, member: impl Into<String>, expected: impl Into<String>, found: impl AsRef<str>) -> Self {
        Self {
            rule,
            source: rule.source(),
            member: member.into(),
            expected: expected.into(),
            found: found
                .as_ref()
                .chars()
                .filter(|c| !c.is_control())
                .take(MAX_FOUND_CHARACTERS)
                .collect(),
        }
    }

    pub(crate) fn with_source(mut self) -> Self {
        self.source = self.rule.source();
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: expected {}, found {} ({})",
            self.member, self.expected, self.found, self.source
        )
    }
}
