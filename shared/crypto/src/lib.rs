//! vivesphere-crypto
