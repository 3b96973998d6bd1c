//! What a server need not offer and turned out not to: found out once, said once, and done the plain way from
//! then on.

use crate::codes::WarningCode;
use crate::directory::ObjectType;
use crate::graph::GraphError;
use crate::run_state::RunWarning;
use crate::runs::progress::RunProgress;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// A kind of request that a server need not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Optional {
    /// `$expand` of a list: managers of users, owners of groups and devices.
    Expand(ObjectType),
    /// `$select` of a list.
    Select(ObjectType),
    /// `$select` of members and owners.
    SelectOfLinks,
    /// The property that needs a permission of its own.
    SignInActivity,
    Batch,
}

impl Optional {
    fn code(self) -> WarningCode {
        match self {
            Self::Expand(_) => WarningCode::ExpandRefused,
            Self::Select(_) | Self::SelectOfLinks => WarningCode::SelectRefused,
            Self::SignInActivity => WarningCode::SignInActivityRefused,
            Self::Batch => WarningCode::BatchRefused,
        }
    }

    fn detail(self) -> String {
        match self {
            Self::Expand(ObjectType::Users) => {
                "The server does not expand the manager of users; managers are read user by user.".to_owned()
            }
            Self::Expand(ObjectType::Devices) => {
                "The server does not expand the owners of devices; they are left out.".to_owned()
            }
            Self::Expand(object_type) => {
                format!("The server does not expand the owners of {object_type}; they are read one by one.")
            }
            Self::Select(object_type) => format!("The server takes no $select for {object_type}; they are read whole."),
            Self::SelectOfLinks => {
                "The server takes no $select for members and owners; they are read whole.".to_owned()
            }
            Self::SignInActivity => "Sign-in activity may not be read (AuditLog.Read.All and a premium licence are \
                                     needed); users are imported without it."
                .to_owned(),
            Self::Batch => "The server takes no JSON batches; requests are sent one by one.".to_owned(),
        }
    }
}

/// What was found out in this run.
#[derive(Default)]
pub(super) struct Refused {
    refused: Mutex<Vec<Optional>>,
    /// A page of links was answered as it was asked for: what is refused later is not `$select`.
    pub links_are_understood: AtomicBool,
    pub asking: tokio::sync::Mutex<()>,
}

impl Refused {
    pub(super) fn has(&self, optional: Optional) -> bool {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).contains(&optional)
    }

    pub(super) fn links_are_understood(&self) {
        self.links_are_understood.store(true, Ordering::Relaxed);
    }

    /// Remembers a refusal, and says it the first time.
    pub(super) fn note(&self, progress: &RunProgress, optional: Optional, error: Option<&GraphError>) {
        {
            let mut known = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            if known.contains(&optional) {
                return;
            }
            known.push(optional);
        }
        let detail = match error {
            Some(error) => format!("{} ({error})", optional.detail()),
            None => optional.detail(),
        };
        let warning = RunWarning::new(optional.code(), detail);
        match (optional, error) {
            (Optional::SignInActivity, Some(error)) => progress.degrade(warning.with_advice(error.advice())),
            _ => progress.warn(warning),
        }
    }
}
