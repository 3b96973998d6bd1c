//! Webhooks: the events that they can be told of.

pub mod payload;
mod text;

use crate::change::DirectoryEvent;
use crate::run_state::RunState;
use crate::text_enum::{explained, text_enum};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

text_enum! {
    /// What a webhook announces.
    WebhookEvent in "webhooks.events" {
        /// A run ended, and nothing went wrong.
        Succeeded = "succeeded",
        /// A run ended, and something that an administrator should look at went wrong.
        Degraded = "degraded",
        /// A run ended with an error.
        Failed = "failed",
        /// A run was cancelled.
        Cancelled = "cancelled",
        /// A run waits for approval.
        AwaitingApproval = "awaitingApproval",
        /// A worker began with a run.
        Started = "run.started",
        /// A check of a connection failed: sign-in does not work, or no capability does.
        CheckFailed = "connection.check_failed",
        /// The credential of a connection expires in 30, 7 or 1 days.
        CredentialExpiring = "credential.expiring",
        /// The schedule of a job was paused, by a person or by the service.
        SchedulePaused = "schedule.paused",
        /// A run observed how Assets treats missing objects, and the destination was changed accordingly.
        DestinationObserved = "destination.observed",
        /// Users are new, or came back: one delivery for each run that found some.
        UserJoined = "user.joined",
        /// Users were deleted or left the scope.
        UserLeft = "user.left",
        /// The department, manager or company of users changed.
        UserMoved = "user.moved",
        /// No unit of a licence is left.
        LicenseExhausted = "license.exhausted",
        /// Groups are new, or came back.
        GroupCreated = "group.created",
        /// Groups were deleted or left the scope.
        GroupDeleted = "group.deleted",
    }
}

impl WebhookEvent {
    /// What a webhook is told of that names no events: what came of a run.
    pub const DEFAULT: [Self; 5] =
        [Self::Succeeded, Self::Degraded, Self::Failed, Self::Cancelled, Self::AwaitingApproval];

    /// The event of a run that has come to `state`; `None` for a state that has no event of its own.
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
        /// A run ended, and nothing went wrong.
        Succeeded = "succeeded",
        /// A run ended, and something that an administrator should look at went wrong.
        Degraded = "degraded",
        /// A run ended with an error.
        Failed = "failed",
        /// A run was cancelled.
        Cancelled = "cancelled",
        /// A run waits for approval.
        AwaitingApproval = "awaitingApproval",
        /// A worker began with a run.
        Started = "run.started",
        /// A check of a connection failed: sign-in does not work, or no capability does.
        CheckFailed = "connection.check_failed",
        /// The credential of a connection expires in 30, 7 or 1 days.
        CredentialExpiring = "credential.expiring",
        /// The schedule of a job was paused, by a person or by the service.
        SchedulePaused = "schedule.paused",
        /// A run observed how Assets treats missing objects, and the destination was changed accordingly.
        DestinationObserved = "destination.observed",
        /// Users are new, or came back: one delivery for each run that found some.
        UserJoined = "user.joined",
        /// Users were deleted or left the scope.
        UserLeft = "user.left",
        /// The department, manager or company of users changed.
        UserMoved = "user.moved",
        /// No unit of a licence is left.
        LicenseExhausted = "license.exhausted",
        /// Groups are new, or came back.
        GroupCreated = "group.created",
        /// Groups were deleted or left the scope.
        GroupDeleted = "group.deleted",
        /// A test of the webhook, by `POST /v1/webhooks/{id}/test`.
        Test = "test",
    }
}

explained! {
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
}

impl DeliveryEvent {
    /// The kind of the event by the names of Standard Webhooks: `run.failed`, `connection.check_failed`.
    pub fn kind(self) -> String {
        match self {
            Self::Succeeded | Self::Degraded | Self::Failed | Self::Cancelled | Self::AwaitingApproval => {
                format!("run.{self}")
            }
            Self::Started
            | Self::CheckFailed
            | Self::CredentialExpiring
            | Self::SchedulePaused
            | Self::DestinationObserved
            | Self::UserJoined
            | Self::UserLeft
            | Self::UserMoved
            | Self::LicenseExhausted
            | Self::GroupCreated
            | Self::GroupDeleted
            | Self::Test => self.to_string(),
        }
    }
}

impl From<WebhookEvent> for DeliveryEvent {
    fn from(event: WebhookEvent) -> Self {
        match event {
            WebhookEvent::Succeeded => Self::Succeeded,
            WebhookEvent::Degraded => Self::Degraded,
            WebhookEvent::Failed => Self::Failed,
            WebhookEvent::Cancelled => Self::Cancelled,
            WebhookEvent::AwaitingApproval => Self::AwaitingApproval,
            WebhookEvent::Started => Self::Started,
            WebhookEvent::CheckFailed => Self::CheckFailed,
            WebhookEvent::CredentialExpiring => Self::CredentialExpiring,
            WebhookEvent::SchedulePaused => Self::SchedulePaused,
            WebhookEvent::DestinationObserved => Self::DestinationObserved,
            WebhookEvent::UserJoined => Self::UserJoined,
            WebhookEvent::UserLeft => Self::UserLeft,
            WebhookEvent::UserMoved => Self::UserMoved,
            WebhookEvent::LicenseExhausted => Self::LicenseExhausted,
            WebhookEvent::GroupCreated => Self::GroupCreated,
            WebhookEvent::GroupDeleted => Self::GroupDeleted,
        }
    }
}

impl From<DirectoryEvent> for WebhookEvent {
    fn from(event: DirectoryEvent) -> Self {
        match event {
            DirectoryEvent::UserJoined => Self::UserJoined,
            DirectoryEvent::UserLeft => Self::UserLeft,
            DirectoryEvent::UserMoved => Self::UserMoved,
            DirectoryEvent::LicenseExhausted => Self::LicenseExhausted,
            DirectoryEvent::GroupCreated => Self::GroupCreated,
            DirectoryEvent::GroupDeleted => Self::GroupDeleted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_delivered_under_the_same_word_and_that_of_a_state_is_called_like_it() {
        for event in WebhookEvent::ALL {
            assert_eq!(DeliveryEvent::from(event).as_str(), event.as_str());
        }
        for state in RunState::ALL {
            assert!(WebhookEvent::of_run(state).is_none_or(|event| event.as_str() == state.as_str()), "{state}");
        }
    }

    #[test]
    fn kinds_have_the_names_of_standard_webhooks() {
        let kinds: Vec<String> = DeliveryEvent::ALL.into_iter().map(DeliveryEvent::kind).collect();
        assert!(kinds.iter().all(|kind| kind == "test" || kind.split('.').count() == 2), "{kinds:?}");
        assert_eq!(DeliveryEvent::Failed.kind(), "run.failed");
    }
}
