//! The connection proof: the instance's signature over one TLS session.

use std::fmt;

use jose::jwk::P256PublicKey;
use jose::{SignError, Signer};
use serde::{Deserialize, Serialize};

use super::{BindingError, InstanceStatement};
use crate::encoding::{Framed, base64url_array, es256_verifies, sha256};
use crate::manifest::ApprovedInstance;
use crate::platform::Evidence;

const DOMAIN: &str = "healthid-connection/v1";

/// The label both sides export keying material under (RFC 8446 §7.5, RFC 5705 §4), without context, 32 bytes.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-healthid-evidence-v1";

/// Which end of the connection signs. An exporter is the same at both ends, so without this a proof could be sent back
/// to whoever made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Whoever accepted the connection.
    Server,
    /// Whoever opened it.
    Client,
}

impl Endpoint {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Server => b"server",
            Self::Client => b"client",
        }
    }
}

/// One TLS session as one end sees it, and the nonce asked with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Chosen by the verifier for this request.
    pub nonce: [u8; 32],
    /// SHA-256 of the `SubjectPublicKeyInfo` of the signer's TLS certificate in this session.
    pub signer_spki_sha256: [u8; 32],
    /// Keying material exported from this session under [`EXPORTER_LABEL`].
    pub exporter: [u8; 32],
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Session")
    }
}

/// The instance key's signature over one session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionProof {
    /// ES256, r ‖ s.
    #[serde(with = "base64url_array")]
    pub signature: [u8; 64],
}

impl ConnectionProof {
    /// Signs a session as `endpoint`, for the evidence that is shown in it.
    ///
    /// # Errors
    /// [`SignError`] of the key.
    pub fn sign(
        key: &dyn Signer,
        endpoint: Endpoint,
        session: &Session,
        evidence: &Evidence,
    ) -> Result<Self, SignError> {
        let message = message(endpoint, session, &quote_hash(evidence));
        Ok(Self {
            signature: key.sign(&message)?,
        })
    }

    /// That `key` signed this session as `endpoint`, for this evidence.
    ///
    /// # Errors
    /// [`BindingError::ProofInvalid`].
    pub fn verify(
        &self,
        key: &P256PublicKey,
        endpoint: Endpoint,
        session: &Session,
        evidence: &Evidence,
    ) -> Result<(), BindingError> {
        let message = message(endpoint, session, &quote_hash(evidence));
        if es256_verifies(key, &message, &self.signature) {
            Ok(())
        } else {
            Err(BindingError::ProofInvalid)
        }
    }
}

/// An admitted instance that is at the other end of one TLS session.
#[derive(Clone, Debug)]
pub struct BoundInstance {
    instance: ApprovedInstance,
}

impl BoundInstance {
    /// The instance.
    #[must_use]
    pub fn instance(&self) -> &ApprovedInstance {
        &self.instance
    }
}

/// That the admitted instance which made `statement` is at the `endpoint` end of `session`. The statement's own checks
/// ([`InstanceStatement::check_by`]) are repeated by nobody: call them first, on the same instance.
///
/// # Errors
/// [`BindingError::ReportData`] when the statement is not the instance's, [`BindingError::OtherTlsKey`],
/// [`BindingError::ProofInvalid`].
pub fn verify_connection(
    instance: ApprovedInstance,
    statement: &InstanceStatement,
    proof: &ConnectionProof,
    endpoint: Endpoint,
    session: &Session,
    evidence: &Evidence,
) -> Result<BoundInstance, BindingError> {
    if *instance.report_data() != statement.report_data() {
        return Err(BindingError::ReportData);
    }
    statement.verify_session(proof, endpoint, session, evidence)?;
    Ok(BoundInstance { instance })
}

impl InstanceStatement {
    /// The session's part of [`verify_connection`]: the holder of this statement's key is at the `endpoint` end of
    /// `session`. Whose statement it is, is not asked here.
    ///
    /// # Errors
    /// [`BindingError::OtherTlsKey`], [`BindingError::ProofInvalid`].
    pub fn verify_session(
        &self,
        proof: &ConnectionProof,
        endpoint: Endpoint,
        session: &Session,
        evidence: &Evidence,
    ) -> Result<(), BindingError> {
        // A client's certificate is its own affair; a server's key is committed to by the quote.
        if endpoint == Endpoint::Server && self.tls_key_sha256 != session.signer_spki_sha256 {
            return Err(BindingError::OtherTlsKey);
        }
        proof.verify(&self.instance_key, endpoint, session, evidence)
    }
}

/// SHA-256 of the quote itself: what may be attached to it (certificates, collateral) may be renewed meanwhile.
fn quote_hash(evidence: &Evidence) -> [u8; 32] {
    sha256(&[evidence.platform.name().as_bytes(), b"\n", &evidence.report])
}

fn message(endpoint: Endpoint, session: &Session, quote_hash: &[u8; 32]) -> Vec<u8> {
    Framed::new(DOMAIN)
        .field(endpoint.label())
        .field(&session.nonce)
        .field(&session.signer_spki_sha256)
        .field(&session.exporter)
        .field(quote_hash)
        .bytes()
}
