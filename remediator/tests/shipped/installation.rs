//! The shipped files under another root, as an installation elsewhere derives them.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vvtv_remediator::config::{self, Config, SecretFiles};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The directory, and the configuration in it as it was read.
pub(crate) fn shipped() -> (TempDir, Config) {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    copy(&repository().join("deploy/remediator.yml"), &root.path().join("remediator.yml"), root.path());
    for dir in ["runbooks", "alert-rules"] {
        std::fs::create_dir(root.path().join(dir)).unwrap();
        for entry in std::fs::read_dir(repository().join(dir)).unwrap() {
            let from = entry.unwrap().path();
            if from.is_file() {
                copy(&from, &root.path().join(dir).join(from.file_name().unwrap()), root.path());
            }
        }
    }
    // Where deploy/layout puts it.
    std::fs::create_dir(root.path().join("configs")).unwrap();
    std::fs::rename(root.path().join("alert-rules/alertmanager.yml"), root.path().join("configs/alertmanager.yml"))
        .unwrap();
    std::fs::create_dir_all(root.path().join("secrets/remediator")).unwrap();
    for secret in ["webhook_token", "pagerduty_routing_key"] {
        let file = root.path().join("secrets/remediator").join(secret);
        std::fs::write(&file, "secret\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let config = config::load(&root.path().join("remediator.yml"), SecretFiles::Demand).unwrap();
    (root, config)
}

fn copy(from: &Path, to: &Path, root: &Path) {
    let text = std::fs::read_to_string(from).unwrap();
    let text = text.replace("/vvtv/", &format!("{}/", root.display()));
    std::fs::write(to, text.replace("/var/lib/vvtv-remediator/", &format!("{}/data/", root.display()))).unwrap();
}
