//! Names of functions, from the symbols of the program and of its libraries.
//!
//! Not from what a debugger reads: of that a release build has lines alone, whose names lack the crate and the type (`poll`), and it is large: tens of megabytes
//! would be read into the memory of a gateway that has fifteen. So a function that was inlined counts for the one that it is in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;

use object::read::{Object, ObjectSegment, ObjectSymbol, ReadCache};
use object::{SegmentFlags, SymbolKind};

const MAPS: &str = "/proc/self/maps";
/// The program itself, also when its file has been replaced.
const PROGRAM: &str = "/proc/self/exe";

/// A part of a file with code, and where in memory it is.
#[derive(Debug, PartialEq, Eq)]
struct Mapping {
    memory: Range<u64>,
    /// Where in the file it begins.
    offset: u64,
    path: String,
}

/// Names the function that each of these addresses of this process is in, or at least its file.
pub(super) fn names(addresses: &BTreeSet<u64>) -> io::Result<BTreeMap<u64, String>> {
    let program = fs::read_link(PROGRAM).map(|path| path.display().to_string()).unwrap_or_default();
    let mut names = BTreeMap::new();
    for mapping in fs::read_to_string(MAPS)?.lines().filter_map(mapping) {
        let inside: BTreeSet<u64> = addresses.range(mapping.memory.clone()).copied().collect();
        if inside.is_empty() {
            continue;
        }
        let path = if mapping.path == program { PROGRAM } else { &mapping.path };
        // A library that was replaced or that cannot be read has no names, and the others have.
        let mut found = functions(path, &mapping, &inside).unwrap_or_default();
        for address in inside {
            let name = found.remove(&address).unwrap_or_else(|| file_name(&mapping.path));
            names.insert(address, name);
        }
    }
    Ok(names)
}

/// A line of the kernel's list, if there is code: `start-end perms offset device inode path`.
fn mapping(line: &str) -> Option<Mapping> {
    let mut rest = line;
    let mut column = || {
        let (column, after) = rest.split_once(' ')?;
        rest = after.trim_start();
        Some(column)
    };
    let (range, permissions, offset) = (column()?, column()?, column()?);
    let _device_and_inode = (column()?, column());
    let (start, end) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    (permissions.contains('x') && !rest.is_empty()).then_some(Mapping {
        memory: number(start)?..number(end)?,
        offset: number(offset)?,
        path: rest.to_owned(),
    })
}

fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    format!("[{}]", name.trim_matches(['[', ']']))
}

/// The functions of a file that these addresses are in. Only its symbols are read.
fn functions(path: &str, mapping: &Mapping, addresses: &BTreeSet<u64>) -> io::Result<BTreeMap<u64, String>> {
    let cache = ReadCache::new(File::open(path)?);
    let file = object::File::parse(&cache).map_err(io::Error::other)?;
    let end = mapping.offset.saturating_add(mapping.memory.end.saturating_sub(mapping.memory.start));
    // Memory is mapped in pages: the mapping may begin a little before the segment, where another one ends.
    let is_mapped = |flags, (offset, size): (u64, u64)| {
        let code = matches!(flags, SegmentFlags::Elf { p_flags, .. } if p_flags.0 & object::elf::PF_X.0 != 0);
        code && offset < end && mapping.offset < offset.saturating_add(size)
    };
    let Some(segment) = file.segments().find(|segment| is_mapped(segment.flags(), segment.file_range()))
    else {
        return Ok(BTreeMap::new());
    };
    // What is added to an address of the file to have that in memory.
    let in_file = segment.address().wrapping_add(mapping.offset.wrapping_sub(segment.file_range().0));
    let shift = mapping.memory.start.wrapping_sub(in_file);
    let mut found: BTreeMap<u64, &str> = BTreeMap::new();
    let code = |symbol: &object::Symbol<'_, '_, _>| symbol.kind() == SymbolKind::Text && symbol.size() > 0;
    for symbol in file.symbols().chain(file.dynamic_symbols()).filter(code) {
        let start = symbol.address().wrapping_add(shift);
        for address in addresses.range(start..start.saturating_add(symbol.size())) {
            let Ok(name) = symbol.name() else { continue };
            // Of several names the plainest: `writev` rather than `__GI___writev`.
            let plain = |name: &str| (name.len() - name.trim_start_matches('_').len(), name.len());
            match found.get(address) {
                Some(known) if plain(known) <= plain(name) => {}
                _ => {
                    found.insert(*address, name);
                }
            }
        }
    }
    let readable = |name: &str| format!("{:#}", backtrace::SymbolName::new(name.as_bytes()));
    Ok(found.into_iter().map(|(address, name)| (address, readable(name))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the reading of the kernel's list: code only, and paths with spaces.
    #[test]
    fn mappings_of_code_are_read() {
        let line = "7f00-7f10 r-xp 00002000 08:01 123                        /opt/a b/lib.so (deleted)";
        let expected =
            Mapping { memory: 0x7f00..0x7f10, offset: 0x2000, path: "/opt/a b/lib.so (deleted)".to_owned() };
        assert_eq!(mapping(line), Some(expected));
        assert_eq!(
            mapping("7f00-7f10 r-xp 00000000 00:00 0    [vdso]").map(|found| found.path),
            Some("[vdso]".to_owned())
        );
        assert_eq!(mapping("7f00-7f10 r--p 00000000 08:01 123  /opt/lib.so"), None, "no code");
        assert_eq!(mapping("7f00-7f10 rwxp 00000000 00:00 0 "), None, "no file");
        assert_eq!(mapping(""), None);
        assert_eq!(mapping("x-y r-xp z 0 0 /a"), None);
    }

    #[inline(never)]
    fn a_function_of_ours(n: u64) -> u64 {
        std::hint::black_box(n) + 1
    }

    /// Guards names against addresses that are known: of this program with its path, of the C library without underscores.
    #[test]
    fn addresses_of_functions_have_their_names() {
        let ours = a_function_of_ours as fn(u64) -> u64 as usize as u64;
        let names = names(&BTreeSet::from([0, ours])).expect("the kernel lists what is mapped");
        let expected = "aqueduct_gateway::admin::profile::symbols::tests::a_function_of_ours";
        assert_eq!(names.get(&ours).map(String::as_str), Some(expected));
        assert_eq!(names.get(&0), None, "nothing is there");
    }

    #[test]
    fn what_has_no_symbol_has_its_file() {
        assert_eq!(file_name("/usr/lib/libc.so.6"), "[libc.so.6]");
        assert_eq!(file_name("[vdso]"), "[vdso]");
    }
}
