//! How the C library gives memory back.
//!
//! Left alone, glibc keeps freed megabytes in a heap of each thread: a backup of 600,000 records of 1 KB then peaks at
//! 300 MB where 220 are in use (ARCHITECTURE.md, "Memory"). The C client shares the allocator, so another one for Rust
//! alone would not help.

/// Larger blocks are given back as soon as they are free.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const GIVE_BACK_BYTES: libc::c_int = 512 << 10;
/// Heaps; more of them waste more.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS_MAX: libc::c_int = 2;

/// Has freed memory given back. To be called before there are threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back_freed_memory() {
    let settings = [
        (libc::M_MMAP_THRESHOLD, GIVE_BACK_BYTES),
        (libc::M_TRIM_THRESHOLD, GIVE_BACK_BYTES),
        (libc::M_ARENA_MAX, HEAPS_MAX),
    ];
    for (name, value) in settings {
        // SAFETY: the names are glibc's, and any positive number is taken; a refusal changes nothing.
        unsafe { libc::mallopt(name, value) };
    }
}

/// Nothing: other allocators have no such settings.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back_freed_memory() {}
