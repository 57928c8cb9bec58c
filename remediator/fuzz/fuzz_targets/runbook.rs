//! The runbook language: any text is a runbook or a list of errors; a runbook's arguments keep their number whatever the data.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vvtv_remediator::conditions::facts::Facts;
use vvtv_remediator::runbook::platform::Platform;
use vvtv_remediator::runbook::{Command, Site, Variable, VariableText, parse};
use vvtv_remediator::source::Source;

fuzz_target!(|text: &str| {
    let argv = VariableText::Argv(vec!["systemctl".to_owned(), "restart".to_owned()]);
    let variables = Variable::new(argv).map(|it| ("restart_nginx".to_owned(), it)).into_iter().collect();
    let site = Site { platform: Platform::Linux, variables };
    let source = Source::from_text("fuzz.yml".into(), text.to_owned());
    match parse(source, &site) {
        Ok(book) => {
            let facts = Facts { target: "$(reboot); --force '\"\n".to_owned(), ..Facts::default() };
            for step in book.steps.values() {
                if let (Command::Run(arguments), Ok(argv)) = (&step.command, step.argv(&facts, &site)) {
                    assert_eq!(arguments.len(), argv.len());
                }
            }
        }
        Err(errors) => assert!(!errors.is_empty() && errors.iter().all(|error| !error.to_string().is_empty())),
    }
});
