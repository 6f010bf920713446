//! The `vivesphere` command.

use std::process::ExitCode;

// Instances come and go, and their values cross between threads: the system's allocator spends a
// seventh of the time of a request there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    vivesphere::cli::main()
}
