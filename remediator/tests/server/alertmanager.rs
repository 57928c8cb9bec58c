//! The real Alertmanager, as Debian has it, on a free port.

use std::process::{Child, Command};

use serde_json::{Value, json};

use crate::program::{block_on, wait_for};

pub(crate) struct Alertmanager {
    child: Child,
    dir: tempfile::TempDir,
    /// Its base address.
    pub(crate) base: String,
}

impl Alertmanager {
    /// It delivers nothing to anybody yet.
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (file, log) = (dir.path().join("alertmanager.yml"), dir.path().join("log"));
        std::fs::write(&file, json!({"route": {"receiver": "none"}, "receivers": [{"name": "none"}]}).to_string())
            .unwrap();
        let mut command = Command::new("prometheus-alertmanager");
        command.arg("--config.file").arg(&file).arg("--storage.path").arg(dir.path().join("data"));
        command.args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]);
        // A file: a pipe that nobody reads would end it.
        command.stderr(std::fs::File::create(&log).unwrap());
        let child = command.spawn().expect("prometheus-alertmanager is installed");
        let address = wait_for("Alertmanager to listen", || {
            let said = std::fs::read_to_string(&log).unwrap();
            let line = said.lines().find(|line| line.contains("Listening on"));
            let address = line.and_then(|line| line.split("address=").nth(1)?.split_whitespace().next());
            address.map(str::to_owned).ok_or(said.clone())
        });
        let it = Self { child, dir, base: format!("http://{address}") };
        wait_for("Alertmanager to be ready", || match it.send(it.client().get(format!("{}/-/ready", it.base))) {
            (200, _) => Ok(()),
            other => Err(format!("{other:?}")),
        });
        it
    }

    /// Puts a configuration in force: receivers that post to these addresses, by name, the first by default, and routes before it.
    pub(crate) fn configure(&self, receivers: &[(&str, String)], routes: &Value, time_intervals: &Value) {
        let named = |(name, url): &(&str, String)| json!({"name": name, "webhook_configs": [{"url": url}]});
        let config = json!({
            "route": {"receiver": receivers[0].0, "group_by": ["stream"], "group_wait": "0s", "group_interval": "1s", "routes": routes},
            "receivers": receivers.iter().map(named).collect::<Vec<_>>(),
            "time_intervals": time_intervals,
        });
        std::fs::write(self.dir.path().join("alertmanager.yml"), config.to_string()).unwrap();
        let (status, said) = self.send(self.client().post(format!("{}/-/reload", self.base)));
        assert_eq!(status, 200, "{said}");
    }

    /// An alert `Demo` about the stream `main` fires from now on, with another label.
    pub(crate) fn fire(&self, env: &str) {
        let starts_at = jiff::Timestamp::now().to_string();
        self.tell(&json!({"labels": labels(env), "startsAt": starts_at, "endsAt": "2126-01-01T00:00:00Z"}));
    }

    /// It is over.
    pub(crate) fn resolve(&self, env: &str) {
        self.tell(&json!({"labels": labels(env), "endsAt": jiff::Timestamp::now().to_string()}));
    }

    fn tell(&self, alert: &Value) {
        let request = self.client().post(format!("{}/api/v2/alerts", self.base));
        let (status, said) = self.send(request.header("content-type", "application/json").body(format!("[{alert}]")));
        assert_eq!(status, 200, "{said}");
    }

    fn client(&self) -> reqwest::Client {
        reqwest::Client::new()
    }

    fn send(&self, request: reqwest::RequestBuilder) -> (u16, String) {
        block_on(async {
            match request.send().await {
                Ok(response) => (response.status().as_u16(), response.text().await.unwrap()),
                Err(error) => (0, error.to_string()),
            }
        })
    }
}

fn labels(env: &str) -> Value {
    json!({"alertname": "Demo", "stream": "main", "env": env})
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
