//! A verdict does not depend on what stands beside a request, limits only ever refuse more, and every error has a place.
#![no_main]

use aqueduct_wire::{InvalidKind, Limits, validate};
use aqueduct_wire_fuzz::request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((signal, request)) = request(data) else { return };
    let strict = Limits::DEFAULT
        .with_max_items(3)
        .with_max_attributes(4)
        .with_max_depth(5)
        .with_max_record_bytes(1000);
    match (validate(signal, request, &Limits::NONE), validate(signal, request, &strict)) {
        (Ok(all), Ok(some)) => assert_eq!(all, some),
        (Ok(all), Err(invalid)) => {
            let exceeded = invalid.limit().expect("only a limit can refuse what is valid");
            assert!(exceeded.found > exceeded.limit, "{invalid}");
            if invalid.kind() == InvalidKind::Items {
                // A metric's alternatives count until they are replaced, so that `all` may be less.
                assert!(all.items > 3 || signal == aqueduct_wire::Signal::Metrics);
            }
        }
        (Err(_), Ok(_)) => panic!("limits make nothing valid"),
        (Err(invalid), Err(_)) => {
            assert!(invalid.offset() <= request.len());
            assert!(!invalid.to_string().is_empty());
        }
    }
    // Two of them are valid if one is, and hold twice as much.
    if let Ok(once) = validate(signal, request, &Limits::NONE) {
        let twice =
            validate(signal, &[request, request].concat(), &Limits::NONE).expect("concatenation is a merge");
        assert_eq!((twice.items, twice.records), (2 * once.items, 2 * once.records));
    }
});
