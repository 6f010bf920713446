//! Brotli (RFC 7932) with a small encoder: one block type, one prefix code a kind of symbol, and
//! no dictionary.
//!
//! The `brotli` crate's whole encoder adds a megabyte to every component, most of it for
//! qualities that an answer made on the spot never uses. Its prefix codes are used here; what is
//! ours is the search for repetitions and the order of the bits.

use brotli::enc::StandardAlloc;
use brotli::enc::brotli_bit_stream::BrotliBuildAndStoreHuffmanTreeFast;
use brotli::enc::command::{GetCopyLengthCode, GetInsertLengthCode, PrefixEncodeCopyDistance};
use brotli::enc::constants::{kCopyBase, kCopyExtra, kInsBase, kInsExtra};

/// The window is 4 MiB less 16 bytes (WBITS 22).
const WINDOW: usize = (1 << 22) - 16;
/// Most bytes of one meta-block (MLEN), and so of an input.
const LONGEST: usize = 1 << 24;
/// Bits of the table of positions by hash.
const HASH_BITS: u32 = 14;
/// A repetition shorter than this costs more than its letters.
const LEAST_COPY: usize = 5;
/// The last distance is remembered, so saying it again is nearly free.
const LEAST_COPY_AGAIN: usize = 4;
/// Sizes of the three alphabets (RFC 7932, sections 3.3 and 4; no direct distances).
const LITERALS: usize = 256;
const COMMANDS: usize = 704;
const DISTANCES: usize = 64;

/// So many letters as they are, then so many copied from so far back.
struct Command {
    literals: std::ops::Range<usize>,
    copied: usize,
    /// 0 is the last distance again.
    distance: usize,
}

/// The input, compressed; `None` when there is nothing to compress or more than a meta-block
/// can hold.
pub(crate) fn compress(input: &[u8]) -> Option<Vec<u8>> {
    if input.is_empty() || input.len() > LONGEST {
        return None;
    }
    let commands = repetitions(input);
    let mut bits = Bits::default();
    // WBITS 22; ISLAST; not ISLASTEMPTY.
    bits.put(4, 0b1011);
    bits.put(1, 1);
    bits.put(1, 0);
    let nibbles: u32 = if input.len() <= 1 << 16 {
        4
    } else if input.len() <= 1 << 20 {
        5
    } else {
        6
    };
    bits.put(2, u64::from(nibbles) - 4);
    bits.put(nibbles * 4, input.len() as u64 - 1);
    // One block type of each kind, no postfix bits, no direct distances, one context mode, one
    // tree each: thirteen zeros.
    bits.put(13, 0);
    let mut counts = Counts::default();
    for command in &commands {
        counts.add(command, input);
    }
    let literals = Code::new::<LITERALS>(&counts.literals, 8, &mut bits);
    let symbols = Code::new::<COMMANDS>(&counts.commands, 10, &mut bits);
    let distances = Code::new::<DISTANCES>(&counts.distances, 6, &mut bits);
    for command in &commands {
        let coded = command.coded();
        symbols.put(coded.symbol, &mut bits);
        for (count, value) in coded.extra {
            bits.put(count, value);
        }
        for byte in input.get(command.literals.clone())? {
            literals.put(usize::from(*byte), &mut bits);
        }
        if let Some((symbol, count, value)) = coded.distance {
            distances.put(symbol, &mut bits);
            bits.put(count, value);
        }
    }
    Some(bits.finish())
}

