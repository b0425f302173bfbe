//! The checks on a registration form: every rule, every finding, not only the first.

use federation::EntityId;
use federation::Schemes;
use federation::entity::{check_logo_uri, check_redirect_uri};
use federation::metadata::check_organization_name;
use jose::jwk::{Jwk, JwkSet, KeyUse, P256PublicKey};

use super::{
    MAX_REDIRECT_URIS, MAX_SCOPES, MAX_TLS_KEYS, ParticipantType, PemKey, Profile, Registration, RegistrationForm,
    Role, TlsKey, TlsKeyForm, UserType,
};
use crate::finding::{Finding, Rule};

/// Every service may ask for it (OpenID Connect Core 1.0 §3.1.2.1).
const OPENID: &str = "openid";

const NOTHING: &str = "nothing";

impl RegistrationForm {
    /// Checks the form against every rule.
    ///
    /// # Errors
    /// All findings, never an empty list.
    pub fn check(self, profile: Profile) -> Result<Registration, Vec<Finding>> {
        let mut findings = Vec::new();
        let entity_id = match EntityId::parse(&self.entity_id, Schemes::HttpsOnly) {
            Ok(entity_id) => Some(entity_id),
            Err(error) => {
                findings.push(Finding::new(
                    Rule::EntityIdentifier,
                    "entity_id",
                    error.to_string(),
                    &self.entity_id,
                ));
                None
            }
        };
        if let Err(error) = check_organization_name(&self.organization_name) {
            let found = &self.organization_name;
            findings.push(Finding::new(
                Rule::OrganizationName,
                "organization_name",
                error.to_string(),
                found,
            ));
        }
        let keys = check_keys(self.keys.as_ref(), &self.pem_keys, &mut findings);
        let role = match self.participant_type {
            ParticipantType::IdentityProvider => identity_provider(&self, &mut findings),
            ParticipantType::RelyingParty => relying_party(&self, profile, &mut findings),
        };
        match (entity_id, role) {
            (Some(entity_id), Some(role)) if findings.is_empty() => Ok(Registration {
                entity_id,
                organization_name: self.organization_name.clone(),
                keys,
                role,
                form: self,
            }),
            _ => Err(findings),
        }
    }
}

fn check_keys(keys: Option<&JwkSet>, pem_keys: &[PemKey], findings: &mut Vec<Finding>) -> JwkSet {
    let mut all: Vec<Jwk> = keys.map(|set| set.keys.clone()).unwrap_or_default();
    for (index, pem) in pem_keys.iter().enumerate() {
        match public_key_der(&pem.public_key).and_then(|der| P256PublicKey::from_spki_der(&der).ok()) {
            Some(key) => all.push(Jwk {
                kid: Some(pem.kid.clone()),
                key_use: Some(KeyUse::Signature),
                alg: None,
                key,
                x5c: Vec::new(),
            }),
            None => findings.push(Finding::new(
                Rule::EntityKeys,
                format!("pem_keys[{index}].public_key"),
                "a P-256 PUBLIC KEY in PEM",
                "something else",
            )),
        }
    }
    if all.is_empty() && pem_keys.is_empty() {
        findings.push(Finding::new(
            Rule::EntityKeys,
            "keys",
            "at least one P-256 key",
            NOTHING,
        ));
    }
    if all.len() > jose::jwk::MAX_KEYS {
        let expected = format!("at most {} keys", jose::jwk::MAX_KEYS);
        findings.push(Finding::new(Rule::EntityKeys, "keys", expected, all.len().to_string()));
    }
    for (index, key) in all.iter().enumerate() {
        let member = format!("keys[{index}]");
        match key.kid.as_deref() {
            None | Some("") => {
                findings.push(Finding::new(
                    Rule::EntityKeys,
                    format!("{member}.kid"),
                    "a key identifier",
                    NOTHING,
                ));
            }
            Some(kid) if all.iter().take(index).any(|other| other.kid.as_deref() == Some(kid)) => {
                let expected = "a key identifier of its own";
                findings.push(Finding::new(Rule::EntityKeys, format!("{member}.kid"), expected, kid));
            }
            Some(_) => {}
        }
        if !key.allows(KeyUse::Signature) {
            let expected = "use sig and alg ES256, or neither";
            findings.push(Finding::new(
                Rule::EntityKeys,
                member,
                expected,
                "a key for another purpose",
            ));
        }
    }
    JwkSet::new(all)
}

fn identity_provider(form: &RegistrationForm, findings: &mut Vec<Finding>) -> Option<Role> {
    let foreign = [
        ("redirect_uris", form.redirect_uris.is_some()),
        ("scopes", form.scopes.is_some()),
        ("claims", form.claims.is_some()),
    ];
    refuse_foreign(
        &foreign,
        "no such member in the registration of an identity provider",
        findings,
    );

    match &form.logo_uri {
        None => findings.push(Finding::new(Rule::LogoUri, "logo_uri", "the URL of a logo", NOTHING)),
        Some(logo) => {
            if let Err(error) = check_logo_uri(logo) {
                findings.push(Finding::new(Rule::LogoUri, "logo_uri", error.to_string(), logo));
            }
        }
    }
    let user_type = form.user_type_supported.as_deref().and_then(UserType::parse);
    if user_type.is_none() {
        let found = form.user_type_supported.as_deref().unwrap_or(NOTHING);
        findings.push(Finding::new(
            Rule::UserType,
            "user_type_supported",
            "IP, HP or HCI",
            found,
        ));
    }
    let forms = form.tls_keys.as_deref().unwrap_or_default();
    limit("tls_keys", forms.len(), MAX_TLS_KEYS, Rule::TlsKeys, findings);
    let tls_keys = forms
        .iter()
        .enumerate()
        .filter_map(|(index, key)| tls_key(index, key, findings))
        .collect();
    Some(Role::IdentityProvider {
        logo_uri: form.logo_uri.clone()?,
        user_type: user_type?,
        pkv: form.pkv.unwrap_or(false),
        tls_keys,
    })
}

