//! Arithmetic on sorted lists of inclusive ranges, the form in which sets of sequences travel between processes as JSON.

/// How many numbers the ranges hold.
pub fn count(ranges: &[(u64, u64)]) -> u64 {
    ranges.iter().map(|(first, last)| last - first + 1).sum()
}

/// What is in `from` and not in `remove`. Both must be sorted and free of overlaps, as [`Seen::ranges`](super::Seen::ranges) is.
pub fn subtract(from: &[(u64, u64)], remove: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut left = Vec::new();
    let mut removing = remove.iter().peekable();
    for &(mut first, last) in from {
        let mut consumed = false;
        while let Some(&&(cut_first, cut_last)) = removing.peek() {
            if cut_last < first {
                removing.next();
                continue;
            }
            if cut_first > last {
                break;
            }
            if cut_first > first {
                left.push((first, cut_first - 1));
            }
            if cut_last >= last {
                // This cut may reach into the next range, so it stays at the front.
                consumed = true;
                break;
            }
            first = cut_last + 1;
            removing.next();
        }
        if !consumed {
            left.push((first, last));
        }
    }
    left
}