fn repetitions(input: &[u8]) -> Vec<Command> {
    let mut table = vec![u32::MAX; 1 << HASH_BITS];
    let mut commands = Vec::new();
    let (mut written, mut at, mut last) = (0, 0, 4);
    while let Some(four) = input.get(at..).and_then(<[u8]>::first_chunk::<4>) {
        let hash =
            (u32::from_le_bytes(*four).wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize;
        let candidate = std::mem::replace(&mut table[hash], at as u32) as usize;
        let again = at
            .checked_sub(last)
            .map_or(0, |from| alike(input, from, at));
        let found = if again >= LEAST_COPY_AGAIN {
            Some((again, 0))
        } else if candidate < at && at - candidate <= WINDOW {
            let length = alike(input, candidate, at);
            (length >= LEAST_COPY).then_some((length, at - candidate))
        } else {
            None
        };
        let Some((copied, distance)) = found else {
            at += 1;
            continue;
        };
        commands.push(Command {
            literals: written..at,
            copied,
            distance,
        });
        if distance != 0 {
            last = distance;
        }
        at += copied;
        written = at;
    }
    if written < input.len() {
        // The letters at the end; the block ends before the copy would begin.
        commands.push(Command {
            literals: written..input.len(),
            copied: 0,
            distance: 0,
        });
    }
    commands
}

/// How many bytes are the same from two places on.
fn alike(input: &[u8], from: usize, at: usize) -> usize {
    let (earlier, later) = (&input[from..], &input[at..]);
    let same = earlier.iter().zip(later).take_while(|(a, b)| a == b);
    same.count()
}

struct Coded {
    symbol: usize,
    extra: [(u32, u64); 2],
    distance: Option<(usize, u32, u64)>,
}

impl Command {
    /// The command's symbol with its extra bits (RFC 7932, section 5) and its distance's
    /// (section 4), where it is not implied.
    fn coded(&self) -> Coded {
        // A copy that never happens is of the shortest length.
        let copied = self.copied.max(2);
        let inserted = GetInsertLengthCode(self.literals.len());
        let copy = GetCopyLengthCode(copied);
        let (insert_index, copy_index) = (usize::from(inserted), usize::from(copy));
        let low = (copy_index & 7) | ((insert_index & 7) << 3);
        let implied = self.copied > 0 && self.distance == 0 && inserted < 8 && copy < 16;
        let symbol = if implied {
            low | if copy < 8 { 0 } else { 64 }
        } else {
            // The cells of the table in section 5, from 128 on.
            const CELLS: [[usize; 3]; 3] = [[128, 192, 384], [256, 320, 512], [448, 576, 640]];
            CELLS[insert_index >> 3][copy_index >> 3] | low
        };
        let rest = |length: usize, base: u32| (length as u64).saturating_sub(u64::from(base));
        let distance = (self.copied > 0 && !implied).then(|| {
            let (mut code, mut extra) = (0, 0);
            if self.distance > 0 {
                PrefixEncodeCopyDistance(self.distance + 15, 0, 0, &mut code, &mut extra);
            }
            (
                usize::from(code & 0x3FF),
                u32::from(code >> 10),
                u64::from(extra),
            )
        });
        Coded {
            symbol,
            extra: [
                (
                    kInsExtra[insert_index],
                    rest(self.literals.len(), kInsBase[insert_index]),
                ),
                (kCopyExtra[copy_index], rest(copied, kCopyBase[copy_index])),
            ],
            distance,
        }
    }
}

struct Counts {
    literals: [u32; LITERALS],
    commands: [u32; COMMANDS],
    distances: [u32; DISTANCES],
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            literals: [0; LITERALS],
            commands: [0; COMMANDS],
            distances: [0; DISTANCES],
        }
    }
}

impl Counts {
    fn add(&mut self, command: &Command, input: &[u8]) {
        let coded = command.coded();
        self.commands[coded.symbol] += 1;
        if let Some((symbol, ..)) = coded.distance {
            self.distances[symbol] += 1;
        }
        for byte in &input[command.literals.clone()] {
            self.literals[usize::from(*byte)] += 1;
        }
    }
}

/// A prefix code.
struct Code {
    depths: Vec<u8>,
    codes: Vec<u16>,
}

