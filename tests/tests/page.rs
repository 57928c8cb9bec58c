//! Every command of the runbook's page, as it is written there or in the form that ends by itself, on the real components.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use vvtv_tests::config::Edit;
use vvtv_tests::{Part, Seen, Settings, Site, wait_for};

const PAGE: &str = include_str!("../../remediator/tests/fixtures/streaming_runbook.md");

/// What one command may take; the slowest restart the encoder or look at the stream.
const WITHIN: Duration = Duration::from_secs(40);

/// Lines of the page that have no end, need a terminal or another machine, and what stands for them. `None`: nothing here does.
const INSTEAD: [(&str, Option<&str>); 17] = [
    ("top -p $(pgrep ffmpeg)", Some("top -b -n 1 -p $(pgrep -d, ffmpeg)")),
    ("htop -p $(pgrep ffmpeg)", Some("top -b -n 1 -p $(pgrep -d, ffmpeg)")),
    (r#"top -p $(pgrep -d, -f "ffmpeg|nginx")"#, Some("vvtvctl ops bundle --output /vvtv/bundle.tar.gz")),
    ("iostat -x 1 5", Some("iostat -x 1 1")),
    ("iostat -x 1 10", Some("iostat -x 1 2")),
    ("systemctl status nginx-rtmp", Some("ps -o pid,ppid,stat,etime,comm -C nginx")),
    ("systemctl restart nginx-rtmp", Some("/vvtv/bin/restart-nginx /vvtv/configs/nginx/rtmp.conf")),
    ("launchctl list | grep nginx", None),
    ("sudo launchctl unload /Library/LaunchDaemons/nginx-rtmp.plist", None),
    ("sudo launchctl load /Library/LaunchDaemons/nginx-rtmp.plist", None),
    ("ping -c 10 8.8.8.8", Some("ping -c 1 127.0.0.1")),
    ("iftop -i $(route | grep default | awk '{print $8}')", Some("ip -s link")),
    ("iftop -t -s 60", Some("cat /proc/net/dev")),
    ("watch -n 2 'vvtvctl streaming metrics --live'", Some("vvtvctl streaming metrics --live")),
    ("tail -100 /vvtv/logs/streaming.log | grep ERROR", Some("vvtvctl streaming logs --errors --lines 100")),
    ("tail -100 /var/log/nginx/rtmp_access.log", Some("vvtvctl streaming logs --rtmp --lines 100")),
    (r#"journalctl -u nginx-rtmp -f --since "10 minutes ago""#, None),
];

/// The lines of the page's shell blocks, comments left out.
fn page() -> Vec<String> {
    let blocks = PAGE.split("```bash\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines).map(|line| line.split(" #").next().unwrap().trim());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

fn run(site: &Site, line: &str) -> (i32, String) {
    let line = line
        .replace("/tmp/", "/vvtv/")
        .replace("/vvtv/", &format!("{}/", site.root.display()))
        .replace("localhost:8080", &format!("127.0.0.1:{}", site.ports.http))
        .replace("rtmp://localhost/", &format!("rtmp://127.0.0.1:{}/", site.ports.rtmp));
    let mut command = site.command(Path::new("timeout")).unwrap();
    let output = command.args([&WITHIN.as_secs().to_string(), "sh", "-c", &line]).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap_or(-1), text)
}

#[test]
fn what_is_done_instead_is_on_the_page() {
    let page: BTreeSet<String> = page().into_iter().collect();
    let absent = INSTEAD.iter().filter(|(line, _)| !page.contains(*line)).collect::<Vec<_>>();
    assert!(absent.is_empty(), "{absent:?}");
}

#[tokio::test]
async fn every_command_of_the_page_does_what_it_says() -> anyhow::Result<()> {
    let parts = [Part::Nginx, Part::Playout, Part::Exporter];
    // A small picture: the presets are the page's, and the machine may be any.
    let small = Edit::set("configs/playout.yml", "/video", json!({"width": 320, "height": 180, "fps": 25}));
    let lab = Settings::default().parts(&parts).edit(small).start().await?;
    let site = lab.site();
    let (mut failed, mut ran) = (Vec::new(), 0);
    for line in page() {
        let line = match INSTEAD.iter().find(|(written, _)| *written == line) {
            Some((_, None)) => continue,
            Some((_, Some(instead))) => (*instead).to_owned(),
            None => line,
        };
        ran += 1;
        if line == "vvtvctl streaming health" {
            // The page's own restarts cost frames, which count for a minute: health says so.
            wait_for(&line, Duration::from_secs(120), || async {
                let (code, said) = run(site, &line);
                if code == 0 { Seen::Yes(()) } else { Seen::NotYet(said) }
            })
            .await?;
            continue;
        }
        let (code, said) = run(site, &line);
        if code != 0 {
            failed.push(format!("{line}: exit {code}\n{said}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(ran, 40, "commands of the page");

    let flags: Vec<_> = site.vvtvctl(&["flags", "list", "--format", "json"])?["flags"]
        .as_array()
        .unwrap_or_else(|| panic!("no flags"))
        .iter()
        .map(|flag| (flag["key"].clone(), flag["value"].clone()))
        .collect();
    let expected = [
        ("encoder.bitrate", "4500"),
        ("encoder.buffer_size", "4000k"),
        ("encoder.crf", "23"),
        ("encoder.preset", "fast"),
        ("encoder.rate_control", "cbr"),
    ];
    assert_eq!(flags, expected.map(|(key, value)| (json!(key), json!(value))));
    let status = site.vvtvctl(&["streaming", "status", "--format", "json"])?;
    let encoder =
        json!({"preset": "fast", "crf": 23, "rate_control": "cbr", "bitrate_kbps": 4500, "buffer_size_kbps": 4000});
    assert_eq!((&status["state"], &status["encoder"]), (&json!("running"), &encoder), "{status:#}");
    let queue = site.vvtvctl(&["queue", "show", "--format", "json"])?;
    let plans = queue["items"].as_array().into_iter().flatten().map(|item| item["plan_id"].clone());
    assert_eq!(plans.filter(|plan| *plan == "emergency: segment_age_high").count(), 5, "{queue:#}");
    assert!(site.root.join("streaming_debug.tar.gz").exists());
    Ok(())
}
