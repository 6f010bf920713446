//! vivesphere-db
