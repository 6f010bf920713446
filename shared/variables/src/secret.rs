//! A value that cannot print.

use zeroize::Zeroize;

/// A value that must not reach a log, an answer or an error message.
///
/// It has no `Debug`, `Display` or `Serialize` on purpose: a struct that holds one cannot
/// derive them either. The memory is overwritten when it is dropped.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Every call is a place to look at in a review.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize + Clone> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells through inherent-over-trait resolution whether a type has `Debug`.
    macro_rules! has_debug {
        ($type:ty) => {{
            struct Probe<T>(std::marker::PhantomData<T>);
            #[allow(dead_code, reason = "used only for types that lack Debug")]
            trait Without {
                fn answer(&self) -> bool {
                    false
                }
            }
            impl<T> Without for Probe<T> {}
            #[allow(dead_code, reason = "used only for types that have Debug")]
            impl<T: std::fmt::Debug> Probe<T> {
                fn answer(&self) -> bool {
                    true
                }
            }
            Probe::<$type>(std::marker::PhantomData).answer()
        }};
    }

    #[test]
    fn a_secret_has_no_debug() {
        assert!(has_debug!(String));
        assert!(!has_debug!(Secret<String>));
    }

    #[test]
    fn expose_gives_the_value_back() {
        assert_eq!(Secret::new("a".to_owned()).clone().expose(), "a");
    }
}
