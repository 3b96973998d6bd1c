//! Units, window and turns, with a clock moved by hand.

use super::*;
use chrono::DateTime;
use futures_util::FutureExt;

fn limiter() -> (Clock, Arc<Limiter>) {
    let clock = Clock::manual(DateTime::UNIX_EPOCH);
    (clock.clone(), Limiter::new(clock, LARGE_TENANT))
}

fn try_acquire(limiter: &Arc<Limiter>, units: f64) -> Option<Permit> {
    limiter.acquire(&Lane::default(), units, false).now_or_never()
}

#[test]
fn a_full_bucket_is_spent_at_once_and_then_refills_at_its_rate() {
    let (clock, limiter) = limiter();
    try_acquire(&limiter, 7_919.0).unwrap().answered(None);
    try_acquire(&limiter, 1.0).unwrap().answered(None);
    assert!(try_acquire(&limiter, 1.0).is_none());
    clock.advance(Duration::from_secs(1));
    try_acquire(&limiter, 800.0).unwrap().answered(None);
    assert!(try_acquire(&limiter, 1.0).is_none());
}

#[test]
fn what_graph_charged_corrects_the_bucket_and_the_next_estimate() {
    let (_, limiter) = limiter();
    let kind = Kind { key: 7, estimate: 3.0 };
    try_acquire(&limiter, limiter.units_of(kind)).unwrap().answered(Some(2.0));
    limiter.learn(kind, 2.0);
    assert_eq!(limiter.gauge().units_left, 7_918.0);
    assert_eq!(limiter.units_of(kind), 2.0);
    try_acquire(&limiter, 2.0).unwrap().answered(Some(12.0));
    assert_eq!(limiter.gauge().units_left, 7_906.0);
}

#[test]
fn the_number_in_flight_never_passes_the_window() {
    let (_, limiter) = limiter();
    let held: Vec<_> = std::iter::from_fn(|| try_acquire(&limiter, 1.0)).collect();
    assert_eq!(held.len(), FIRST_WINDOW as usize);
    drop(held);
    assert_eq!(limiter.gauge().in_flight, 0);
    assert!(try_acquire(&limiter, 1.0).is_some());
}

#[test]
fn the_window_rises_only_while_it_is_used_up_and_halves_once_per_setback() {
    let (_, limiter) = limiter();
    for _ in 0..100 {
        try_acquire(&limiter, 0.0).unwrap().answered(None);
    }
    assert_eq!(limiter.gauge().window, 16, "one at a time needs no larger window");
    let held: Vec<_> = std::iter::from_fn(|| try_acquire(&limiter, 0.0)).collect();
    for permit in held {
        let _ = permit.failed(None);
    }
    assert_eq!(limiter.gauge().window, 8, "16 failures of one moment are one setback");
    for _ in 0..1000 {
        let mut held: Vec<_> = std::iter::from_fn(|| try_acquire(&limiter, 0.0)).collect();
        held.pop().unwrap().answered(None);
    }
    assert!(limiter.gauge().window > 30, "{:?}", limiter.gauge());
}

#[test]
fn the_window_has_a_bound() {
    let (_, limiter) = limiter();
    for _ in 0..20_000 {
        let mut held: Vec<_> = std::iter::from_fn(|| try_acquire(&limiter, 0.0)).collect();
        held.pop().unwrap().answered(None);
    }
    assert_eq!(limiter.gauge().window, MAX_WINDOW as usize);
}

#[tokio::test]
async fn a_refusal_stops_everybody_for_its_time_whatever_the_bucket_holds() {
    let (clock, limiter) = limiter();
    let first = try_acquire(&limiter, 1.0).unwrap();
    let second = try_acquire(&limiter, 1.0).unwrap();
    assert_eq!(first.throttled(Duration::from_secs(5), true), Duration::from_secs(5));
    assert_eq!(second.throttled(Duration::from_secs(7), true), Duration::from_secs(2), "the stops overlap");
    let waiting = tokio::spawn({
        let limiter = limiter.clone();
        async move { limiter.acquire(&Lane::default(), 1.0, false).await }
    });
    for _ in 0..6 {
        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
    }
    clock.advance(Duration::from_secs(1));
    waiting.await.unwrap();
}

