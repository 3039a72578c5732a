//! Varints as they are written, and the lengths that follow from them. How they are read is in the cursor.

/// The most bytes that a varint of 64 bits has.
pub(crate) const MAX_LEN: usize = 10;

/// How many bytes `value` takes.
#[inline]
pub(crate) const fn len(value: u64) -> usize {
    // Seven bits a byte: ceil(bits / 7), where zero has one bit.
    ((64 - (value | 1).leading_zeros()) as usize).div_ceil(7)
}

/// The length of a field with a one-byte key and `content` bytes of content.
#[inline]
pub(crate) const fn field_len(content: usize) -> usize {
    1 + len(content as u64) + content
}

/// Writes `value` to the start of `into`, and says how long it is.
#[inline]
pub(crate) fn put(into: &mut [u8; MAX_LEN], mut value: u64) -> usize {
    let mut len = 0;
    for byte in into {
        len += 1;
        if value < 0x80 {
            *byte = value as u8;
            break;
        }
        *byte = value as u8 | 0x80;
        value >>= 7;
    }
    len
}

/// Appends `value`.
#[inline]
pub(crate) fn push(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::{MAX_LEN, field_len, len, push, put};
    use crate::cursor::Cursor;

    /// Guards that the three agree with one another and with the reader, at every length and around it.
    #[test]
    fn lengths_and_both_writers_agree_with_the_reader() {
        let edges = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]).chain([u64::MAX]);
        for value in edges {
            let (mut fixed, mut pushed) = ([0; MAX_LEN], Vec::new());
            let written = put(&mut fixed, value);
            push(&mut pushed, value);
            assert_eq!((written, &fixed[..written]), (len(value), &pushed[..]));
            let mut cursor = Cursor::new(&pushed);
            assert_eq!(cursor.varint().expect("a varint"), value);
            assert!(cursor.is_empty());
        }
        assert_eq!([field_len(0), field_len(127), field_len(128)], [2, 129, 131]);
    }
}
