//! The names of fields in JSON.

/// Longest name that comparing copes with. The longest there is, `droppedAttributesCount`, has 22 bytes.
const CAPACITY: usize = 24;

/// A field's name in lowerCamelCase, made from the one in the `.proto` file while the crate is compiled.
#[derive(Copy, Clone, Debug)]
pub(crate) struct CamelCase {
    /// As a key: `"name":`.
    key: [u8; CAPACITY + 3],
    words: Words,
}

impl CamelCase {
    /// A name that does not fit is an error of the compiler.
    pub(crate) const fn new(snake_case: &str) -> CamelCase {
        let name = snake_case.as_bytes();
        let mut key = [b'"'; CAPACITY + 3];
        let (mut at, mut end, mut upper) = (0, 1, false);
        while at < name.len() {
            if name[at] == b'_' {
                upper = true;
            } else {
                key[end] = if upper { name[at].to_ascii_uppercase() } else { name[at] };
                end += 1;
                upper = false;
            }
            at += 1;
        }
        key[end + 1] = b':';
        let words = Words::new(key.split_at(end).0.split_at(1).1);
        CamelCase { key, words }
    }

    /// The name as the key of an object, with what surrounds it: `"name":`.
    #[inline]
    pub(crate) fn as_key(&self) -> &[u8] {
        &self.key[..self.words.len + 3]
    }

    /// Whether the name is the one that these words are of.
    #[inline]
    pub(crate) fn is(&self, words: &Words) -> bool {
        self.words.len == words.len && self.words.low == words.low && self.words.high == words.high
    }
}

/// A name in a few registers, where comparing it costs no call. Those of different names differ, up to the longest
/// name there is; longer ones differ by their length.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Words {
    len: usize,
    /// The start of the name.
    low: u128,
    /// Its end, which may overlap with the start.
    high: u64,
}

impl Words {
    #[inline]
    pub(crate) const fn new(name: &[u8]) -> Words {
        let (low, high) = if let (Some(low), Some(high)) = (name.first_chunk(), name.last_chunk()) {
            (u128::from_le_bytes(*low), u64::from_le_bytes(*high))
        } else if let (Some(low), Some(high)) = (name.first_chunk(), name.last_chunk()) {
            (u64::from_le_bytes(*low) as u128, u64::from_le_bytes(*high))
        } else if let (Some(low), Some(high)) = (name.first_chunk(), name.last_chunk()) {
            (u32::from_le_bytes(*low) as u128, u32::from_le_bytes(*high) as u64)
        } else {
            let mut low = 0;
            let mut at = 0;
            while at < name.len() {
                low = low << 8 | name[at] as u128;
                at += 1;
            }
            (low, 0)
        };
        Words { len: name.len(), low, high }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the words: two names of any length that differ in one byte are different, and equal ones are equal.
    #[test]
    fn every_byte_counts() {
        for len in 0..=CAPACITY {
            let same = "a".repeat(len);
            let name = CamelCase::new(&same);
            assert!(name.is(&Words::new(same.as_bytes())));
            assert!(!name.is(&Words::new("a".repeat(len + 1).as_bytes())));
            for at in 0..len {
                let mut other = same.clone().into_bytes();
                other[at] = b'b';
                assert!(!name.is(&Words::new(&other)), "{at} of {len}");
            }
        }
    }

    /// Guards the case: a letter after an underscore is a capital one.
    #[test]
    fn underscores_become_capitals() {
        assert_eq!(CamelCase::new("start_time_unix_nano").as_key(), b"\"startTimeUnixNano\":");
        assert_eq!(CamelCase::new("key").as_key(), b"\"key\":");
    }
}
