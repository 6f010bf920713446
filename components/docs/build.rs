//! Takes the spaces out of the API's description: they are half of it.

use std::path::Path;
use std::{env, fs, io};

const DESCRIPTION: &str = "../../docs/openapi.json";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={DESCRIPTION}");
    println!("cargo::rerun-if-changed=build.rs");
    let description: serde_json::Value = serde_json::from_slice(&fs::read(DESCRIPTION)?)?;
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(
        Path::new(&out).join("openapi.json"),
        description.to_string(),
    )
}
