//! The links of a chain: put in order, checked against each other, verified from the anchor down (§10.2), and held to
//! their constraints (§6.2).

use jose::UnixTime;
use jose::jwk::JwkSet;

use super::explain::name_of;
use super::{ChainRequest, FetchedStatement, MAX_INTERMEDIATES, Step, TrustAnchor, TrustChainError, anchor};
use crate::entity::EntityId;
use crate::metadata::Metadata;
use crate::statement::{EntityStatement, UnverifiedStatement, VerifiedEntityStatement};

/// The subject's own statement, one per superior, and as many own statements of superiors.
const MAX_STATEMENTS: usize = 1 + 2 * (MAX_INTERMEDIATES + 1);

/// Statements in their places, nothing verified.
pub(super) struct Links {
    leaf: UnverifiedStatement,
    /// By the immediate superior first, by the anchor last. Never empty.
    subordinate: Vec<UnverifiedStatement>,
    /// Own statements of the issuers of `subordinate`, where there are any.
    own: Vec<Option<UnverifiedStatement>>,
}

/// The same, every signature and time checked.
pub(super) struct VerifiedLinks {
    pub(super) leaf: VerifiedEntityStatement,
    pub(super) subordinate: Vec<VerifiedEntityStatement>,
    own: Vec<Option<VerifiedEntityStatement>>,
}

/// Parses the statements and finds each its place.
pub(super) fn arrange(
    request: &ChainRequest<'_>,
    statements: &[FetchedStatement],
    steps: &mut Vec<Step>,
) -> Result<Links, TrustChainError> {
    if statements.len() > MAX_STATEMENTS {
        return Err(TrustChainError::TooLong {
            limit: MAX_INTERMEDIATES,
        });
    }
    let mut parsed = Vec::with_capacity(statements.len());
    for statement in statements {
        let read = anchor::parse(&statement.url, &statement.compact)?;
        let claims = read.unverified_claims();
        steps.push(Step::Read {
            url: statement.url.clone(),
            issuer: claims.iss.clone(),
            subject: claims.sub.clone(),
        });
        parsed.push(read);
    }
    let mut parsed = parsed.into_iter();
    let leaf = parsed.next().ok_or(TrustChainError::Empty)?;
    check_is_own_statement_of(request.subject, leaf.unverified_claims())?;
    let (own_statements, subordinate): (Vec<_>, Vec<_>) =
        parsed.partition(|statement| statement.unverified_claims().is_configuration());
    let mut links = Links {
        leaf,
        own: subordinate.iter().map(|_| None).collect(),
        subordinate,
    };
    links.check_path(request.subject)?;
    for own in own_statements {
        links.place(own)?;
    }
    links.check_hints()?;
    Ok(links)
}

fn check_is_own_statement_of(subject: &EntityId, claims: &EntityStatement) -> Result<(), TrustChainError> {
    if claims.is_configuration() && claims.sub == *subject {
        return Ok(());
    }
    Err(TrustChainError::WrongSubject {
        subject: subject.clone(),
    })
}

impl Links {
    /// §10.2: each statement is about the issuer of the one below it. §10.1: nobody occurs twice.
    fn check_path(&self, subject: &EntityId) -> Result<(), TrustChainError> {
        if self.subordinate.is_empty() {
            return Err(TrustChainError::NoSubordinateStatement {
                subject: subject.clone(),
            });
        }
        if self.subordinate.len() > MAX_INTERMEDIATES + 1 {
            return Err(TrustChainError::TooLong {
                limit: MAX_INTERMEDIATES,
            });
        }
        let mut path = vec![subject];
        for statement in &self.subordinate {
            let EntityStatement { iss, sub, .. } = statement.unverified_claims();
            let expected = path[path.len() - 1];
            if sub != expected {
                return Err(TrustChainError::BrokenLink {
                    issuer: iss.clone(),
                    expected: expected.clone(),
                });
            }
            if path.contains(&iss) {
                return Err(TrustChainError::Loop { entity: iss.clone() });
            }
            path.push(iss);
        }
        Ok(())
    }

