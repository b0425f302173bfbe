//! Moving to a new phone with the old one, through the phone: either half.

use super::{BindingWish, BoundDevice, Hand, KeyInMemory, Phone, PhoneError};
use crate::run::{Choice, Clock, MoveEnd, MoveIn, MoveOut, NewPhone, OldPhone, Wish};

impl Phone {
    /// The old phone's half: logs in to her account with it, shows an offer and vouches for the phone that takes it. Minutes may pass, so this needs a clock.
    /// The device's counter rises: keep it afterwards either way.
    ///
    /// # Errors
    /// [`PhoneError::Flow`] with the provider's reason (the insurer's policy, for example), among others.
    pub async fn move_out(
        &self,
        device: &mut BoundDevice,
        screen: &mut impl OldPhone,
        clock: impl Clock,
    ) -> Result<MoveEnd, PhoneError> {
        let mut app = self.app(KeyInMemory::of(device), Hand::choosing(Choice::Device), clock);
        MoveOut::begin(self.issuer()).run(&mut app, screen).await
    }

    /// The new phone's half: brings a fresh key for the offer, shows two digits, and waits for the old phone.
    ///
    /// # Errors
    /// [`PhoneError::Flow`] with the provider's reason, among others.
    pub async fn move_in(
        &self,
        offer: &str,
        wish: &BindingWish<'_>,
        screen: &mut impl NewPhone,
        clock: impl Clock,
    ) -> Result<BoundDevice, PhoneError> {
        let mut app = self.app(KeyInMemory::default(), Hand::default(), clock);
        MoveIn::begin(self.issuer(), offer, Wish::from(wish))
            .run(&mut app, screen)
            .await?;
        app.keystore.into_kept().ok_or(PhoneError::Over)
    }
}