fn tls_key(index: usize, form: &TlsKeyForm, findings: &mut Vec<Finding>) -> Option<TlsKey> {
    let domain = form.domain.to_ascii_lowercase();
    if !matches!(url::Host::parse(&domain), Ok(url::Host::Domain(_))) {
        let member = format!("tls_keys[{index}].domain");
        findings.push(Finding::new(Rule::TlsKeys, member, "a domain name", &form.domain));
        return None;
    }
    let Some(der) = public_key_der(&form.public_key) else {
        let member = format!("tls_keys[{index}].public_key");
        findings.push(Finding::new(
            Rule::TlsKeys,
            member,
            "a PUBLIC KEY in PEM",
            "something else",
        ));
        return None;
    };
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der);
    Some(TlsKey {
        domain,
        public_key_sha256: digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
    })
}

fn relying_party(form: &RegistrationForm, profile: Profile, findings: &mut Vec<Finding>) -> Option<Role> {
    let foreign = [
        ("logo_uri", form.logo_uri.is_some()),
        ("user_type_supported", form.user_type_supported.is_some()),
        ("pkv", form.pkv.is_some()),
        ("tls_keys", form.tls_keys.is_some()),
    ];
    refuse_foreign(
        &foreign,
        "no such member in the registration of a relying party",
        findings,
    );

    let redirect_uris = form.redirect_uris.clone().unwrap_or_default();
    if redirect_uris.is_empty() {
        findings.push(Finding::new(
            Rule::RedirectUris,
            "redirect_uris",
            "at least one redirect URI",
            NOTHING,
        ));
    }
    limit(
        "redirect_uris",
        redirect_uris.len(),
        MAX_REDIRECT_URIS,
        Rule::RedirectUris,
        findings,
    );
    for (index, uri) in redirect_uris.iter().enumerate() {
        if let Err(error) = check_redirect_uri(uri, profile.browser_schemes()) {
            let member = format!("redirect_uris[{index}]");
            findings.push(Finding::new(Rule::RedirectUris, member, error.to_string(), uri));
        }
    }

    let mut scopes = form.scopes.clone().unwrap_or_default();
    limit("scopes", scopes.len(), MAX_SCOPES, Rule::Scopes, findings);
    for (index, scope) in scopes.iter().enumerate() {
        if !is_scope_token(scope) {
            let member = format!("scopes[{index}]");
            findings.push(Finding::new(
                Rule::Scopes,
                member,
                "a scope token, such as openid",
                scope,
            ));
        }
    }
    if !scopes.iter().any(|scope| scope == OPENID) {
        // The form of gematik lists the other scopes only.
        scopes.insert(0, OPENID.to_owned());
    }
    let claims = form.claims.clone().unwrap_or_default();
    limit("claims", claims.len(), MAX_SCOPES, Rule::Claims, findings);
    for (index, claim) in claims.iter().enumerate() {
        if !is_scope_token(claim) {
            findings.push(Finding::new(
                Rule::Claims,
                format!("claims[{index}]"),
                "a claim name",
                claim,
            ));
        }
    }
    Some(Role::RelyingParty {
        redirect_uris,
        scopes,
        claims,
    })
}

fn refuse_foreign(members: &[(&str, bool)], expected: &str, findings: &mut Vec<Finding>) {
    for (member, present) in members {
        if *present {
            findings.push(Finding::new(Rule::RegistrationMembers, *member, expected, "a value"));
        }
    }
}

fn limit(member: &str, count: usize, most: usize, rule: Rule, findings: &mut Vec<Finding>) {
    if count > most {
        findings.push(Finding::new(
            rule,
            member,
            format!("at most {most} entries"),
            count.to_string(),
        ));
    }
}

/// RFC 6749 §3.3: printable ASCII without space, quotation mark and backslash.
pub(crate) fn is_scope_token(text: &str) -> bool {
    const MAX_SCOPE_CHARACTERS: usize = 200;
    !text.is_empty()
        && text.len() <= MAX_SCOPE_CHARACTERS
        && text
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// The DER of a `PUBLIC KEY` PEM text that really holds a `SubjectPublicKeyInfo`.
fn public_key_der(pem: &str) -> Option<Vec<u8>> {
    use der::Decode as _;
    let (label, der) = der::pem::decode_vec(pem.trim().as_bytes()).ok()?;
    if label != "PUBLIC KEY" {
        return None;
    }
    x509_cert::spki::SubjectPublicKeyInfoOwned::from_der(&der).ok()?;
    Some(der)
}
