//! Which ID-token version is spoken (gematik digest 6.7).

pub use authenticator::IdTokenVersion;

/// Our versions, as announced in `ti_features_supported.id_token_version_supported`.
pub const SUPPORTED_VERSIONS: [IdTokenVersion; 2] = [IdTokenVersion::V1, IdTokenVersion::V2];

/// The highest version we and the relying party speak; `None` when there is none.
pub fn negotiate<'a>(theirs: impl Iterator<Item = &'a str>) -> Option<IdTokenVersion> {
    theirs
        .filter_map(|name| SUPPORTED_VERSIONS.into_iter().find(|version| version.as_str() == name))
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_is_chosen() {
        assert_eq!(negotiate(["1.0.0"].into_iter()), Some(IdTokenVersion::V1));
        assert_eq!(negotiate(["2.0.0", "1.0.0"].into_iter()), Some(IdTokenVersion::V2));
        assert_eq!(negotiate(["3.0.0", "2.0.0"].into_iter()), Some(IdTokenVersion::V2));
        assert_eq!(negotiate(["3.0.0"].into_iter()), None);
        assert_eq!(negotiate([].into_iter()), None);
    }
}
