//! Counts what each thread allocates.

use aqueduct_testkit::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Guards all tests that count: the allocator is there.
#[test]
fn allocations_are_counted() {
    let (made, allocations) = CountingAllocator::count(|| vec![1_u8; 10]);
    assert_eq!((made.len(), allocations.count), (10, 1));
}
