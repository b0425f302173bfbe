//! Block codes: a person writes hers down, and whoever has it can block all of her devices without a login.
//!
//! A code is derived, not drawn: from the tenant's key, her handle and the second it was set in. So it is kept nowhere, the one before can be found
//! and deleted when a new one is set, and a row that an older database brings back opens nothing: what it says is held against the code derived anew.
//!
//! The way from a code to a person is a lookup record like that of her number, under a keyed hash of the code: whoever has the database sees neither
//! codes nor whose they are, nor which lookup records are codes'.

use std::fmt;

use aws_lc_rs::constant_time;
use jose::UnixTime;
use store::{Key, TenantId};

use crate::vault::keyed_index;
use crate::{KeyAbsent, PersonId, SealError, SealedChange, Vault};

/// No vowels, no look-alikes: nothing is spelt by accident, and nothing is misread.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a code: 51 bits.
pub const BLOCK_CODE_LETTERS: usize = 12;
/// Letters between two hyphens.
const GROUP: usize = 4;
/// Most characters of a code as people write it.
const MAX_WRITTEN: usize = 64;

/// A block code.
#[derive(Clone)]
pub struct BlockCode([u8; BLOCK_CODE_LETTERS]);

impl BlockCode {
    /// Reads what a person has typed: any case, with or without spaces and hyphens.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_WRITTEN {
            return None;
        }
        let mut letters = text.bytes().filter(|byte| !matches!(byte, b' ' | b'-'));
        let mut code = [0; BLOCK_CODE_LETTERS];
        for place in &mut code {
            *place = letters.next()?.to_ascii_uppercase();
        }
        let is_code = letters.next().is_none() && code.iter().all(|letter| ALPHABET.contains(letter));
        is_code.then_some(Self(code))
    }

    /// As it is written down: three groups of four letters.
    #[must_use]
    pub fn written(&self) -> String {
        let groups = self.0.chunks(GROUP).map(String::from_utf8_lossy);
        groups.collect::<Vec<_>>().join("-")
    }

    /// In constant time.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl fmt::Debug for BlockCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockCode")
    }
}