    fn place(&mut self, own: UnverifiedStatement) -> Result<(), TrustChainError> {
        let entity = own.unverified_claims().sub.clone();
        let level = self
            .subordinate
            .iter()
            .position(|statement| statement.unverified_claims().iss == entity);
        match level {
            Some(level) if self.own[level].is_none() => {
                self.own[level] = Some(own);
                Ok(())
            }
            Some(_) => Err(TrustChainError::Loop { entity }),
            None => Err(TrustChainError::Stray { entity }),
        }
    }

    /// §3.2: an entity names the superior that makes a statement about it.
    fn check_hints(&self) -> Result<(), TrustChainError> {
        let below = std::iter::once(Some(&self.leaf)).chain(self.own.iter().map(Option::as_ref));
        for (entity, superior) in below.zip(&self.subordinate) {
            let Some(entity) = entity else { continue };
            let claims = entity.unverified_claims();
            let superior = &superior.unverified_claims().iss;
            if !claims
                .authority_hints
                .as_ref()
                .is_some_and(|hints| hints.contains(superior))
            {
                return Err(TrustChainError::NotASuperior {
                    entity: claims.sub.clone(),
                    superior: superior.clone(),
                });
            }
        }
        Ok(())
    }

    /// From the anchor down, so that every key is vouched for before it is used.
    pub(super) fn verify(
        &self,
        request: &ChainRequest<'_>,
        anchors: &[TrustAnchor],
        now: UnixTime,
        steps: &mut Vec<Step>,
    ) -> Result<VerifiedLinks, TrustChainError> {
        let top = self.subordinate.len() - 1;
        let mut own: Vec<Option<VerifiedEntityStatement>> = self.own.iter().map(|_| None).collect();
        let mut subordinate = Vec::with_capacity(self.subordinate.len());
        let mut vouched = self.verify_top(&mut own, anchors, now, steps)?;
        for level in (0..=top).rev() {
            let statement = &self.subordinate[level];
            if level != top
                && let Some(intermediate) = &self.own[level]
            {
                let verified = anchor::verify(intermediate, &vouched.keys, now)?;
                steps.push(vouched.step(&verified));
                own[level] = Some(verified);
            }
            let verified = match &vouched.pinned {
                // Without the anchor's own statement its pinned keys are used directly.
                Some(pinned) => anchor::verify_with_pinned(statement, pinned, now)?,
                None => anchor::verify(statement, &vouched.keys, now)?,
            };
            check_audience(request, statement)?;
            steps.push(vouched.step(&verified));
            vouched = Vouched {
                keys: verified.claims().jwks.clone(),
                by: Some(verified.claims().iss.clone()),
                pinned: None,
            };
            subordinate.insert(0, verified);
        }
        let leaf = anchor::verify(&self.leaf, &vouched.keys, now)?;
        leaf.check_own_key().map_err(|reason| anchor::at(&self.leaf, reason))?;
        leaf.check_lifetime(request.max_lifetime_seconds())
            .map_err(|reason| anchor::at(&self.leaf, reason))?;
        check_audience(request, &self.leaf)?;
        steps.push(vouched.step(&leaf));
        Ok(VerifiedLinks { leaf, subordinate, own })
    }

    /// The anchor's keys: those of its own statement, which a pinned key signed; without that, the pinned ones.
    fn verify_top(
        &self,
        own: &mut [Option<VerifiedEntityStatement>],
        anchors: &[TrustAnchor],
        now: UnixTime,
        steps: &mut Vec<Step>,
    ) -> Result<Vouched, TrustChainError> {
        let top = self.subordinate.len() - 1;
        let issuer = &self.subordinate[top].unverified_claims().iss;
        let pinned: Vec<TrustAnchor> = anchors
            .iter()
            .filter(|anchor| anchor.entity_id == *issuer)
            .cloned()
            .collect();
        if pinned.is_empty() {
            return Err(TrustChainError::UnknownTrustAnchor { issuer: issuer.clone() });
        }
        let Some(configuration) = &self.own[top] else {
            return Ok(Vouched {
                keys: JwkSet::default(),
                by: None,
                pinned: Some(pinned),
            });
        };
        let verified = anchor::verify_with_pinned(configuration, &pinned, now)?;
        steps.push(
            Vouched {
                keys: JwkSet::default(),
                by: None,
                pinned: None,
            }
            .step(&verified),
        );
        let keys = verified.claims().jwks.clone();
        own[top] = Some(verified);
        Ok(Vouched {
            keys,
            by: Some(issuer.clone()),
            pinned: None,
        })
    }
}

