//! A profile as a flame graph: a picture without scripts, so that nothing in it can run.
//!
//! Callers are below what they call, widths are shares of the samples, and neighbours are in the order of their names. A name and its numbers show
//! when the pointer rests on a box. The description of the picture is the table of [`super::top`].

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::stacks::Stacks;
use super::top;

const WIDTH: f64 = 1200.0;
const BOX_HEIGHT: usize = 16;
const MARGIN: usize = 10;
const HEAD: usize = 30;
/// What is narrower could not be seen.
const NARROWEST: f64 = 0.2;
/// The width of a letter of the font below, roughly.
const LETTER: f64 = 6.2;
/// Boxes above each other, beyond which a graph is cut off. Stacks are shallower, but for what is inlined.
const DEEPEST: usize = 400;

/// A function in a place: how many samples are in it, and what it called.
#[derive(Debug, Default)]
struct Node<'a> {
    count: u64,
    called: BTreeMap<&'a str, Node<'a>>,
}

/// The picture, an SVG document.
pub(super) fn draw(stacks: &Stacks) -> String {
    let mut root = Node::default();
    let mut deepest = 0;
    for sample in stacks.samples() {
        root.count += sample.count;
        let mut node = &mut root;
        let names = std::iter::once(sample.thread.as_str())
            .chain(sample.frames.iter().map(|place| stacks.name(*place)))
            .take(DEEPEST);
        let mut depth = 0;
        for name in names {
            node = node.called.entry(name).or_default();
            node.count += sample.count;
            depth += 1;
        }
        deepest = deepest.max(depth);
    }
    let height = HEAD + (deepest + 1) * (BOX_HEIGHT + 1) + MARGIN;
    let mut picture = Picture { svg: String::new(), all: root.count.max(1), floor: height - MARGIN };
    let width = WIDTH + 2.0 * MARGIN as f64;
    // Writing to a string cannot fail.
    let _ = write!(
        picture.svg,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"10\">\n\
         <desc>\n{}</desc>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fdfdfb\"/>\n\
         <text x=\"{MARGIN}\" y=\"20\" font-size=\"14\">Processor time of the gateway: {} samples in {:.1} s</text>\n",
        escape(&top::render(stacks)),
        root.count,
        stacks.took.as_secs_f64(),
    );
    picture.draw("all", &root, 0.0, 0);
    picture.svg.push_str("</svg>\n");
    picture.svg
}

struct Picture {
    svg: String,
    all: u64,
    floor: usize,
}

impl Picture {
    fn draw(&mut self, name: &str, node: &Node<'_>, left: f64, depth: usize) {
        let share = node.count as f64 / self.all as f64;
        let width = share * WIDTH;
        if width < NARROWEST {
            return;
        }
        let x = MARGIN as f64 + left;
        let y = self.floor - (depth + 1) * (BOX_HEIGHT + 1);
        let name_shown = escape(name);
        // Writing to a string cannot fail.
        let _ = write!(
            self.svg,
            "<g><title>{name_shown}: {} samples, {:.2} %</title>\
             <rect x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BOX_HEIGHT}\" rx=\"1\" fill=\"{}\"/>",
            node.count,
            share * 100.0,
            colour(name),
        );
        let letters = (width / LETTER) as usize;
        if letters >= 3 {
            let text = escape(&shorten(name, letters));
            let _ = write!(self.svg, "<text x=\"{:.1}\" y=\"{}\">{text}</text>", x + 2.0, y + 12);
        }
        self.svg.push_str("</g>\n");
        let mut at = left;
        for (name, called) in &node.called {
            self.draw(name, called, at, depth + 1);
            at += called.count as f64 / self.all as f64 * WIDTH;
        }
    }
}

/// The end of a name says more than its beginning: paths begin alike.
fn shorten(name: &str, letters: usize) -> String {
    let long = name.chars().count();
    if long <= letters {
        return name.to_owned();
    }
    let tail: String = name.chars().skip(long - (letters - 2)).collect();
    format!("..{tail}")
}

