//! Who started a run and who approved it, by name.

use crate::audit;
use crate::text_enum::explained;
use serde::Serialize;
use std::collections::HashMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// Who did something.
#[derive(Serialize, ToSchema, Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    pub kind: ActorKind,
    /// The id of the API key, or the issuer and subject of the token; null for others.
    #[schema(required = true)]
    pub id: Option<String>,
    /// The name of the API key; null for others, and if the key was deleted.
    #[schema(required = true)]
    pub name: Option<String>,
}

explained! {
    /// What kind of caller or part of the service acted.
    #[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
    #[serde(rename_all = "camelCase")]
    pub enum ActorKind {
        /// The schedule of the job.
        Schedule,
        /// The service, which repeats a run of the schedule that failed.
        Retry,
        /// A caller with the operator's admin key.
        AdminKey,
        /// A caller with an API key.
        ApiKey,
        /// A caller with a token of a configured issuer or of the Forge app.
        Token,
        /// Another part of the service.
        Service,
    }
}

impl Actor {
    /// The actor that a run or the audit log names. `keys`: the names of API keys.
    pub(super) fn new(actor: &audit::Actor, keys: &HashMap<Uuid, String>) -> Self {
        let (kind, id, name) = match actor {
            audit::Actor::Schedule => (ActorKind::Schedule, None, None),
            audit::Actor::Retry => (ActorKind::Retry, None, None),
            audit::Actor::AdminKey => (ActorKind::AdminKey, None, None),
            audit::Actor::ApiKey(id) => (ActorKind::ApiKey, Some(id.to_string()), keys.get(&id.0).cloned()),
            audit::Actor::Token(subject) => (ActorKind::Token, Some(subject.clone()), None),
            audit::Actor::Handover(id) => (ActorKind::Token, Some(id.to_string()), None),
            audit::Actor::Ticket
            | audit::Actor::CommandLine
            | audit::Actor::Service
            | audit::Actor::Run(_)
            | audit::Actor::Other(_) => (ActorKind::Service, None, None),
        };
        Self { kind, id, name }
    }

    /// The actor before its name is known.
    pub(super) fn unnamed(actor: &audit::Actor) -> Self {
        Self::new(actor, &HashMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_shown_by_its_kind_and_name() {
        let id = Uuid::from_u128(7);
        let keys = HashMap::from([(id, "Script".to_owned())]);
        let actor = |text: &str| {
            let actor = Actor::new(&text.into(), &keys);
            (actor.kind, actor.id, actor.name)
        };
        assert_eq!(actor("schedule"), (ActorKind::Schedule, None, None));
        let of_key = (ActorKind::ApiKey, Some(id.to_string()), Some("Script".to_owned()));
        assert_eq!(actor(&format!("apiKey:{id}")), of_key);
        let subject = "https://login.example.com:user".to_owned();
        assert_eq!(actor(&format!("jwt:{subject}")), (ActorKind::Token, Some(subject), None));
        assert_eq!(actor("missing_objects_observed").0, ActorKind::Service);
    }
}
