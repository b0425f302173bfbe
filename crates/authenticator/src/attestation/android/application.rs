//! Which app asked for the key: `AttestationApplicationId`, as the system wrote it.

use der::asn1::AnyRef;
use der::{Decode, Reader, SliceReader, Tag as DerTag, Tagged};

use super::authorizations::octets;

/// Most packages that share the app's user id.
pub const MAX_PACKAGES: usize = 64;
/// Most signing certificates.
pub const MAX_SIGNATURES: usize = 32;
/// Longest package name, in bytes.
pub const MAX_PACKAGE_NAME_BYTES: usize = 256;
/// Longest digest of a signing certificate; Android writes SHA-256, 32 bytes.
const MAX_DIGEST_BYTES: usize = 64;

/// One package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Such as `de.kasse.app`.
    pub name: String,
    /// `versionCode`. Signed in the schema; a negative one is refused.
    pub version: u64,
}

/// Packages of the app's user id, and SHA-256 digests of the certificates they are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationId {
    /// The packages; several where apps share a user id.
    pub packages: Vec<Package>,
    /// Digests of the signing certificates.
    pub signatures: Vec<Vec<u8>>,
}

impl ApplicationId {
    /// Reads it from the content of the octet string. Total; `None` for any other shape.
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        let outer = AnyRef::from_der(der).ok()?;
        let mut reader = contents(outer, DerTag::Sequence)?;
        let packages = members(&mut reader, MAX_PACKAGES, package)?;
        let signatures = members(&mut reader, MAX_SIGNATURES, |element| {
            octets(element)
                .filter(|digest| digest.len() <= MAX_DIGEST_BYTES)
                .map(<[u8]>::to_vec)
        })?;
        reader.is_finished().then_some(Self { packages, signatures })
    }
}

fn package(element: AnyRef<'_>) -> Option<Package> {
    let mut reader = contents(element, DerTag::Sequence)?;
    let name = octets(AnyRef::decode(&mut reader).ok()?)?;
    let version = u64::decode(&mut reader).ok()?;
    if !reader.is_finished() || name.len() > MAX_PACKAGE_NAME_BYTES {
        return None;
    }
    let name = std::str::from_utf8(name).ok()?.to_owned();
    Some(Package { name, version })
}

fn contents<'a>(element: AnyRef<'a>, tag: DerTag) -> Option<SliceReader<'a>> {
    if element.tag() != tag {
        return None;
    }
    SliceReader::new(element.value()).ok()
}

/// The members of a SET, in the order received.
fn members<'a, T>(
    reader: &mut SliceReader<'a>,
    limit: usize,
    mut read: impl FnMut(AnyRef<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let mut set = contents(AnyRef::decode(reader).ok()?, DerTag::Set)?;
    let mut members = Vec::new();
    while !set.is_finished() {
        if members.len() >= limit {
            return None;
        }
        members.push(read(AnyRef::decode(&mut set).ok()?)?);
    }
    Some(members)
}
