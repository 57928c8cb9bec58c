//! The disk that the journal is on: a full one stops everything that is not written down. Whether others fill it, and how much is left.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vvtv_toolkit::yaml::Spanned;

use crate::config::Config;
use crate::metrics::Metrics;

/// Between two looks at how much is left.
const EVERY: Duration = Duration::from_secs(10);

/// A directory on the journal's file system.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// Where the configuration names it.
    pub mark: Spanned<()>,
    /// What to tell people.
    pub message: String,
}

/// Every directory that the journal should be apart from and is not. What is not there yet tells nothing.
#[must_use]
pub(crate) fn shared(config: &Config) -> Vec<Shared> {
    let Some(own) = config.database.parent().and_then(device) else { return Vec::new() };
    let directories = config.apart_from.iter().zip(&config.marks.apart_from);
    let shared = directories.filter(|(directory, _)| device(directory) == Some(own));
    let shared = shared.map(|(directory, mark)| Shared {
        mark: mark.clone(),
        message: format!(
            "the journal {} is on the disk of {}: when that is full, nothing is repaired any more",
            config.database.display(),
            directory.display()
        ),
    });
    shared.collect()
}

/// Shows how much the journal's disk has left, until `stop`.
pub(crate) fn watch(journal: &Path, metrics: &Metrics, tasks: &TaskTracker, stop: &CancellationToken) {
    let (directory, metrics, stop) = (directory(journal), metrics.clone(), stop.clone());
    let watching = async move {
        let mut looks = tokio::time::interval(EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let asked = directory.clone();
            // A network's file system may not answer; the one that waits for it is not the server.
            match tokio::task::spawn_blocking(move || rustix::fs::statvfs(&asked)).await {
                Ok(Ok(found)) => {
                    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(found.f_frsize)).unwrap_or(i64::MAX);
                    metrics.keeping.disk_size.set(bytes(found.f_blocks));
                    metrics.keeping.disk_available.set(bytes(found.f_bavail));
                }
                Ok(Err(error)) => {
                    let directory = directory.display();
                    tracing::warn!(%directory, %error, "cannot tell how much the journal's disk has left");
                }
                Err(error) => tracing::warn!(%error, "the look at the journal's disk died"),
            }
        }
    };
    tasks.spawn(async move { stop.run_until_cancelled(watching).await });
}

fn directory(journal: &Path) -> PathBuf {
    match journal.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

fn device(path: &Path) -> Option<u64> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    std::fs::metadata(path).ok().map(|meta| meta.dev())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SecretFiles, load};

    const CONFIG: &str = "
database: sqlite:remediator.db
runbooks: runbooks/
prometheus: http://127.0.0.1:9
alertmanager: http://127.0.0.1:9
contacts: [{level: 1, name: SRE On-Call, respond_within: 5m, notify: [hook]}]
channels: {hook: {webhook: {url: 'http://127.0.0.1:9/'}}}
journal: {apart_from: [media, absent, /proc]}
inventory: [main]
";

    #[test]
    fn a_directory_on_the_journal_s_disk_is_named_and_one_elsewhere_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("remediator.yml");
        std::fs::create_dir(dir.path().join("media")).unwrap();
        std::fs::write(&file, CONFIG).unwrap();
        let shared = shared(&load(&file, SecretFiles::Report).unwrap());
        let said: Vec<_> =
            shared.iter().map(|it| it.message.replace(&dir.path().display().to_string(), "DIR")).collect();
        let expected = "the journal DIR/remediator.db is on the disk of DIR/media: when that is full, nothing is repaired any more";
        assert_eq!(said, [expected]);
    }
}
