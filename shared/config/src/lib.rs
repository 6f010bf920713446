//! vivesphere-config
