//! The `vivesphere` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    vivesphere::cli::main()
}
