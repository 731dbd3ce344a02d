//! Generates the sync protocol without `protoc`: protox is a compiler in plain Rust.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=tidegate/sync/v1/sync.proto");
    let descriptors = protox::compile(["tidegate/sync/v1/sync.proto"], ["."])?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
