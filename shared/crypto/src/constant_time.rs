//! Comparison whose duration tells nothing about the content.

use subtle::ConstantTimeEq;

/// Whether `left` and `right` are the same bytes. The time taken depends on the lengths alone,
/// which are not secret.
#[must_use]
pub fn eq(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_plain_equality(left: Vec<u8>, right: Vec<u8>) {
            prop_assert_eq!(super::eq(&left, &right), left == right);
            prop_assert!(super::eq(&left, &left));
        }
    }
}
