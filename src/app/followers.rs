//! Who waits for what in this process. Whoever waits is woken by the news of what they wait for, and asks the database for
//! nothing until then.

use crate::ids::{ApiKeyId, OrganizationId, RunId};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use uuid::Uuid;

/// All who wait in this process. Cheap to clone.
#[derive(Clone, Default, Debug)]
pub struct Followers {
    runs: Watched<(RunId, OrganizationId), RunNews>,
    keys: Watched<ApiKeyId, KeyNews>,
}

/// What changes when there is news of a run.
#[derive(Default, Debug)]
pub struct RunNews {
    /// The last event that the database was seen to have; `None`: it was not asked yet.
    last_event: Option<i64>,
}

/// What changes when an API key ends.
#[derive(Default, Debug)]
pub struct KeyNews {
    is_over: bool,
}

pub type RunFollower = Watching<(RunId, OrganizationId), RunNews>;
pub type KeyFollower = Watching<ApiKeyId, KeyNews>;

impl Followers {
    /// To be asked for before the run is looked at: whatever comes after that wakes.
    pub fn follow(&self, organization: OrganizationId, run: RunId) -> RunFollower {
        self.runs.watch((run, organization))
    }

    pub fn follow_key(&self, key: ApiKeyId) -> KeyFollower {
        self.keys.watch(key)
    }

    /// There is news of a run.
    pub fn wake(&self, run: RunId) {
        let [first, last] = [Uuid::nil(), Uuid::max()].map(OrganizationId);
        self.runs.change((run, first)..=(run, last), |_| true);
    }

    /// The runs that somebody follows.
    pub fn runs(&self) -> Vec<(OrganizationId, RunId)> {
        self.runs.keys().into_iter().map(|(run, organization)| (organization, run)).collect()
    }

    /// The database has this as the last event of a run; `None`: it does not have the run. Wakes if that is news.
    pub fn has_events_up_to(&self, organization: OrganizationId, run: RunId, last_event: Option<i64>) {
        let key = (run, organization);
        self.runs.change(key..=key, |news| {
            let is_news = last_event.is_none() || news.last_event != last_event;
            news.last_event = last_event;
            is_news
        });
    }

    /// The API keys with which somebody follows something.
    pub fn keys(&self) -> Vec<ApiKeyId> {
        self.keys.keys()
    }

    /// A key was revoked, or its time is over.
    pub fn end_key(&self, key: ApiKeyId) {
        self.keys.change(key..=key, |news| !std::mem::replace(&mut news.is_over, true));
    }
}

/// What is waited for, by its key, for as long as somebody waits.
#[derive(Debug)]
struct Watched<K, V>(Arc<Mutex<BTreeMap<K, watch::Sender<V>>>>);

impl<K, V> Clone for Watched<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Watched<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Ord + Copy, V: Default> Watched<K, V> {
    fn all(&self) -> MutexGuard<'_, BTreeMap<K, watch::Sender<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, key: K) -> Watching<K, V> {
        let news = self.all().entry(key).or_insert_with(|| watch::Sender::new(V::default())).subscribe();
        Watching { key, news, of: self.clone() }
    }

    /// What somebody waits for. Two of them that end at the same time each see the other, and leave theirs to this.
    fn keys(&self) -> Vec<K> {
        let mut all = self.all();
        all.retain(|_, news| news.receiver_count() > 0);
        all.keys().copied().collect()
    }

    /// `change` says whether it is news.
    fn change(&self, keys: RangeInclusive<K>, change: impl Fn(&mut V) -> bool) {
        for (_, news) in self.all().range(keys) {
            news.send_if_modified(&change);
        }
    }
}

/// Somebody who waits. What they wait for is forgotten with the last of them.
#[derive(Debug)]
pub struct Watching<K: Ord + Copy, V: Default> {
    key: K,
    news: watch::Receiver<V>,
    of: Watched<K, V>,
}

impl<K: Ord + Copy, V: Default> Watching<K, V> {
    /// Waits for what is new since the last call.
    pub async fn news(&mut self) {
        // The sender is kept until the last of them has gone.
        if self.news.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl KeyFollower {
    pub fn is_over(&self) -> bool {
        self.news.borrow().is_over
    }
}

impl<K: Ord + Copy, V: Default> Drop for Watching<K, V> {
    fn drop(&mut self) {
        let mut all = self.of.all();
        if all.get(&self.key).is_some_and(|news| news.receiver_count() <= 1) {
            all.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn run(number: u128) -> (OrganizationId, RunId) {
        (OrganizationId::DEFAULT, RunId(Uuid::from_u128(number)))
    }

    fn is_woken(follower: &mut RunFollower) -> bool {
        follower.news().now_or_never().is_some()
    }

    #[test]
    fn news_of_a_run_wake_all_who_follow_it_and_nobody_else() {
        let followers = Followers::default();
        let ((organization, one), (_, other)) = (run(1), run(2));
        let [mut first, mut second] = [(), ()].map(|()| followers.follow(organization, one));
        let mut of_other = followers.follow(organization, other);
        followers.wake(one);
        assert_eq!([&mut first, &mut second, &mut of_other].map(is_woken), [true, true, false]);
        assert!(!is_woken(&mut first), "once");
        followers.wake(other);
        assert!(is_woken(&mut of_other), "also when the news came before it waited");
    }

    #[test]
    fn what_the_database_has_wakes_when_it_is_news() {
        let followers = Followers::default();
        let (organization, id) = run(1);
        let mut follower = followers.follow(organization, id);
        for (last_event, expected) in
            [(Some(3), true), (Some(3), false), (Some(4), true), (None, true), (None, true), (Some(4), true)]
        {
            followers.has_events_up_to(organization, id, last_event);
            assert_eq!(is_woken(&mut follower), expected, "{last_event:?}");
        }
        followers.has_events_up_to(OrganizationId(Uuid::from_u128(9)), id, Some(9));
        assert!(!is_woken(&mut follower), "of another organization");
    }

    #[test]
    fn what_nobody_waits_for_is_forgotten() {
        let followers = Followers::default();
        let (organization, id) = run(1);
        let (first, second) = (followers.follow(organization, id), followers.follow(organization, id));
        let key = followers.follow_key(ApiKeyId(Uuid::from_u128(5)));
        drop(first);
        assert_eq!((followers.runs(), followers.keys().len()), (vec![(organization, id)], 1));
        drop((second, key));
        assert_eq!((followers.runs().len(), followers.keys().len()), (0, 0));
    }

    #[test]
    fn a_key_ends_once() {
        let followers = Followers::default();
        let id = ApiKeyId(Uuid::from_u128(5));
        let mut key = followers.follow_key(id);
        assert!(!key.is_over());
        followers.end_key(id);
        assert!(key.is_over() && key.news().now_or_never().is_some());
        followers.end_key(id);
        assert!(key.news().now_or_never().is_none());
    }
}
