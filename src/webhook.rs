//! Webhooks: the events that they can be told of.

use crate::run_state::RunState;
use crate::text_enum::text_enum;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

text_enum! {
    /// What a webhook announces: that a run has come to a state.
    WebhookEvent in "webhooks.events" {
        Succeeded = "succeeded",
        Degraded = "degraded",
        Failed = "failed",
        Cancelled = "cancelled",
        AwaitingApproval = "awaitingApproval",
    }
}

impl WebhookEvent {
    /// The event of a run that has come to `state`; `None` for a state that no webhook is told of.
    pub const fn of_run(state: RunState) -> Option<Self> {
        match state {
            RunState::Succeeded => Some(Self::Succeeded),
            RunState::Degraded => Some(Self::Degraded),
            RunState::Failed => Some(Self::Failed),
            RunState::Cancelled => Some(Self::Cancelled),
            RunState::AwaitingApproval => Some(Self::AwaitingApproval),
            RunState::Queued | RunState::Running => None,
        }
    }
}

text_enum! {
    /// What a delivery is about: an event, or only a test of the webhook.
    DeliveryEvent in "webhook_deliveries.event" {
        Succeeded = "succeeded",
        Degraded = "degraded",
        Failed = "failed",
        Cancelled = "cancelled",
        AwaitingApproval = "awaitingApproval",
        Test = "test",
    }
}

/// How far a delivery is.
#[derive(Serialize, Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub enum DeliveryState {
    /// Waiting to be sent, or to be sent again.
    Pending,
    /// The receiver accepted it.
    Delivered,
    /// All attempts failed.
    Failed,
}

impl From<WebhookEvent> for DeliveryEvent {
    fn from(event: WebhookEvent) -> Self {
        match event {
            WebhookEvent::Succeeded => Self::Succeeded,
            WebhookEvent::Degraded => Self::Degraded,
            WebhookEvent::Failed => Self::Failed,
            WebhookEvent::Cancelled => Self::Cancelled,
            WebhookEvent::AwaitingApproval => Self::AwaitingApproval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_that_of_a_run_and_is_delivered_under_the_same_word() {
        let of_runs: Vec<_> = RunState::ALL.into_iter().filter_map(WebhookEvent::of_run).collect();
        for event in WebhookEvent::ALL {
            assert!(of_runs.contains(&event), "{event}");
            assert_eq!(DeliveryEvent::from(event).as_str(), event.as_str());
        }
        for state in RunState::ALL {
            assert!(WebhookEvent::of_run(state).is_none_or(|event| event.as_str() == state.as_str()), "{state}");
        }
    }
}
