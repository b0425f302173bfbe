//! Whether a history is whole: entries are numbered one by one, and how many there were stands in the freshness ledger
//! (`docs/adr/0014-history-is-whole.md`).
//!
//! An entry says its number, until which day the one before it is kept, and how many numbers before it may never have been written. So whoever
//! has them all can tell what is missing from what has expired.

use vault::DAY_SECONDS;

/// Bits of a head's floor that say the day.
const DAY_BITS: u32 = 20;

/// The newest entry: its number, and the day until which it is kept. Rises with every entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Head {
    /// How many entries there were, from the first one ever.
    pub(crate) number: u64,
    /// Days since 1970; no entry is kept longer.
    pub(crate) until_day: u32,
}

impl Head {
    /// As the ledger keeps it; 0 for no entry.
    pub(crate) const fn from_floor(floor: u64) -> Self {
        Self {
            number: floor >> DAY_BITS,
            // 20 bits.
            #[allow(clippy::cast_possible_truncation)]
            until_day: (floor & ((1 << DAY_BITS) - 1)) as u32,
        }
    }

    /// As the ledger keeps it.
    pub(crate) fn floor(self) -> u64 {
        (self.number << DAY_BITS) | u64::from(self.until_day.min((1 << DAY_BITS) - 1))
    }
}

/// An entry's place among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// The first entry has 1.
    pub(crate) number: u64,
    /// Until which day the entry before is kept; 0 if there is none.
    pub(crate) before: u32,
    /// How many numbers directly before this one may never have been written: the database did not say.
    pub(crate) unsure: u8,
}

impl Link {
    pub(crate) const BYTES: usize = 13;

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.number.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.before.to_be_bytes());
        bytes[12] = self.unsure;
        bytes
    }

    pub(super) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let [n0, n1, n2, n3, n4, n5, n6, n7, b0, b1, b2, b3, unsure] = bytes;
        Self {
            number: u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]),
            before: u32::from_be_bytes([b0, b1, b2, b3]),
            unsure,
        }
    }
}

/// Whether every entry is there that has not expired.
///
/// `links`: of the entries that opened, newest first. `now`: seconds since 1970.
pub(super) fn is_whole(head: Head, links: &[Link], now: u64) -> bool {
    let expired = |until_day: u32| u64::from(until_day) * DAY_SECONDS <= now;
    // Above the head there may be one whose commit was not answered; nothing is missing up there.
    let mut number = head.number.max(links.first().map_or(0, |link| link.number));
    let mut until_day = head.until_day;
    let mut may_lack = 0_u8;
    let mut links = links.iter().peekable();
    while number > 0 {
        let mut here = None;
        while let Some(link) = links.next_if(|link| link.number >= number) {
            here = Some(*link);
        }
        match here {
            Some(link) => {
                until_day = link.before;
                may_lack = link.unsure;
            }
            None if number > head.number || may_lack > 0 => may_lack = may_lack.saturating_sub(1),
            // None is kept longer than the one after it: the rest has expired too.
            None => return expired(until_day) && links.peek().is_none(),
        }
        number -= 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TODAY: u32 = 20_000;
    const NOW: u64 = TODAY as u64 * DAY_SECONDS + 7;

    /// Entries 1 to `last`, each kept ten days longer than the one before, newest first. The last is kept until a year from now.
    fn history(last: u64) -> (Head, Vec<Link>) {
        let day = |number: u64| TODAY + 365 - 10 * (last - number) as u32;
        let links = (1..=last).rev().map(|number| Link {
            number,
            before: if number == 1 { 0 } else { day(number - 1) },
            unsure: 0,
        });
        let head = Head {
            number: last,
            until_day: day(last),
        };
        (head, links.collect())
    }

    #[test]
    fn a_history_with_everything_in_it_is_whole_and_so_is_an_empty_one() {
        let (head, links) = history(20);
        assert!(is_whole(head, &links, NOW));
        assert!(is_whole(Head::default(), &[], NOW));
    }

    #[test]
    fn each_single_entry_that_is_missing_is_noticed() {
        let (head, links) = history(20);
        for at in 0..links.len() {
            let mut some = links.clone();
            some.remove(at);
            assert!(!is_whole(head, &some, NOW), "{at}");
        }
        for length in 0..links.len() {
            assert!(!is_whole(head, &links[..length], NOW), "the oldest {length} are left");
            assert!(!is_whole(head, &links[links.len() - length..], NOW), "only the oldest");
        }
    }

    #[test]
    fn what_has_expired_is_not_missed_and_nothing_else_is_excused() {
        let (head, links) = history(60);
        // Kept until today or earlier: numbers up to 23.
        let kept = links
            .iter()
            .filter(|link| link.number > 23)
            .copied()
            .collect::<Vec<_>>();
        assert!(is_whole(head, &kept, NOW));
        // Still lying about, as partitions are dropped whole.
        assert!(is_whole(head, &links[..40], NOW));
        // One more is missing, that has not expired.
        assert!(!is_whole(head, &kept[..kept.len() - 1], NOW));
        // An expired one without those between.
        let mut with_gap = kept[..kept.len() - 1].to_vec();
        with_gap.push(links[59]);
        assert!(!is_whole(head, &with_gap, NOW));
        // Years later everything has expired.
        assert!(is_whole(head, &[], NOW + 366 * DAY_SECONDS));
        assert!(!is_whole(head, &[], NOW + 364 * DAY_SECONDS));
    }

    #[test]
    fn a_number_whose_commit_was_never_answered_may_be_missing_and_its_neighbours_may_not() {
        let (head, mut links) = history(6);
        links[1].unsure = 2; // 5: 4 and 3 may be missing
        let without = |numbers: &[u64]| {
            let some = links.iter().filter(|link| !numbers.contains(&link.number));
            some.copied().collect::<Vec<_>>()
        };
        for numbers in [&[4][..], &[3, 4]] {
            assert!(is_whole(head, &without(numbers), NOW), "{numbers:?}");
        }
        for numbers in [&[5][..], &[6], &[2], &[2, 3, 4], &[1]] {
            assert!(!is_whole(head, &without(numbers), NOW), "{numbers:?}");
        }
    }

    #[test]
    fn an_entry_the_ledger_has_not_heard_of_and_one_number_given_twice_are_no_alarm() {
        let (head, links) = history(6);
        let behind = Head { number: 4, ..head };
        assert!(is_whole(behind, &links, NOW));
        assert!(is_whole(behind, &links[1..], NOW));
        let mut above = links.clone();
        above.remove(1);
        assert!(is_whole(behind, &above, NOW), "6 is there, 5 was never acknowledged");
        let mut twice = links.clone();
        twice.insert(2, links[2]);
        assert!(is_whole(head, &twice, NOW));
        assert!(!is_whole(head, &twice[..5], NOW));
    }

    proptest! {
        #[test]
        fn a_head_comes_back_from_its_floor_and_rises_with_its_number(number in 0_u64..1 << 44, day in 0_u32..1 << 20) {
            let head = Head { number, until_day: day };
            prop_assert_eq!(Head::from_floor(head.floor()), head);
            let next = Head { number: number + 1, until_day: 0 };
            prop_assert!(number + 1 == 1 << 44 || next.floor() > head.floor());
        }
    }
}
