//! `signatures/schema.json` is the schema of the Rust types. `BLESS=1 cargo test --features schema --test signature_schema` writes it.

#![cfg(feature = "schema")]
#![allow(clippy::expect_used, reason = "helpers of tests fail like tests")]

use std::path::Path;

use portbook::signature::SignatureFile;

#[test]
fn the_schema_file_is_that_of_the_types() {
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(SignatureFile)).expect("a schema is JSON") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("signatures/schema.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &schema).expect("the schema can be written");
    }
    let current = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(current == schema, "signatures/schema.json is not current: BLESS=1 cargo test --features schema --test signature_schema");
}
