//! Pages: any bytes are an import or an error, and every runbook of an import is a runbook or a list of errors.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vvtv_remediator::verbs::import::import;
use vvtv_remediator::runbook::platform::Platform;
use vvtv_remediator::runbook::{Site, parse};
use vvtv_remediator::source::Source;

fuzz_target!(|page: &[u8]| {
    let Ok(import) = import("fuzz.md", page) else { return };
    assert!(!import.report().to_string().is_empty());
    let site = Site { platform: Platform::Linux, variables: Default::default() };
    for (name, text) in &import.files {
        if let Err(errors) = parse(Source::from_text(name.into(), text.clone()), &site) {
            assert!(!errors.is_empty());
        }
    }
});
