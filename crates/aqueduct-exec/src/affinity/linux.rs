//! Linux and Android.

use std::io;
use std::mem::size_of_val;

use super::{AffinityError, CoreSet};

/// Words of the first try: room for 1,024 cores, as in the C library's fixed set.
const WORDS: usize = 16;
/// Words of the last try: no kernel is built for more than 8,192 cores today.
const MOST_WORDS: usize = 1 << 14;

pub(super) fn of_process() -> Result<CoreSet, AffinityError> {
    // The number of a process is that of its first thread.
    let process = i32::try_from(std::process::id())
        .map_err(|_| AffinityError::Os(io::ErrorKind::InvalidInput.into()))?;
    of(process)
}

pub(super) fn of_thread() -> Result<CoreSet, AffinityError> {
    of(0)
}

fn of(thread: libc::pid_t) -> Result<CoreSet, AffinityError> {
    let mut words = vec![0_u64; WORDS];
    loop {
        // SAFETY: `words` is ours alone until the call returns, is as long as the second argument says, and is aligned at least like
        // the set, whose words are no larger than 8 bytes. Any bits are a valid set and valid integers.
        let result = unsafe {
            libc::sched_getaffinity(
                thread,
                size_of_val(&*words),
                words.as_mut_ptr().cast::<libc::cpu_set_t>(),
            )
        };
        if result == 0 {
            return Ok(CoreSet::from_bytes(words.iter().flat_map(|word| word.to_ne_bytes())));
        }
        let error = io::Error::last_os_error();
        // The kernel's set is longer than ours.
        if error.raw_os_error() == Some(libc::EINVAL) && words.len() < MOST_WORDS {
            words = vec![0; words.len() * 4];
        } else {
            return Err(AffinityError::Os(error));
        }
    }
}

pub(super) fn pin_thread(cores: &CoreSet) -> Result<(), AffinityError> {
    let words = cores.to_words();
    // SAFETY: `words` lives and does not change until the call returns, is as long as the second argument says, and aligned at least
    // like the set. The call changes nothing but where this thread may run.
    let result =
        unsafe { libc::sched_setaffinity(0, size_of_val(&*words), words.as_ptr().cast::<libc::cpu_set_t>()) };
    if result == 0 { Ok(()) } else { Err(AffinityError::Os(io::Error::last_os_error())) }
}
