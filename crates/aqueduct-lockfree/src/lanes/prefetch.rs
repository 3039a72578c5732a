//! Hints to fetch a line that will be needed soon: without effect on the result, and nothing at all where there is no stable way to say so.

/// Starts fetching the line that `place` points to, to be read.
#[inline(always)]
pub(super) fn prefetch_to_read<T>(place: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri), not(crossbeam_loom)))]
    // SAFETY: prefetching never faults, whatever the address, and every x86-64 has the instruction.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(place.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri), not(crossbeam_loom))))]
    let _ = place;
}

/// Starts fetching the line that `place` points to, to be written: other cores give it up, so that a read-modify-write finds it here.
#[inline(always)]
pub(super) fn prefetch_to_write<T>(place: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri), not(crossbeam_loom)))]
    // SAFETY: prefetching never faults, whatever the address; an x86-64 without the instruction does nothing at its place. The intrinsic
    // would fall back to fetching for reading on the baseline.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) place, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri), not(crossbeam_loom))))]
    let _ = place;
}
