//! No byte of evidence or of a record can be changed without notice.

use serde_json::json;

use super::scene::{gate, scene};
use crate::command::compare::Recorded;
use crate::command::verify;
use crate::saved;

/// Each byte of a file, changed, is noticed.
#[test]
fn every_changed_byte_of_a_file_is_noticed() {
    let (file, _) = scene(gate(json!({}))).decided().unwrap();
    for at in 0..file.len() {
        for change in [1, 0x20, 0x80] {
            let mut changed = file.clone();
            changed[at] ^= change;
            let read = saved::read_bytes(&changed);
            assert!(read.is_err(), "byte {at}, changed by {change}");
        }
    }
}

/// Each bit of each byte of a record, changed, is noticed.
#[test]
fn every_changed_bit_of_a_record_is_noticed() {
    let (file, _) = scene(gate(json!({}))).decided().unwrap();
    let recorded = Recorded::of(saved::read_bytes(&file).unwrap()).unwrap();
    let expected = verify::expected(&recorded).unwrap();
    let sha256 = &recorded.sha256;
    assert!(verify::check(&expected, sha256, &expected).is_ok());
    for at in 0..expected.len() {
        for bit in 0..8 {
            let mut changed = expected.clone().into_bytes();
            changed[at] ^= 1 << bit;
            // What is not text is not read at all.
            let Ok(changed) = String::from_utf8(changed) else { continue };
            let checked = verify::check(&changed, sha256, &expected);
            assert!(checked.is_err(), "byte {at}, bit {bit}");
        }
    }
}
