//! Any bytes as a line over the control socket: what is understood is written and read again as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vvtv_playout_interface::protocol::{Reply, Request};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = serde_json::from_slice::<Request>(bytes) {
        let line = serde_json::to_vec(&request).unwrap();
        assert_eq!(serde_json::from_slice::<Request>(&line).ok(), Some(request));
    }
    if let Ok(reply) = serde_json::from_slice::<Reply>(bytes) {
        let line = serde_json::to_vec(&reply).unwrap();
        assert!(serde_json::from_slice::<Reply>(&line).is_ok());
    }
});