#[test]
fn a_bucket_that_is_refused_again_and_again_is_taken_to_be_smaller_until_it_is_quiet() {
    let (clock, limiter) = limiter();
    let refuse = || {
        let permit = try_acquire(&limiter, 1.0).unwrap();
        let _ = permit.throttled(Duration::from_secs(2), true);
        clock.advance(Duration::from_secs(3));
    };
    refuse();
    assert_eq!(limiter.gauge().units_per_second, 800.0, "one refusal may have any reason");
    refuse();
    assert_eq!(limiter.gauge().units_per_second, 500.0);
    refuse();
    assert_eq!(limiter.gauge().units_per_second, 350.0);
    clock.advance(Duration::from_secs(121));
    assert!(limiter.gauge().units_per_second > 350.0);
}

#[test]
fn a_share_of_the_quota_is_not_outgrown() {
    let clock = Clock::manual(DateTime::UNIX_EPOCH);
    let limiter = Limiter::new(clock.clone(), 2_000);
    try_acquire(&limiter, 1_980.0).unwrap().answered(None);
    assert!(try_acquire(&limiter, 1.0).is_none());
    clock.advance(Duration::from_secs(600));
    assert_eq!(limiter.gauge().units_per_second, 200.0);
    assert_eq!(limiter.gauge().units_left, 1_980.0);
}

#[tokio::test]
async fn who_gives_up_waiting_takes_nothing_and_blocks_nobody() {
    let (clock, limiter) = limiter();
    try_acquire(&limiter, 7_920.0).unwrap().answered(None);
    let lane = Lane::default();
    for _ in 0..3 {
        assert!(limiter.acquire(&lane, 10.0, false).now_or_never().is_none());
    }
    clock.advance(Duration::from_millis(13));
    assert!(limiter.acquire(&lane, 10.0, false).now_or_never().is_some());
}

#[tokio::test]
async fn a_run_with_few_requests_is_not_pushed_aside_by_one_with_many() {
    let (_, limiter) = limiter();
    let held: Vec<_> = std::iter::from_fn(|| try_acquire(&limiter, 0.0)).collect();
    let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
    let spawn = |name: &'static str, lane: Arc<Lane>| {
        let (limiter, sender) = (limiter.clone(), sender.clone());
        tokio::spawn(async move {
            let permit = limiter.acquire(&lane, 0.0, false).await;
            sender.send(name).unwrap();
            drop(permit);
        })
    };
    let large = Arc::new(Lane::default());
    for _ in 0..50 {
        spawn("large", large.clone());
    }
    tokio::task::yield_now().await;
    spawn("small", Arc::default());
    tokio::task::yield_now().await;
    drop(held);
    let mut before = 0;
    while order.recv().await.unwrap() != "small" {
        before += 1;
    }
    assert!(before <= 2, "{before} requests of the large run went first");
}

#[tokio::test]
async fn a_next_page_goes_before_what_only_begins() {
    let (_, limiter) = limiter();
    let held: Vec<_> = std::iter::from_fn(|| try_acquire(&limiter, 0.0)).collect();
    let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
    let lane = Arc::new(Lane::default());
    for goes_on in std::iter::repeat_n(false, 50).chain([true]) {
        let (limiter, lane, sender) = (limiter.clone(), lane.clone(), sender.clone());
        tokio::spawn(async move {
            let permit = limiter.acquire(&lane, 0.0, goes_on).await;
            sender.send(goes_on).unwrap();
            drop(permit);
        });
        tokio::task::yield_now().await;
    }
    drop(held);
    let mut before = 0;
    while !order.recv().await.unwrap() {
        before += 1;
    }
    assert!(before <= 2, "{before} beginnings went first");
}