/// Keys, and who vouches for them.
struct Vouched {
    keys: JwkSet,
    by: Option<EntityId>,
    pinned: Option<Vec<TrustAnchor>>,
}

impl Vouched {
    fn step(&self, statement: &VerifiedEntityStatement) -> Step {
        let claims = statement.claims();
        Step::SignatureVerified {
            issuer: claims.iss.clone(),
            subject: claims.sub.clone(),
            kid: statement.kid().to_owned(),
            vouched_by: self.by.clone(),
            expires_at: claims.exp,
        }
    }
}

/// RFC 7519 §4.1.3: a statement for somebody else is not for us.
fn check_audience(request: &ChainRequest<'_>, statement: &UnverifiedStatement) -> Result<(), TrustChainError> {
    let claims = statement.unverified_claims();
    match request.audience {
        Some(us) if !claims.aud.is_empty() && !claims.aud.iter().any(|aud| aud == us.as_str()) => {
            Err(TrustChainError::WrongAudience {
                statement: name_of(&claims.iss, &claims.sub),
                expected: us.clone(),
            })
        }
        _ => Ok(()),
    }
}

impl VerifiedLinks {
    /// §6.2, but for `allowed_entity_types`, which is part of merging the metadata.
    pub(super) fn check_constraints(&self, steps: &mut Vec<Step>) -> Result<(), TrustChainError> {
        for (level, statement) in self.subordinate.iter().enumerate() {
            let claims = statement.claims();
            let Some(constraints) = &claims.constraints else {
                continue;
            };
            // The issuer of the statement at level n has n intermediates below it.
            let found = level as u64;
            if let Some(limit) = constraints.max_path_length.filter(|limit| found > *limit) {
                return Err(TrustChainError::PathTooLong {
                    issuer: claims.iss.clone(),
                    limit,
                    found,
                });
            }
            if let Some(naming) = &constraints.naming
                && let Some(entity) = self.subordinate[..=level]
                    .iter()
                    .map(|below| &below.claims().sub)
                    .find(|name| !naming.permits(name))
            {
                return Err(TrustChainError::NameNotPermitted {
                    issuer: claims.iss.clone(),
                    entity: entity.clone(),
                });
            }
            steps.push(Step::ConstraintsHold {
                issuer: claims.iss.clone(),
            });
        }
        Ok(())
    }

    /// §10.4
    pub(super) fn expires_at(&self) -> UnixTime {
        let own = self.own.iter().flatten();
        let all = self
            .subordinate
            .iter()
            .chain(own)
            .map(|statement| statement.claims().exp);
        all.fold(self.leaf.claims().exp, UnixTime::min)
    }

    pub(super) fn superiors(&self) -> Vec<EntityId> {
        self.subordinate
            .iter()
            .map(|statement| statement.claims().iss.clone())
            .collect()
    }

    /// What the immediate superior says about the subject. The list is never empty.
    fn nearest(&self) -> &EntityStatement {
        self.subordinate.first().unwrap_or(&self.leaf).claims()
    }

    pub(super) fn federation_keys(&self) -> &JwkSet {
        &self.nearest().jwks
    }

    pub(super) fn superior_metadata(&self) -> Metadata {
        self.nearest().metadata.clone().unwrap_or_default()
    }

    pub(super) fn leaf_issued_at(&self) -> UnixTime {
        self.leaf.claims().iat
    }
}
