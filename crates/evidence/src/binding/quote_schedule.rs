//! When to make a new quote: at most one per interval, however many ask.

use std::sync::Arc;

use jose::UnixTime;

/// Pure state around an expensive thing `T` that may be some time old. Whoever owns it asks before every answer:
///
/// - [`Ask::Fresh`]: use this one;
/// - [`Ask::Renew`]: make one and report [`QuoteSchedule::renewed`]; until then everybody
///   else gets the old one, or [`Ask::Nothing`] when there is none;
/// - a failure is not tried again before the interval is over, so a failing producer is not hammered either.
#[derive(Debug)]
pub struct QuoteSchedule<T> {
    interval_seconds: u64,
    max_age_seconds: u64,
    current: Option<(UnixTime, Arc<T>)>,
    last_begun: Option<UnixTime>,
}

/// What to do with a request.
#[derive(Debug)]
pub enum Ask<T> {
    /// Answer with this.
    Fresh(Arc<T>),
    /// Make a new one; this is the old one, when it may still be used should that fail.
    Renew(Option<Arc<T>>),
    /// Nothing can be shown now.
    Nothing,
}

impl<T> QuoteSchedule<T> {
    /// One begin per `interval_seconds`; nothing older than `max_age_seconds` is handed out.
    #[must_use]
    pub const fn new(interval_seconds: u64, max_age_seconds: u64) -> Self {
        Self {
            interval_seconds,
            max_age_seconds,
            current: None,
            last_begun: None,
        }
    }

    /// Asks at `now`. A clock that is set back does not bring an earlier begin.
    pub fn ask(&mut self, now: UnixTime) -> Ask<T> {
        let usable = self
            .current
            .as_ref()
            .filter(|(made, _)| now.seconds_since(*made) <= self.max_age_seconds)
            .map(|(_, value)| Arc::clone(value));
        let is_due = self
            .last_begun
            .is_none_or(|begun| now.seconds_since(begun) >= self.interval_seconds);
        if is_due {
            self.last_begun = Some(now);
            return Ask::Renew(usable);
        }
        usable.map_or(Ask::Nothing, Ask::Fresh)
    }

    /// The new one is made, begun at `now`.
    pub fn renewed(&mut self, value: T, now: UnixTime) -> Arc<T> {
        let value = Arc::new(value);
        self.current = Some((now, Arc::clone(&value)));
        value
    }

    /// Forgets what is there and lets the next request renew: after a change that the old quote does not commit to.
    pub fn forget(&mut self) {
        self.current = None;
        self.last_begun = None;
    }
}
