//! Reading files that may hang: on a network filesystem whose server is gone, a read returns when it comes back, and nothing can end it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::health::{Failure, ProbeError};

/// Looks that may go on at once; one that hangs gives its place away.
const AT_ONCE: usize = 256;

/// Threads that may hang, and with them the runtime's: those of files that hang are lost until the filesystem comes back, one a path.
pub const THREADS_MAX: usize = 2048;

/// Looks at files on threads of their own. A file that hangs is not looked at again until it comes back, whoever asks for it.
#[derive(Clone, Debug)]
pub struct Files {
    places: Arc<Semaphore>,
    under_way: Arc<Mutex<HashMap<PathBuf, Vec<Instant>>>>,
}

impl Default for Files {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), under_way: Arc::default() }
    }
}

/// A look that goes on.
struct UnderWay {
    files: Files,
    path: PathBuf,
    since: Instant,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut looks = self.files.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = looks.get_mut(&self.path) {
            if let Some(index) = same.iter().position(|since| *since == self.since) {
                same.swap_remove(index);
            }
            if same.is_empty() {
                looks.remove(&self.path);
            }
        }
    }
}

impl Files {
    /// Looks at a file within `limit`; a look that takes longer goes on without anybody who waits for it.
    ///
    /// # Errors
    /// The look failed, took too long, or an earlier one of the same path still goes on.
    pub async fn look<T: Send + 'static>(
        &self,
        path: &Path,
        limit: Duration,
        look: impl FnOnce() -> Result<T, ProbeError> + Send + 'static,
    ) -> Result<T, ProbeError> {
        let hangs = |what: &str| Err(ProbeError::new(Failure::Timeout, format!("{} {what}", path.display())));
        let begun = self.begin(path, limit)?;
        let looked = async {
            let _place = self.places.acquire().await;
            let work = move || {
                let _under_way = begun;
                look()
            };
            tokio::task::spawn_blocking(work).await
        };
        match timeout(limit, looked).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(ProbeError::new(Failure::Io, format!("a look at {} died: {error}", path.display()))),
            Err(_) => hangs(&format!("gave nothing within {limit:?}")),
        }
    }

    fn begin(&self, path: &Path, limit: Duration) -> Result<UnderWay, ProbeError> {
        let since = Instant::now();
        let mut looks = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let same = looks.entry(path.to_owned()).or_default();
        if let Some(hung) = same.iter().map(|begun| since - *begun).find(|lasts| *lasts > limit) {
            let message = format!("{}: a look that began {hung:.1?} ago still hangs", path.display());
            return Err(ProbeError::new(Failure::Timeout, message));
        }
        same.push(since);
        Ok(UnderWay { files: self.clone(), path: path.to_owned(), since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LIMIT: Duration = Duration::from_millis(50);

    fn path() -> &'static Path {
        Path::new("/mnt/gone/main.m3u8")
    }

    async fn hang(files: &Files) -> (ProbeError, mpsc::Sender<()>) {
        let (release, released) = mpsc::channel::<()>();
        let look = move || {
            let _ = released.recv();
            Ok(())
        };
        (files.look(path(), LIMIT, look).await.unwrap_err(), release)
    }

    #[tokio::test]
    async fn what_hangs_is_not_looked_at_again_until_it_ends() {
        let files = Files::default();
        let (error, release) = hang(&files).await;
        assert_eq!(error.to_string(), "/mnt/gone/main.m3u8 gave nothing within 50ms");
        let again = files.look(path(), LIMIT, || -> Result<(), _> { unreachable!("it still hangs") }).await;
        assert_eq!(again.map_err(|error| error.reason), Err(Failure::Timeout));
        assert_eq!(files.look(Path::new("/else"), LIMIT, || Ok(1)).await, Ok(1));
        drop(release);
        let deadline = Instant::now() + Duration::from_secs(10);
        while files.look(path(), LIMIT, || Ok(2)).await != Ok(2) {
            assert!(Instant::now() < deadline, "the look that ended is not forgotten");
        }
        assert!(files.under_way.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn more_that_hang_than_may_go_on_at_once_leave_room_for_others() {
        let files = Files::default();
        let mut releases = Vec::new();
        let mut looks = tokio::task::JoinSet::new();
        for n in 0..2 * AT_ONCE {
            let (release, released) = mpsc::channel::<()>();
            releases.push(release);
            let files = files.clone();
            looks.spawn(async move {
                let path = PathBuf::from(format!("/mnt/gone/{n}"));
                files.look(&path, LIMIT, move || released.recv().map_err(|_| unreachable!("asked by nobody"))).await
            });
        }
        while let Some(looked) = looks.join_next().await {
            assert_eq!(looked.unwrap().map_err(|error| error.reason), Err(Failure::Timeout));
        }
        assert_eq!(files.places.available_permits(), AT_ONCE);
        for release in releases {
            // Those that never began have nobody who listens.
            let _ = release.send(());
        }
    }

    #[tokio::test]
    async fn a_look_that_dies_is_told() {
        let files = Files::default();
        let limit = Duration::from_secs(10);
        let died = files.look(path(), limit, || -> Result<(), _> { panic!("as a defect would") }).await;
        assert_eq!(died.map_err(|error| error.reason), Err(Failure::Io));
        assert_eq!(files.look(path(), limit, || Ok(3)).await, Ok(3));
    }
}
