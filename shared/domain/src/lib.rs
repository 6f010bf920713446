//! vivesphere-domain
