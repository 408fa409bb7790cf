//! The JSON Schemas are those of the Rust types. `BLESS=1 cargo test --features schema --test signature_schema` writes them.

#![cfg(feature = "schema")]
#![allow(clippy::expect_used, reason = "helpers of tests fail like tests")]

use std::path::Path;

use portbook::check::ExpectationFile;
use portbook::judge::SiteFile;
use portbook::report::json::ReportDocument;
use portbook::report::record::{FindingRecord, FlowRecord, SummaryRecord};
use portbook::signature::SignatureFile;

#[test]
fn the_schema_file_of_signatures_is_that_of_the_types() {
    is_current("signatures/schema.json", &schemars::schema_for!(SignatureFile));
}

#[test]
fn the_schema_file_of_sites_is_that_of_the_types() {
    is_current("signatures/site.schema.json", &schemars::schema_for!(SiteFile));
}

#[test]
fn the_schema_file_of_expectations_is_that_of_the_types() {
    is_current("signatures/expect.schema.json", &schemars::schema_for!(ExpectationFile));
}

#[test]
fn the_schema_files_of_the_records_are_those_of_the_types() {
    let settings = || schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    is_current("schemas/flow.schema.json", &settings().into_generator().into_root_schema_for::<FlowRecord<'static>>());
    is_current("schemas/finding.schema.json", &settings().into_generator().into_root_schema_for::<FindingRecord<'static>>());
    is_current("schemas/summary.schema.json", &settings().into_generator().into_root_schema_for::<SummaryRecord<'static>>());
    is_current("schemas/report.schema.json", &settings().into_generator().into_root_schema_for::<ReportDocument<'static>>());
}

fn is_current(file: &str, schema: &schemars::Schema) {
    let schema = serde_json::to_string_pretty(schema).expect("a schema is JSON") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &schema).expect("the schema can be written");
    }
    let current = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(current == schema, "{file} is not current: BLESS=1 cargo test --features schema --test signature_schema");
}
