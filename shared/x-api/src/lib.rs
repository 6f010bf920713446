//! vivesphere-x-api
