//! Who holds the headless phone: somebody who knows beforehand what she answers. Asked for more, she does not answer.

use crate::card::UnlockedCard;
use crate::flow::{Consent, DeviceRecord, Request};
use crate::run::{Choice, Decision, Person, StepError};

#[derive(Default)]
pub(super) struct Hand<'c> {
    choice: Option<Choice>,
    card: Option<&'c UnlockedCard<'c>>,
    decision: Option<Decision>,
}

impl<'c> Hand<'c> {
    pub(super) fn choosing(choice: Choice) -> Self {
        Self {
            choice: Some(choice),
            ..Self::default()
        }
    }

    pub(super) fn with_card(card: &'c UnlockedCard<'c>) -> Self {
        Self {
            card: Some(card),
            ..Self::choosing(Choice::Card)
        }
    }

    pub(super) fn deciding(decision: Decision) -> Self {
        Self {
            decision: Some(decision),
            ..Self::default()
        }
    }
}

impl Person for Hand<'_> {
    async fn choose(&mut self, _: &Request, _: Option<&DeviceRecord>) -> Result<Choice, StepError> {
        self.choice.take().ok_or(StepError::Cancelled)
    }

    async fn hold_card(&mut self, challenge: &str) -> Result<String, StepError> {
        let card = self.card.ok_or(StepError::Cancelled)?;
        Ok(card.sign_challenge(challenge))
    }

    async fn decide(&mut self, _: &Consent) -> Result<Decision, StepError> {
        self.decision.take().ok_or(StepError::Cancelled)
    }
}
