//! vivesphere-tests
