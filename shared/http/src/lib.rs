//! vivesphere-http
