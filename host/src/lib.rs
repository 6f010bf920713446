//! vivesphere
