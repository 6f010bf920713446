//! Scenarios, one module a capability: they start what they need, speak HTTP, and look at what a
//! user sees.

mod fake_x;
mod fake_x_faults;
mod fake_x_oauth;
mod x_api;
