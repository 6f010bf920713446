//! JSON as it is sent.

use std::io;

use serde::Serialize;

/// Room for a page: growing copies what is there.
const ROOM: usize = 16 << 10;
/// Pieces up to this length are copied by the byte: a copy of memory is a call out of WebAssembly,
/// and most pieces are a quotation mark, a comma, a number.
const SHORT: usize = 16;

struct Buffer(Vec<u8>);

impl io::Write for Buffer {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.write_all(piece)?;
        Ok(piece.len())
    }

    #[inline]
    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        if piece.len() > SHORT {
            self.0.extend_from_slice(piece);
            return Ok(());
        }
        self.0.reserve(piece.len());
        for byte in piece {
            self.0.push(*byte);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A value as JSON.
///
/// # Errors
/// What the value's `Serialize` refuses.
pub(crate) fn write(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut buffer = Buffer(Vec::with_capacity(ROOM));
    serde_json::to_writer(&mut buffer, value)?;
    Ok(buffer.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_serde_json_writes(
            texts in prop::collection::vec(".{0,40}", 0..200),
            number in any::<i64>(),
        ) {
            let value = serde_json::json!({"texts": texts, "number": number, "nothing": null});
            prop_assert_eq!(write(&value).unwrap(), serde_json::to_vec(&value).unwrap());
        }
    }
}
