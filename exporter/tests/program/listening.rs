//! The program under test as a process of its own, for the tests and for the benchmark.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// An exporter that listens; it ends with its owner.
pub(crate) struct Listening {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Listening {
    /// Starts it on a free port, and waits until it listens; `said` takes the lines of its log from then on.
    pub(crate) fn start(command: &mut Command, config: &Path, mut said: impl FnMut(&str) + Send + 'static) -> Self {
        let mut child = command
            .arg(format!("--config.file={}", config.display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended before it listened");
            if let Some((_, address)) = line.trim().split_once("msg=listening address=") {
                break address.to_owned();
            }
        };
        // The rest of the log must not fill the pipe.
        std::thread::spawn(move || {
            line.clear();
            while log.read_line(&mut line).is_ok_and(|read| read > 0) {
                said(&line);
                line.clear();
            }
        });
        Self { child, address }
    }
}
