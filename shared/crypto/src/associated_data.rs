//! The canonical encoding of several byte strings as one.

/// Joins `parts` so that no two different lists give the same bytes: the number of parts, then
/// each part after its length, all numbers as eight bytes, big-endian.
///
/// Plain concatenation would let `["ab", "c"]` stand in for `["a", "bc"]`; everything that is
/// authenticated here (associated data, derived keys) goes through this function instead.
#[must_use]
pub fn associated_data(parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| 8 + part.len()).sum::<usize>() + 8;
    let mut joined = Vec::with_capacity(length);
    joined.extend_from_slice(&(parts.len() as u64).to_be_bytes());
    for part in parts {
        joined.extend_from_slice(&(part.len() as u64).to_be_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::associated_data;

    fn encode(parts: &[Vec<u8>]) -> Vec<u8> {
        associated_data(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    #[test]
    fn moving_a_boundary_changes_the_bytes() {
        assert_ne!(
            associated_data(&[b"ab", b"c"]),
            associated_data(&[b"a", b"bc"])
        );
        assert_ne!(associated_data(&[]), associated_data(&[b""]));
    }

    proptest! {
        #[test]
        fn is_injective(
            left in prop::collection::vec(prop::collection::vec(0u8..3, 0..4), 0..4),
            right in prop::collection::vec(prop::collection::vec(0u8..3, 0..4), 0..4),
        ) {
            prop_assert_eq!(encode(&left) == encode(&right), left == right);
        }
    }
}
