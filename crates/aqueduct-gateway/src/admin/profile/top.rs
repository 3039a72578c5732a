//! The functions that take the most, as text.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::stacks::Stacks;

/// How many functions are listed.
const LISTED: usize = 20;

/// The table: *self* is the share of samples in which the function ran, *total* that in which it or what it called ran.
pub(super) fn render(stacks: &Stacks) -> String {
    let all = stacks.total();
    let mut counts: Vec<(u64, u64, usize)> =
        (0..stacks.functions().len()).map(|place| (0, 0, place)).collect();
    let mut seen = HashSet::new();
    for sample in stacks.samples() {
        if let Some(own) = sample.frames.last().and_then(|last| counts.get_mut(*last)) {
            own.0 += sample.count;
        }
        // A function that calls itself ran once.
        seen.clear();
        for place in sample.frames.iter().filter(|place| seen.insert(**place)) {
            if let Some(total) = counts.get_mut(*place) {
                total.1 += sample.count;
            }
        }
    }
    counts.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
    let share = |count: u64| if all == 0 { 0.0 } else { count as f64 * 100.0 / all as f64 };
    let mut text = format!(
        "{all} samples in {:.1} s, {} asked for a second of processor time\n",
        stacks.took.as_secs_f64(),
        stacks.hz
    );
    if all == 0 {
        text.push_str("nothing ran: take the profile under load\n");
        return text;
    }
    text.push_str("  self   total  function\n");
    for (own, total, place) in counts.into_iter().take(LISTED) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:5.1} % {:5.1} %  {}", share(own), share(total), stacks.name(place));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::stacks::{Stacks, example};
    use super::*;
    use std::time::{Duration, SystemTime};

    /// Guards the shares: self by the innermost, total once a stack, also for what calls itself.
    #[test]
    fn shares_are_of_all_samples() {
        assert_eq!(
            render(&example()),
            "100 samples in 2.0 s, 100 asked for a second of processor time\n  self   total  function\n \
             60.0 %  60.0 %  inner<T>\n 30.0 %  90.0 %  work\n  9.0 %  99.0 %  main\n  1.0 %   1.0 %  [no symbols]\n"
        );
    }

    #[test]
    fn the_twenty_first_is_left_out() {
        let mut stacks = Stacks::new(1, SystemTime::UNIX_EPOCH, Duration::from_secs(1));
        (1..=25).for_each(|n| stacks.add("t".to_owned(), [format!("f{n}")], n));
        let text = render(&stacks);
        assert_eq!(text.lines().count(), 2 + 20);
        assert!(text.contains("  f25\n") && text.contains("  f6\n") && !text.contains("  f5\n"), "{text}");
    }

    #[test]
    fn an_idle_gateway_has_a_text() {
        let stacks = Stacks::new(100, SystemTime::UNIX_EPOCH, Duration::from_secs(1));
        assert!(render(&stacks).ends_with("nothing ran: take the profile under load\n"));
    }
}