impl Vault {
    /// The code a person has that was set in this second.
    ///
    /// # Errors
    /// [`KeyAbsent`] if this instance does not hold the tenant's keys.
    pub fn block_code(&self, tenant: TenantId, person: PersonId, set_at: UnixTime) -> Result<BlockCode, KeyAbsent> {
        let key = self.tenant(tenant)?;
        let index = keyed_index(&key.row_group, &[b"blkcod", person.as_bytes(), &set_at.0.to_be_bytes()]);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&index.as_bytes()[..16]);
        // 128 bits for 51: no letter is likelier than another by anything that counts.
        let mut number = u128::from_be_bytes(bytes);
        let letter = |_| {
            let letter = ALPHABET[(number % 20) as usize];
            number /= 20;
            letter
        };
        Ok(BlockCode(std::array::from_fn(letter)))
    }

    /// Where the way from a code to its person stands. Does not depend on the key generation.
    ///
    /// # Errors
    /// [`KeyAbsent`].
    pub fn block_code_key(&self, tenant: TenantId, code: &BlockCode) -> Result<Key, KeyAbsent> {
        let key = self.tenant(tenant)?;
        Ok(Key::lookup(tenant, &keyed_index(&key.row_group, &[b"blkidx", &code.0])))
    }

    /// Seals the way from a code to its person; nothing may stand there yet. [`Vault::open_lookup`] opens it.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal_block_code(
        &self,
        tenant: TenantId,
        code: &BlockCode,
        person: PersonId,
    ) -> Result<SealedChange, SealError> {
        self.seal_tenant_record(self.block_code_key(tenant, code)?, None, person.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::tenant_id;

    #[test]
    fn a_code_differs_by_person_second_tenant_and_root_and_is_written_in_groups() {
        let (one, two) = (tenant_id("https://one.example"), tenant_id("https://two.example"));
        let vault = Vault::development([1; 32]);
        let (ada, zoe) = (PersonId::from_bytes([1; 16]), PersonId::from_bytes([2; 16]));
        let codes = [
            vault.block_code(one, ada, UnixTime(1)),
            vault.block_code(one, ada, UnixTime(2)),
            vault.block_code(one, zoe, UnixTime(1)),
            vault.block_code(two, ada, UnixTime(1)),
            Vault::development([2; 32]).block_code(one, ada, UnixTime(1)),
        ]
        .map(Result::unwrap);
        for (at, code) in codes.iter().enumerate() {
            assert!(codes[..at].iter().all(|other| !other.is(code)));
            let written = code.written();
            assert_eq!((written.len(), written.matches('-').count()), (14, 2));
            assert!(BlockCode::parse(&written).unwrap().is(code));
            assert!(
                BlockCode::parse(&written.to_lowercase().replace('-', " "))
                    .unwrap()
                    .is(code)
            );
            assert!(!format!("{code:?}").contains(&written[..4]));
        }
        assert!(vault.block_code(one, ada, UnixTime(1)).unwrap().is(&codes[0]));
        let keys = codes.each_ref().map(|code| vault.block_code_key(one, code).unwrap());
        assert!(keys.iter().enumerate().all(|(at, key)| !keys[..at].contains(key)));
        assert_ne!(
            vault.block_code_key(one, &codes[0]).unwrap().id(),
            vault.block_code_key(two, &codes[0]).unwrap().id()
        );
    }

    #[test]
    fn every_letter_comes_about_equally_often() {
        let vault = Vault::development([1; 32]);
        let tenant = tenant_id("https://one.example");
        let mut often = std::collections::BTreeMap::<u8, u32>::new();
        for second in 0..1_000 {
            let code = vault
                .block_code(tenant, PersonId::from_bytes([7; 16]), UnixTime(second))
                .unwrap();
            for letter in code.0 {
                *often.entry(letter).or_default() += 1;
            }
        }
        // 600 expected of each; six standard deviations are 143.
        assert_eq!(often.len(), ALPHABET.len());
        assert!(often.values().all(|count| (457..=743).contains(count)), "{often:?}");
    }

    #[test]
    fn what_is_no_code_is_none() {
        for text in [
            "",
            "BCDF-GHJK-LMN",
            "BCDF-GHJK-LMNPQ",
            "ACDF-GHJK-LMNP",
            "BCDF-GHJK-LMN1",
            "BCDF_GHJK_LMNP",
            "BCDF-GHJK-LMN\u{d6}",
            "BCDF-GHJK-LMN\0",
            &"-".repeat(60),
            &format!("BCDF-GHJK-LMNP{}", " ".repeat(60)),
        ] {
            assert!(BlockCode::parse(text).is_none(), "{text}");
        }
        assert!(BlockCode::parse(" bcdfghjklmnp ").is_some());
    }

    #[test]
    fn the_way_to_a_person_is_a_lookup_record_like_any_other() {
        let vault = Vault::development([1; 32]);
        let (tenant, other) = (tenant_id("https://one.example"), tenant_id("https://two.example"));
        let person = PersonId::from_bytes([7; 16]);
        let code = vault.block_code(tenant, person, UnixTime(1)).unwrap();
        let change = vault.seal_block_code(tenant, &code, person).unwrap();
        let store::Write::Put { key, sealed, .. } = change.write else {
            panic!("a put")
        };
        let row = store::Row {
            version: 1,
            sealed,
            expires_at: None,
        };
        assert_eq!(vault.open_lookup(&key, &row).unwrap(), person);
        let moved = vault.block_code_key(other, &code).unwrap();
        assert!(vault.open_lookup(&moved, &row).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_a_code_keeps_its_letters(text in ".{0,80}") {
            if let Some(code) = BlockCode::parse(&text) {
                prop_assert!(BlockCode::parse(&code.written()).unwrap().is(&code));
            }
        }
    }
}
