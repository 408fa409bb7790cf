//! Writes what was found: one record, one writer a format.
