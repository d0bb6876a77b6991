//! Telling the processor what will be read soon. Queries are handled in batches: while one is parsed, the memory of the
//! others is on its way.

#![expect(
    unsafe_code,
    reason = "the prefetch instruction has no safe form; it never faults and changes nothing but caches"
)]

/// Asks for the cache line of `slice[index]`; nothing where there is no such element or no such instruction.
#[inline]
pub fn prefetch<T>(slice: &[T], index: usize) {
    if let Some(element) = slice.get(index) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the address is that of a live element, and a prefetch reads nothing architecturally.
        unsafe {
            core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(
                core::ptr::from_ref(element).cast(),
            );
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = element;
    }
}
