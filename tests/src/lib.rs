//! What the scenario tests stand on: stand-ins for the services outside.

pub mod fake_x;
