//! A name that moves to another address while the server at the old one goes on: the real resolver, with a hosts file of its own.

use std::process::Command;

use super::running::{EXPORTER, Running};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Serves a list of one segment, whose name tells who serves it, over connections that are kept.
fn serve(listener: TcpListener, body: &'static str) {
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
                    stream.write_all(answer.as_bytes()).await?;
                }
                std::io::Result::Ok(())
            });
        }
    });
}

#[tokio::test]
async fn a_name_that_moves_is_followed_though_its_old_server_answers() {
    let directory = tempfile::tempdir().unwrap();
    let hosts = directory.path().join("hosts");
    let point = |address: &str| std::fs::write(&hosts, format!("{address} origin.test\n")).unwrap();
    let old = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = old.local_addr().unwrap().port();
    let new = TcpListener::bind(("127.0.0.3", port)).await.unwrap();
    serve(old, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nold.ts\n");
    serve(new, "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2,\nnew.ts\n");
    point("127.0.0.2");
    let mut command = Command::new("unshare");
    let mount = format!("mount --bind '{}' /etc/hosts && exec \"$0\" \"$@\"", hosts.display());
    command.args(["-rm", "sh", "-c", &mount, EXPORTER]);
    let config =
        format!("streams:\n  - {{name: main, playlist: 'http://origin.test:{port}/main.m3u8'}}\ninterval: 200ms\n");
    let running = Running::start_by(command, &config, &[]);
    let target =
        |seconds: u8| format!("vvtv_playlist_target_duration_seconds{{stream=\"main\",variant=\"media\"}} {seconds}");
    let _ = running.wait_for(&target(2)).await;
    point("127.0.0.3");
    let _ = running.wait_for(&target(3)).await;
}
