//! Requests of a preview: each within the time that is left, its failure told instead of ending everything.

use super::PreviewWarning;
use crate::connection_check::Deadline;
use crate::error::{Code, Error, Fault, Result};
use crate::filter::EntityKind;
use crate::graph::token::Claims;
use crate::graph::{self, ErrorKind, GraphError, RequestOptions, Session};
use crate::permission::{Capability, Standing, standing};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a request is about, for what is said when it fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum About {
    /// A kind of object, without a condition.
    All(EntityKind),
    /// A kind of object, with the filter's condition.
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
            Self::All(EntityKind::Users) | Self::Condition(EntityKind::Users) => Capability::Users,
            Self::All(EntityKind::Groups) | Self::Condition(EntityKind::Groups) => Capability::Groups,
            Self::All(EntityKind::Devices) | Self::Condition(EntityKind::Devices) => Capability::Devices,
            Self::Members => Capability::Memberships,
        }
    }
}

#[derive(Default)]
struct Told {
    partial: bool,
    answered: bool,
    warnings: Vec<PreviewWarning>,
}

pub(super) struct Asker {
    session: Session,
    deadline: Deadline,
    claims: Claims,
    told: Mutex<Told>,
}

impl Asker {
    pub(super) fn new(session: Session, deadline: Deadline, claims: Claims) -> Self {
        Self { session, deadline, claims, told: Mutex::default() }
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Whether a permission is in the token; `true` where the token cannot be read.
    pub(super) fn may(&self, capability: Capability) -> bool {
        let granted = standing(capability, &self.claims.roles);
        !self.claims.readable || !matches!(granted, Standing::Missing(_))
    }

    /// How a person who waits asks.
    pub(super) fn options(&self, advanced: bool) -> RequestOptions {
        RequestOptions { advanced, ..RequestOptions::interactive(self.deadline.remaining()) }
    }

    pub(super) fn warn(&self, warning: PreviewWarning) {
        let mut told = self.told();
        if !told.warnings.contains(&warning) {
            told.warnings.push(warning);
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer; `None` if there was none, which is then told. Fails only where nothing else can work either.
    pub(super) async fn ask<T>(
        &self,
        about: About,
        request: impl Future<Output = graph::error::Result<T>>,
    ) -> Result<Option<T>> {
        match tokio::time::timeout(self.deadline.remaining(), request).await {
            Ok(Ok(answer)) => {
                self.told().answered = true;
                Ok(Some(answer))
            }
            Ok(Err(error)) => self.failed(about, error).map(|()| None),
            Err(_) => {
                self.told().partial = true;
                Ok(None)
            }
        }
    }

    fn failed(&self, about: About, error: GraphError) -> Result<()> {
        match (&error.kind, about) {
            (ErrorKind::SignIn(_) | ErrorKind::Unauthorized, _) => return Err(error.into()),
            (ErrorKind::BadRequest | ErrorKind::Unsupported, About::Condition(kind)) => {
                return Err(refused(kind, error));
            }
            (ErrorKind::Forbidden, _) => {
                self.told().answered = true;
                self.warn(missing_permission(about, &error));
                return Ok(());
            }
            _ => {}
        }
        let warning = PreviewWarning::new("graph_failed", Some(about.kind()), error.to_string());
        self.warn(warning.with_advice(error.advice()));
        self.told().partial = true;
        Ok(())
    }

    /// Whether anything is missing, and what was told.
    pub(super) fn finish(self) -> (bool, Vec<PreviewWarning>) {
        let mut told = self.told.into_inner().unwrap_or_else(PoisonError::into_inner);
        if told.partial && told.warnings.is_empty() {
            let what = if told.answered { "some of the requests" } else { "any request" };
            let detail = format!("Microsoft Graph did not answer {what} in the time of a preview.");
            let advice = "Preview again in a moment; if it lasts, run the connection check and look at Microsoft's service health.";
            told.warnings.push(PreviewWarning::new("graph_failed", None, detail).with_advice(advice));
        }
        (told.partial, told.warnings)
    }
}

/// Graph does not take a condition that the rules here allow: the error points to it.
fn refused(kind: EntityKind, error: GraphError) -> Error {
    let detail = format!("{error}. Change the condition on {}: Graph refuses it as it is.", kind.as_str());
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
    let detail = format!("{} may not be read: {error}.", capability.row().title);
    let advice =
        format!("Add the Application permission {least} and grant admin consent, or run the connection check.");
    PreviewWarning::new("permission_missing", Some(about.kind()), detail).with_advice(advice)
}