/// A warm colour, the same for the same crate and nearly so for its functions; our own are bluer.
fn colour(name: &str) -> String {
    // FNV-1a: the same picture for the same profile.
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let shade = (hash >> 8) % 50;
    if name.contains("aqueduct") {
        format!("rgb({},{},{})", 110 + shade, 170 + shade, 225)
    } else {
        format!("rgb({},{},{})", 235, 140 + shade * 2, 70 + shade)
    }
}

/// Text that XML takes: its own signs escaped, and what it does not allow left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push('\n'),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::stacks::{Stacks, example};
    use super::*;
    use std::time::{Duration, SystemTime};

    /// The boxes of a picture: title, left, top and width.
    fn boxes(svg: &str) -> Vec<(String, f64, f64, f64)> {
        let number = |line: &str, name: &str| -> f64 {
            let (_, rest) = line.split_once(&format!(" {name}=\"")).expect(name);
            rest.split('"').next().and_then(|number| number.parse().ok()).expect("a number")
        };
        let drawn = svg.lines().filter(|line| line.starts_with("<g>"));
        drawn
            .map(|line| {
                let (title, rest) = line.split_once("</title>").expect("a title");
                let title = title.trim_start_matches("<g><title>").to_owned();
                (title, number(rest, "x"), number(rest, "y"), number(rest, "width"))
            })
            .collect()
    }

    /// Guards the geometry: a share is a width, what is called stands on what calls it and within it.
    #[test]
    fn widths_are_shares_and_the_called_stand_on_the_caller() {
        let svg = draw(&example());
        assert!(svg.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg "), "{svg}");
        assert!(svg.ends_with("</svg>\n"), "{svg}");
        let boxes = boxes(&svg);
        let find = |title: &str| boxes.iter().find(|found| found.0 == title).expect(title).clone();
        let all = find("all: 100 samples, 100.00 %");
        let thread = find("rx-0: 70 samples, 70.00 %");
        let inner = find("inner&lt;T&gt;: 60 samples, 60.00 %");
        let again = find("work: 10 samples, 10.00 %");
        assert_eq!((all.1, all.3), (10.0, 1200.0));
        assert_eq!((thread.1, thread.3), (10.0, 840.0));
        assert_eq!((inner.1, inner.3), (10.0, 720.0));
        assert_eq!((again.1, again.3), (730.0, 120.0));
        assert_eq!(all.2 - thread.2, 17.0);
        assert_eq!(all.2 - inner.2, 4.0 * 17.0, "thread, main and work are between them");
        assert!(boxes.iter().all(|found| found.2 >= 30.0 && found.1 + found.3 <= 1210.1), "{boxes:?}");
    }

    /// Guards the description, which `cargo xtask flamegraph` prints.
    #[test]
    fn the_description_is_the_table() {
        let svg = draw(&example());
        let (_, rest) = svg.split_once("<desc>\n").expect("a description");
        let (description, _) = rest.split_once("</desc>").expect("its end");
        assert!(description.contains(" 60.0 %  60.0 %  inner&lt;T&gt;\n"), "{description}");
    }

    /// Guards whoever opens it: a name is text, whatever is in it.
    #[test]
    fn names_cannot_break_out() {
        let mut stacks = Stacks::new(1, SystemTime::UNIX_EPOCH, Duration::from_secs(1));
        stacks.add("a\u{0}\u{1b}b".to_owned(), ["\"</title><script>&".to_owned()], 1);
        let svg = draw(&stacks);
        assert!(!svg.contains("<script") && !svg.contains('\u{0}') && !svg.contains('\u{1b}'), "{svg}");
        assert!(svg.contains("&quot;&lt;/title&gt;&lt;script&gt;&amp;"), "{svg}");
    }

    #[test]
    fn long_names_keep_their_end() {
        assert_eq!(shorten("aqueduct::wire::scan", 6), "..scan");
        assert_eq!(shorten("scan", 4), "scan");
        assert_eq!(shorten("äöü", 3), "äöü");
    }

    /// Guards against a deep stack: the picture ends, and so does the drawing.
    #[test]
    fn a_deep_stack_is_cut() {
        let mut stacks = Stacks::new(1, SystemTime::UNIX_EPOCH, Duration::from_secs(1));
        stacks.add("t".to_owned(), (0..100_000).map(|n| format!("f{n}")), 1);
        assert_eq!(boxes(&draw(&stacks)).len(), DEEPEST + 1);
    }
}
