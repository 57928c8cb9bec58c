//! A new installation, step by step as the README has it.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use vvtv_tests::ask::Ask;
use vvtv_tests::programs;
use vvtv_tests::service::Service;
use vvtv_tests::{Ports, Seen, Site, wait_for};

/// Lays an installation out below `root`, as the README says, with a secret from a file where one is named.
fn layout(root: &Path, secret: Option<(&str, &Path)>) -> Output {
    let repository = programs::repository();
    let mut command = Command::new(repository.join("deploy/layout"));
    command.arg(repository).env("VVTV_ROOT", root);
    if let Some((name, file)) = secret {
        command.arg(name).stdin(File::open(file).unwrap());
    }
    command.output().unwrap()
}

/// Every secret with its mode and its text.
fn secrets(root: &Path) -> Vec<(String, u32, String)> {
    let mut found = Vec::new();
    for service in ["alertmanager", "prometheus", "remediator", "vvtvctl"] {
        for entry in std::fs::read_dir(root.join("secrets").join(service)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{service}/{}", entry.file_name().to_string_lossy());
            let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
            found.push((name, mode, std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_new_installation_is_told_what_it_needs_and_starts_in_shadow_without_it() -> anyhow::Result<()> {
    let root = tempfile::tempdir()?;
    let (key, file) =
        (root.path().join("secrets/remediator/pagerduty_routing_key"), root.path().join("configs/remediator.yml"));
    let said = layout(root.path(), None);
    assert!(said.status.success(), "{said:?}");
    let told = String::from_utf8(said.stderr)?;
    assert!(told.contains(&format!("belongs into {}", key.display())), "{told}");

    // The test's own port; nothing else of what was laid out is changed.
    let ports = Ports::free()?;
    let shipped = std::fs::read_to_string(&file)?;
    std::fs::write(&file, shipped.replace("127.0.0.1:10048", &format!("127.0.0.1:{}", ports.remediator)))?;
    let programs = programs::own_directory()?;
    let site = Site { owner: 0, root: root.path().to_owned(), programs, ports };
    let remediator = || site.command(&programs::own("vvtv-remediator")?);
    let refused = remediator()?.arg("serve").arg("--config.file").arg(&file).output()?;
    let error = String::from_utf8(refused.stderr)?;
    let expected = format!("the secret in {} is empty: PagerDuty's routing key belongs there", key.display());
    assert!(!refused.status.success() && error.contains(&expected), "{error}");

    let text = std::fs::read_to_string(&file)?;
    std::fs::write(&file, text.replace("mode: act", "mode: shadow"))?;
    let mut command = remediator()?;
    command.arg("serve").arg("--config.file").arg(&file);
    let mut service = Service::start("vvtv-remediator", command, root.path())?;
    let ask = Ask::new(&site)?;
    wait_for("the remediator without a key", Duration::from_secs(20), || async {
        Seen::from_result(ask.text(ports.remediator, "/-/healthy").await)
    })
    .await?;
    service.check_running()?;
    service.stop()?;

    let given = root.path().join("key");
    std::fs::write(&given, "0123456789abcdef0123456789abcdef\n")?;
    assert!(layout(root.path(), Some(("pagerduty_routing_key", &given))).status.success());
    std::fs::write(&file, text)?;
    let checked = remediator()?.arg("check").arg("--config.file").arg(&file).output()?;
    let report = format!("{}{}", String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success(), "{report}");
    let before = secrets(root.path());
    let again = layout(root.path(), None);
    assert!(again.status.success() && again.stderr.is_empty(), "{again:?}");
    let after = secrets(root.path());
    assert_eq!(before, after, "what is there already is left as it is");
    let secret = |name: &str| std::fs::read_to_string(root.path().join("secrets/remediator").join(name));
    let (token, viewer) = (secret("webhook_token")?, secret("viewer_token")?);
    let expected = [
        ("alertmanager/pagerduty_routing_key", "0123456789abcdef0123456789abcdef\n"),
        ("alertmanager/webhook_token", token.as_str()),
        ("prometheus/viewer_token", viewer.as_str()),
        ("remediator/pagerduty_routing_key", "0123456789abcdef0123456789abcdef\n"),
        ("remediator/viewer_token", viewer.as_str()),
        ("remediator/webhook_token", token.as_str()),
        ("vvtvctl/viewer_token", viewer.as_str()),
    ];
    assert_eq!(after, expected.map(|(name, text)| (name.to_owned(), 0o640, text.to_owned())));
    assert_eq!((token.len(), viewer.len(), token == viewer), (64, 64, false));
    Ok(())
}
