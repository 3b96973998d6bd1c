//! The requests of a preview. A failed request becomes a warning and does not end the preview.

use super::report::PreviewWarning;
use crate::codes::PreviewWarningCode;
use crate::error::{Code, Error, Fault, Result};
use crate::filter::EntityKind;
use crate::graph::token::Claims;
use crate::graph::{self, GraphError, GraphErrorKind, RequestOptions, Session};
use crate::permission::{Capability, Standing, standing};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a request is about, for the warning when it fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum About {
    /// A kind of object, without a condition.
    All(EntityKind),
    /// A kind of object, with the condition of the filter.
    Condition(EntityKind),
    Members,
}

impl About {
    fn kind(self) -> EntityKind {
        match self {
            Self::All(kind) | Self::Condition(kind) => kind,
            Self::Members => EntityKind::Groups,
        }
    }

    fn capability(self) -> Capability {
        match self {
            Self::All(kind) | Self::Condition(kind) => kind.object_type().spec().capability,
            Self::Members => Capability::Memberships,
        }
    }
}

#[derive(Default)]
struct Notes {
    partial: bool,
    answered: bool,
    warnings: Vec<PreviewWarning>,
}

pub(super) struct Asker {
    session: Session,
    claims: Claims,
    notes: Mutex<Notes>,
}

impl Asker {
    pub(super) fn new(session: Session, claims: Claims) -> Self {
        Self { session, claims, notes: Mutex::default() }
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Whether a permission is in the token; `true` where the token cannot be read.
    pub(super) fn may(&self, capability: Capability) -> bool {
        let granted = standing(capability, &self.claims.roles);
        !self.claims.readable || !matches!(granted, Standing::Missing(_))
    }

    /// Options of a request while a person waits.
    pub(super) fn options(&self, advanced: bool) -> RequestOptions {
        RequestOptions { advanced, ..RequestOptions::interactive() }
    }

    pub(super) fn warn(&self, warning: PreviewWarning) {
        let mut notes = self.notes();
        if !notes.warnings.contains(&warning) {
            notes.warnings.push(warning);
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer; `None` if the request failed, which becomes a warning. Fails only if no other request can work either.
    pub(super) async fn ask<T>(
        &self,
        about: About,
        request: impl Future<Output = graph::error::Result<T>>,
    ) -> Result<Option<T>> {
        match request.await {
            Ok(answer) => {
                self.notes().answered = true;
                Ok(Some(answer))
            }
            Err(error) => self.failed(about, error).map(|()| None),
        }
    }

    fn failed(&self, about: About, error: GraphError) -> Result<()> {
        match (&error.kind, about) {
            (GraphErrorKind::SignIn(_) | GraphErrorKind::Unauthorized, _) => return Err(error.into()),
            (GraphErrorKind::BadRequest | GraphErrorKind::Unsupported, About::Condition(kind)) => {
                return Err(refused(kind, error));
            }
            // The time of the preview is over.
            (GraphErrorKind::Cancelled, _) => {
                self.notes().partial = true;
                return Ok(());
            }
            (GraphErrorKind::Forbidden, _) => {
                let mut notes = self.notes();
                (notes.answered, notes.partial) = (true, true);
                drop(notes);
                self.warn(missing_permission(about, &error));
                return Ok(());
            }
            _ => {}
        }
        let warning = PreviewWarning::new(PreviewWarningCode::GraphFailed, Some(about.kind()), error.to_string());
        self.warn(warning.with_advice(error.advice()));
        self.notes().partial = true;
        Ok(())
    }

    /// Whether the preview is partial, and the warnings.
    pub(super) fn finish(self) -> (bool, Vec<PreviewWarning>) {
        let mut notes = self.notes.into_inner().unwrap_or_else(PoisonError::into_inner);
        if notes.partial && notes.warnings.is_empty() {
            let what = if notes.answered { "some of the requests" } else { "any request" };
            let detail = format!("Microsoft Graph did not answer {what} in time.");
            let advice = "Try again in a moment. If the error persists, run the connection check and look at Microsoft's service health.";
            notes.warnings.push(PreviewWarning::new(PreviewWarningCode::GraphFailed, None, detail).with_advice(advice));
        }
        (notes.partial, notes.warnings)
    }
}

/// The error for a condition that this service allows and Graph rejects. It points to the condition.
fn refused(kind: EntityKind, error: GraphError) -> Error {
    let detail = format!("{error}. Change the condition on {}.", kind.as_str());
    let fault = Fault::new(format!("/{}", kind.as_str()), "invalid_filter", detail.clone());
    let mut refused = Error::new(Code::FilterInvalid, detail).with_source(error);
    refused.faults.push(fault);
    refused
}

fn missing_permission(about: About, error: &GraphError) -> PreviewWarning {
    let capability = match error.is_about_sign_in_activity() {
        true => Capability::SignInActivity,
        false => about.capability(),
    };
    let least = capability.least().collect::<Vec<_>>().join(" and ");
    let status = error.status.map_or_else(|| "an error".to_owned(), |status| status.to_string());
    let detail = format!("No permission to read {}: Graph answered {status}.", capability.row().title.to_lowercase());
    let advice =
        format!("Add the Application permission {least} and grant admin consent, or run the connection check.");
    PreviewWarning::new(PreviewWarningCode::PermissionMissing, Some(about.kind()), detail).with_advice(advice)
}
