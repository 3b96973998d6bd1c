//! Clients that send one request after another for some time.

use crate::clock::Clock;
use anyhow::{Context, Result, bail};
use futures_util::future::try_join_all;
use std::time::Duration;

/// How long each measurement lasts.
const LASTS: Duration = Duration::from_secs(2);

/// What clients saw.
pub(super) struct Seen {
    pub(super) per_second: f64,
    /// 99 of 100 requests took at most so long.
    pub(super) p99: Duration,
}

/// Sends requests from so many clients at once. `request` is given a number that no other request has.
///
/// # Errors
/// Any answer but a success.
pub(super) async fn drive(clients: u64, request: impl Fn(u64) -> reqwest::RequestBuilder) -> Result<Seen> {
    let clock = Clock::system();
    let started = clock.instant();
    let request = &request;
    let work = (0..clients).map(|client| {
        let clock = clock.clone();
        async move {
            let (mut took, mut number) = (Vec::new(), client);
            while clock.elapsed_since(started) < LASTS {
                let sent = clock.instant();
                let answer = request(number).send().await?;
                let status = answer.status();
                let body = answer.bytes().await?;
                if !status.is_success() {
                    bail!("a request was answered {status}: {}", String::from_utf8_lossy(&body));
                }
                took.push(clock.elapsed_since(sent));
                number += clients;
            }
            Ok(took)
        }
    });
    let took = try_join_all(work).await?.concat();
    let lasted = clock.elapsed_since(started).as_secs_f64();
    Ok(Seen { per_second: took.len() as f64 / lasted, p99: percentile(took, 99).context("no request was sent")? })
}

/// The smallest value that `percent` of all do not exceed.
pub(super) fn percentile(mut values: Vec<Duration>, percent: usize) -> Option<Duration> {
    values.sort_unstable();
    let place = (values.len() * percent).div_ceil(100);
    values.get(place.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_seen() {
        let of = |number: u64| percentile((1..=number).map(Duration::from_secs).collect(), 99);
        assert_eq!(of(0), None);
        assert_eq!(of(1), Some(Duration::from_secs(1)));
        assert_eq!(of(100), Some(Duration::from_secs(99)));
        assert_eq!(of(200), Some(Duration::from_secs(198)));
    }
}
