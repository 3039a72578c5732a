//! The counting allocator counts what a closure allocates.

use aqueduct_testkit::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Guards the counter in both directions: it sees what is allocated, and it sees nothing where nothing is.
#[test]
fn counts_what_this_thread_allocates() {
    let (mut list, made) = CountingAllocator::count(|| Vec::<u64>::with_capacity(4));
    assert_eq!((made.count, made.bytes, made.frees), (1, 32, 0));
    let ((), none) = CountingAllocator::count(|| list.extend([1, 2, 3, 4]));
    assert_eq!(none.count, 0);
    let ((), grown) = CountingAllocator::count(|| list.push(5));
    assert_eq!(grown.count, 1);
    let ((), freed) = CountingAllocator::count(|| drop(list));
    assert_eq!((freed.count, freed.frees), (0, 1));
}

/// Guards against counting what other threads do, which would make zero-allocation tests fail at random.
#[test]
fn other_threads_do_not_count() {
    let (there, here) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            there.wait();
            drop(vec![0_u8; 1000]);
            here.wait();
        });
        let ((), made) = CountingAllocator::count(|| {
            there.wait();
            here.wait();
        });
        assert_eq!(made.bytes, 0);
    });
}
