//! A statistics page that lists other publishers each time it is read, as open publishing lets anybody make it.

use std::sync::atomic::{AtomicU64, Ordering};

use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::running::{Running, samples};

/// Of each page: hardly fewer than a page may have.
const NEW: u64 = 19_000;

/// The most memory that the exporter may ever have used.
const MEMORY_KIB_MAX: u64 = 320 << 10;

/// Ever new publishers with long names, after the configured one on the first page only.
fn pages() -> impl Fn(&Request) -> ResponseTemplate {
    let pages = AtomicU64::new(0);
    move |_: &Request| {
        let page = pages.fetch_add(1, Ordering::Relaxed);
        let publisher = |name: String| {
            format!(
                "<stream><name>{name}</name><bytes_in>{page}</bytes_in><client><id>1</id><publishing/></client></stream>"
            )
        };
        let mut streams: String = (0..NEW).map(|n| publisher(format!("{page}-{n}-{}", "x".repeat(200)))).collect();
        if page == 0 {
            streams += &publisher("main".to_owned());
        }
        ResponseTemplate::new(200).set_body_string(format!(
            "<rtmp><pid>1</pid><uptime>{page}</uptime><server><application><name>live</name><live>{streams}</live></application></server></rtmp>"
        ))
    }
}

fn memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ever_new_publishers_are_forgotten_and_counted_and_configured_ones_are_not() {
    let server = MockServer::start().await;
    Mock::given(path("/stat")).respond_with(pages()).mount(&server).await;
    let text = format!(
        "streams:\n  - {{name: main, ingest: 'rtmp://127.0.0.1:1/live/main', nginx_stat: '{}/stat'}}\ninterval: 100ms\n\
         timeout: 20s\nhost: {{broadcast: /, processes: []}}\n",
        server.uri()
    );
    let running = Running::start(&text, &[]);
    let forgotten = |scrape: &str| {
        samples(scrape, "vvtv_stat_publishers_forgotten_total").map(|(_, count)| count).sum::<f64>() >= 5.0 * NEW as f64
    };
    let scrape = running.wait_until("five pages forgotten", forgotten).await;
    let candidates: Vec<_> = samples(&scrape, "vvtv_stat_publisher_candidates").map(|(_, count)| count).collect();
    assert_eq!(candidates, [1.0], "main was listed once, and is configured:\n{scrape}");
    let memory = memory_kib(running.program.child.id());
    assert!(memory < MEMORY_KIB_MAX, "{memory} KiB");
    let (_, seen) = running.get("/debug/stream/main").await;
    assert!(seen.contains("StreamEntry") && !seen.contains("xxxx"), "{seen}");
}
