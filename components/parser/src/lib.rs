//! Reads what the scraper fetched. Granted nothing, reached by service chaining alone: whatever a
//! document does to its reader, there is nothing here to be had.

pub mod handlers;
mod wire;

/// What the readers take is counted, and what is more than they were given is refused: that ends
/// the instance, as every failed allocation does.
#[cfg(target_family = "wasm")]
#[global_allocator]
static MEMORY: cap::Cap<talc::wasm::WasmDynamicTalc> =
    cap::Cap::new(talc::wasm::new_wasm_dynamic_allocator(), usize::MAX);

/// Reads within so much memory beside what is in use already. Reading never waits, so nothing else
/// happens in this instance meanwhile.
#[cfg(target_family = "wasm")]
fn within(bytes: usize, read: &mut dyn FnMut()) {
    // A limit above what is in use can always be set.
    let _set = MEMORY.set_limit(MEMORY.allocated().saturating_add(bytes));
    read();
    let _set = MEMORY.set_limit(usize::MAX);
}

#[cfg(target_arch = "wasm32")]
#[spin_sdk::http_service]
async fn handle(
    request: spin_sdk::http::Request,
) -> http::Response<http_body_util::Full<bytes::Bytes>> {
    handlers::answer(request, within).await
}
