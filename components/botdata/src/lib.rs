//! botdata
