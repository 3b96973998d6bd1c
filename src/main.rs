//! Parse the command, run it, exit code.

use libmimalloc_sys::{mi_option_set_default, mi_option_t, mi_option_use_numa_nodes};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`, in milliseconds. The crate does not name it; in mimalloc.h it stands before this one.
const PURGE_DELAY: mi_option_t = mi_option_use_numa_nodes - 1;

#[tokio::main]
async fn main() -> ExitCode {
    give_free_memory_back_at_once();
    entra_assets::cli::main().await
}

/// mimalloc keeps what was freed for a second, in which a large read frees and takes tens of megabytes (docs/PERFORMANCE.md).
/// The variable MIMALLOC_PURGE_DELAY wins.
#[allow(unsafe_code)]
fn give_free_memory_back_at_once() {
    // SAFETY: the option exists, and any number is a delay. It may be set at any time, by any thread.
    unsafe { mi_option_set_default(PURGE_DELAY, 0) }
}
