//! How long rows are: one size for each kind, so that a row's size says nothing about its person.
//!
//! Each is the longest content there may be; what does not fit is refused ([`SealError::TooLong`](crate::SealError::TooLong)).

use store::Kind;

use crate::person_encoding::MAX_ENCODED_BYTES;
use crate::records::{HEADER_BYTES, WRAPPED_BYTES};
use crate::seal::{LENGTH_BYTES, OVERHEAD_BYTES};

/// Most bytes of a device record's content: the longest name a device may have, in the longest letters, what is kept of its key and PIN,
/// and room to spare for a class's name. Rows from before (766 bytes) open as ever; written again they have this size.
pub const MAX_DEVICE_BYTES: usize = 1_014;
/// Most bytes of a consent record's content.
pub const MAX_CONSENT_BYTES: usize = 382;
/// Most bytes of an event's content: what, when, by whom and at which service, with its identifier and name.
pub const MAX_EVENT_BYTES: usize = 344;

/// Bytes of a person's padded claims; less the second wrapped key while her records move to a new data key, so that a record
/// has the same size then.
pub(crate) const CLAIMS_BYTES: usize = LENGTH_BYTES + MAX_ENCODED_BYTES + WRAPPED_BYTES;
/// Bytes of every sealed event.
pub(crate) const SEALED_EVENT_BYTES: usize = sealed(LENGTH_BYTES + MAX_EVENT_BYTES);

/// Bytes of padded content of a device, consent or event.
pub(crate) const fn padded(kind: Kind) -> usize {
    LENGTH_BYTES
        + match kind {
            Kind::Device => MAX_DEVICE_BYTES,
            Kind::Audit => MAX_EVENT_BYTES,
            // No other kind is sealed for a person.
            _ => MAX_CONSENT_BYTES,
        }
}

/// Bytes of a sealed row with this much content.
pub(crate) const fn sealed(content: usize) -> usize {
    HEADER_BYTES + OVERHEAD_BYTES + content
}

const _: () = {
    assert!(sealed(WRAPPED_BYTES + CLAIMS_BYTES) <= Kind::Identity.max_sealed_bytes());
    assert!(sealed(padded(Kind::Device)) <= Kind::Device.max_sealed_bytes());
    assert!(sealed(padded(Kind::Consent)) <= Kind::Consent.max_sealed_bytes());
    assert!(SEALED_EVENT_BYTES <= Kind::Audit.max_sealed_bytes());
};
