//! Changes a fraction of the directory, the same way for the same seed.

use super::directory::Directory;
use serde::Serialize;
use serde_json::{Map, json};
use uuid::Uuid;

/// How much was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Churn {
    pub users_updated: u64,
    pub users_added: u64,
    pub users_deleted: u64,
    pub managers_changed: u64,
    pub groups_updated: u64,
    pub members_added: u64,
    pub members_removed: u64,
}

impl Directory {
    /// Deletes about `share` (0 to 1) of the users, and says how many.
    pub fn delete_share(&mut self, share: f64) -> u64 {
        let users: Vec<Uuid> = self.live_users().map(|(_, user)| user.id).collect();
        let number = (users.len() as f64 * share.clamp(0.0, 1.0)).round() as usize;
        users.into_iter().take(number).filter(|user| self.delete(*user).is_ok()).count() as u64
    }

    /// Changes about `share` (0 to 1) of the users and of the memberships: most users get new properties, one in ten
    /// another manager, one in twenty comes, one in twenty goes; as many memberships come as go.
    pub fn churn(&mut self, share: f64) -> Churn {
        let share = share.clamp(0.0, 1.0);
        let truth = self.truth();
        let users = (truth.users as f64 * share).round() as u64;
        let memberships = (truth.user_memberships as f64 * share).round() as u64;
        let mut done = Churn::default();
        self.churn_users(users, &mut done);
        for _ in 0..memberships / 2 {
            self.churn_membership(&mut done);
        }
        self.churn_groups((truth.groups as f64 * share).round() as u64, &mut done);
        done
    }

    /// Changes so many users, as [`Directory::churn`] does, and so many groups: each gets another description, and for each a
    /// membership comes and another goes.
    pub fn alter(&mut self, users: u64, groups: u64) -> Churn {
        let mut done = Churn::default();
        self.churn_users(users, &mut done);
        self.churn_groups(groups, &mut done);
        for _ in 0..groups {
            self.churn_membership(&mut done);
        }
        done
    }

    fn churn_users(&mut self, users: u64, done: &mut Churn) {
        for n in 0..users {
            match n % 20 {
                0 => {
                    self.add_user(Map::new());
                    done.users_added += 1;
                }
                1 => done.users_deleted += u64::from(self.any_user().is_some_and(|id| self.delete(id).is_ok())),
                2 | 3 => {
                    let (user, manager) = (self.any_user(), self.any_user());
                    let changed = user.filter(|user| Some(*user) != manager);
                    let changed = changed.is_some_and(|user| self.set_manager(user, manager).is_ok());
                    done.managers_changed += u64::from(changed);
                }
                _ => done.users_updated += u64::from(self.rename_something(n)),
            }
        }
    }

    /// One comes, and one goes.
    fn churn_membership(&mut self, done: &mut Churn) {
        let (group, user) = (self.any_group(), self.any_user());
        if let (Some(group), Some(user)) = (group, user) {
            done.members_added += u64::from(self.add_member(group, user).is_ok());
        }
        if let Some((group, user)) = self.any_membership() {
            done.members_removed += u64::from(self.remove_member(group, user).is_ok());
        }
    }

    fn churn_groups(&mut self, groups: u64, done: &mut Churn) {
        for n in 0..groups {
            let properties = Map::from_iter([("description".to_owned(), json!(format!("changed {n}")))]);
            done.groups_updated += u64::from(self.any_group().is_some_and(|id| self.update(id, properties).is_ok()));
        }
    }

    fn rename_something(&mut self, n: u64) -> bool {
        let properties = Map::from_iter([
            ("jobTitle".to_owned(), json!(format!("Title {n}"))),
            ("department".to_owned(), json!(format!("Department {}", n % 7))),
        ]);
        self.any_user().is_some_and(|id| self.update(id, properties).is_ok())
    }

    /// A live user; the first few stay as they are.
    fn any_user(&mut self) -> Option<Uuid> {
        for _ in 0..100 {
            let slot = 11 + self.random.below((self.users.len() as u64).saturating_sub(11)) as usize;
            let found = self.users.get(slot).map(|user| user.id).filter(|id| self.user(*id).is_some());
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn any_group(&mut self) -> Option<Uuid> {
        for _ in 0..100 {
            let slot = self.random.below(self.groups.len() as u64) as usize;
            let found = self.groups.get(slot).map(|group| group.id).filter(|id| self.group(*id).is_some());
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn any_membership(&mut self) -> Option<(Uuid, Uuid)> {
        for _ in 0..100 {
            let user = self.any_user()?;
            let groups = self.user(user).map(|(_, user)| user.member_of.len()).unwrap_or_default();
            let place = self.random.below(groups as u64) as usize;
            let group = self.user(user).and_then(|(_, user)| user.member_of.get(place).copied());
            let group = group.and_then(|slot| self.groups.get(slot as usize)).map(|group| group.id);
            if let Some(group) = group.filter(|id| self.group(*id).is_some()) {
                return Some((group, user));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::generate::SeedOptions;
    use super::super::object::ObjectKind;
    use super::*;

    #[test]
    fn a_share_of_the_directory_changes_the_same_way_every_time() {
        let mut one = Directory::generate(SeedOptions::default());
        let mut two = Directory::generate(SeedOptions::default());
        let churn = one.churn(0.05);
        assert_eq!(churn, two.churn(0.05));
        assert_eq!(one.member_edges(ObjectKind::User), two.member_edges(ObjectKind::User));
        assert!(churn.users_updated > 50 && churn.members_removed > 200 && churn.users_deleted > 0, "{churn:?}");
        assert_eq!(one.truth().users, 2_000 + churn.users_added - churn.users_deleted);
        let altered = one.alter(100, 10);
        assert_eq!(altered, two.alter(100, 10));
        assert_eq!((altered.users_added, altered.groups_updated, altered.members_removed), (5, 10, 10), "{altered:?}");
        assert_eq!(
            Directory::generate(SeedOptions { users: 0, groups: 0, ..SeedOptions::default() }).churn(1.0),
            Churn::default()
        );
    }
}
