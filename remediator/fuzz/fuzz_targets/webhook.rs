//! Alertmanager's message: any bytes are a delivery within the limits or an error that can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vvtv_remediator::alerts::webhook::{ALERTS_MAX, parse};

fuzz_target!(|body: &[u8]| match parse(body, Default::default()) {
    Ok(delivery) => assert!(delivery.alerts.len() <= ALERTS_MAX),
    Err(error) => assert!(error.to_string().len() < 1_000),
});