impl Code {
    /// The code of an alphabet; its description is written to `bits`.
    fn new<const SIZE: usize>(counts: &[u32; SIZE], symbol_bits: usize, bits: &mut Bits) -> Self {
        let total: u32 = counts.iter().sum();
        let (mut depths, mut codes) = (vec![0; SIZE], vec![0; SIZE]);
        // A description takes less than two bytes a symbol.
        let mut description = [0; COMMANDS * 4];
        let mut length = 0;
        BrotliBuildAndStoreHuffmanTreeFast(
            &mut StandardAlloc::default(),
            counts,
            total as usize,
            symbol_bits,
            &mut depths,
            &mut codes,
            &mut length,
            &mut description,
        );
        let whole = length / 8;
        for byte in &description[..whole] {
            bits.put(8, u64::from(*byte));
        }
        let rest = (length % 8) as u32;
        bits.put(rest, u64::from(description[whole]) & ((1 << rest) - 1));
        Self { depths, codes }
    }

    fn put(&self, symbol: usize, bits: &mut Bits) {
        bits.put(
            u32::from(self.depths[symbol]),
            u64::from(self.codes[symbol]),
        );
    }
}

/// Bits, the least significant first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    waiting: u64,
    count: u32,
}

impl Bits {
    /// Writes `count` bits of `value`, 32 at most.
    fn put(&mut self, count: u32, value: u64) {
        self.waiting |= value << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push((self.waiting & 0xFF) as u8);
            self.waiting >>= 8;
            self.count -= 8;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.bytes.push((self.waiting & 0xFF) as u8);
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    fn decompressed(bytes: &[u8]) -> Vec<u8> {
        let mut output = Vec::new();
        brotli::Decompressor::new(bytes, 4096)
            .read_to_end(&mut output)
            .expect("well-formed brotli");
        output
    }

    fn there_and_back(input: &[u8]) -> usize {
        let compressed = compress(input).expect("something to compress");
        assert!(decompressed(&compressed) == input, "{} bytes", input.len());
        compressed.len()
    }

    #[test]
    fn a_list_of_objects_shrinks_and_comes_back_whole() {
        let objects = (0..200).map(|number| {
            format!(
                "{{\"bot_id\":\"0193{number:08x}\",\"bot_name\":\"bot {number}\",\"handle\":null,\
                 \"status\":\"unconnected\",\"created_at\":\"2026-11-21T08:{:02}:00.000Z\"}}",
                number % 60
            )
        });
        let list = objects.collect::<Vec<_>>().join(",");
        let length = there_and_back(list.as_bytes());
        assert!(length * 6 < list.len(), "{length} of {}", list.len());
    }

    #[test]
    fn every_length_code_and_both_ends_of_the_sizes_come_back_whole() {
        there_and_back(b"a");
        there_and_back(b"abcd");
        there_and_back(&[0; 65_536]);
        there_and_back(&[7; 65_537]);
        there_and_back(&vec![7; (1 << 20) + 1]);
        assert!(compress(b"").is_none());
        assert!(compress(&vec![0; LONGEST + 1]).is_none());
        // Runs of letters and of copies of every length there is a code for.
        let mut state = 1_u32;
        let mut letter = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for length in (0..15).map(|power| (1_usize << power) + 3) {
            let mut input: Vec<u8> = (0..length).map(|_| letter()).collect();
            input.extend_from_within(..);
            input.extend((0..length / 2).map(|_| letter()));
            input.extend_from_within(length / 3..length);
            there_and_back(&input);
        }
    }

    proptest! {
        #[test]
        fn anything_comes_back_whole(
            pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..60), 1..30_usize), 1..40),
        ) {
            let input: Vec<u8> = pieces
                .iter()
                .flat_map(|(piece, times)| piece.repeat(*times))
                .collect();
            there_and_back(&input);
        }

        #[test]
        fn any_text_comes_back_whole(text in "[a-e{}\":, ]{1,3000}") {
            there_and_back(text.as_bytes());
        }
    }
}
