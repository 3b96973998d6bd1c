//! File descriptors: every connection takes one, and whoever opens very many must not stop the rest of the service.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most descriptors that are of use.
const MAX_DESCRIPTORS: u64 = 65_536;
/// For the database, requests to Graph and Assets, files, and the listener of health and metrics.
const KEPT: u64 = 512;
/// The most connections to the API at once.
const MAX_CONNECTIONS: u64 = 16_384;
/// The fewest, where the limit is very low: an organization then has 16 streams.
const MIN_CONNECTIONS: u64 = 64;
/// An organization may have a quarter of the connections as event streams.
const STREAMS_PART: usize = 4;

/// Raises the soft limit as far as is of use and allowed: many systems start a process with 1,024.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX).min(MAX_DESCRIPTORS);
    let Some(current) = limit.current.filter(|current| *current < most) else { return };
    let raised = Rlimit { current: Some(most), maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(limit = current, "the limit of file descriptors could not be raised: {error}");
    }
}

/// How many connections a server may have at once, so that descriptors are left for everything else. Others wait until one
/// ends.
pub(super) fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(connections_of(limit)).unwrap_or(usize::MAX)
}

/// How many event streams an organization may have open at once: a part of the connections, so that others have theirs.
pub(super) fn streams() -> u32 {
    u32::try_from(connections() / STREAMS_PART).unwrap_or(u32::MAX)
}

fn connections_of(limit: u64) -> u64 {
    // Half of what is left: the other half is for what the requests of these connections open themselves.
    (limit.saturating_sub(KEPT) / 2).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_left_whatever_the_limit_is() {
        for (limit, connections) in
            [(u64::MAX, 16_384), (65_536, 16_384), (4_096, 1_792), (1_024, 256), (256, 64), (0, 64)]
        {
            assert_eq!(connections_of(limit), connections, "{limit}");
        }
    }
}
