//! nginx-rtmp as seen through HTTP: who publishes, and the control that drops a publisher.

use std::time::Duration;

use anyhow::{Context as _, bail};
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::config::{Config, PublishUrl};

/// A stat page larger than this is none.
const BODY_MAX: usize = 8 << 20;

/// What the stat page says of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamStat {
    /// A publisher is listed. It may be silent.
    pub(crate) publishing: bool,
    /// nginx' number for the publisher's connection: it changes when the publisher reconnects.
    pub(crate) client_id: Option<u64>,
    /// Bytes received since the publisher came.
    pub(crate) bytes_in: u64,
}

/// An HTTP client for loopback services.
///
/// # Errors
/// The TLS library cannot be set up.
pub(crate) fn http_client() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().build().context("cannot set up HTTP")
}

/// Fetches a page of at most `limit` bytes within `timeout`.
///
/// # Errors
/// The server does not answer in time or not with success, or the page is too large.
pub(crate) async fn get(
    client: &reqwest::Client,
    url: &url::Url,
    timeout: Duration,
    limit: usize,
) -> anyhow::Result<Vec<u8>> {
    answer(client.get(url.clone()), url, timeout, limit).await
}

/// The same of a request that has more than an address.
///
/// # Errors
/// As [`get`].
pub(crate) async fn answer(
    request: reqwest::RequestBuilder,
    url: &url::Url,
    timeout: Duration,
    limit: usize,
) -> anyhow::Result<Vec<u8>> {
    let fetch = async {
        let mut response = request.send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > limit {
                bail!("the answer is larger than {limit} bytes");
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    match tokio::time::timeout(timeout, fetch).await {
        Ok(result) => result.map_err(|error| error.context(format!("cannot fetch {url}"))),
        Err(_) => bail!("cannot fetch {url}: no answer within {timeout:?}"),
    }
}

/// What nginx says now of the configured stream.
///
/// # Errors
/// The stat page cannot be fetched or read.
pub(crate) async fn stream_stat(
    client: &reqwest::Client,
    config: &Config,
    timeout: Duration,
) -> anyhow::Result<StreamStat> {
    let body = get(client, &config.nginx.stat, timeout, BODY_MAX).await?;
    parse_stat(&String::from_utf8_lossy(&body), &config.publish)
        .with_context(|| format!("{} is no stat page", config.nginx.stat))
}

/// What the shipped nginx demands of whoever changes something, because a page in a browser cannot send it.
const CONTROL_HEADER: (&str, &str) = ("x-vvtv-control", "drop");

/// Drops the stream's publisher; true when there was one.
///
/// # Errors
/// The control cannot be reached.
pub(crate) async fn drop_publisher(
    client: &reqwest::Client,
    config: &Config,
    timeout: Duration,
) -> anyhow::Result<bool> {
    let mut url = config.nginx.control.clone();
    url.path_segments_mut()
        .map_err(|()| anyhow::anyhow!("{} cannot have a path", config.nginx.control))?
        .pop_if_empty()
        .extend(["drop", "publisher"]);
    url.query_pairs_mut().append_pair("app", &config.publish.app).append_pair("name", &config.publish.name);
    let (name, value) = CONTROL_HEADER;
    let body = answer(client.post(url.clone()).header(name, value), &url, timeout, 1024).await?;
    Ok(body.trim_ascii() != b"0")
}

/// Finds one stream in a stat page; a stream that is not listed has no publisher.
fn parse_stat(xml: &str, stream: &PublishUrl) -> anyhow::Result<StreamStat> {
    let mut reader = Reader::from_str(xml);
    let mut path: Vec<String> = Vec::new();
    let (mut app, mut found) = (String::new(), StreamStat::default());
    let (mut name, mut current, mut client) = (String::new(), StreamStat::default(), None);
    let mut seen_root = false;
    loop {
        match reader.read_event()? {
            Event::Start(tag) => {
                path.push(tag.name().as_ref().to_owned());
                seen_root |= path == ["rtmp"];
                if path.last().is_some_and(|tag| tag == "stream") {
                    (name, current, client) = (String::new(), StreamStat::default(), None);
                }
            }
            Event::Empty(tag) if tag.name().as_ref() == "publishing" => match path.last().map(String::as_str) {
                Some("stream") => current.publishing = true,
                Some("client") => current.client_id = client,
                Some(_) | None => {}
            },
            Event::Text(text) => {
                let text = text.trim().to_owned();
                let tail: Vec<&str> = path.iter().rev().take(2).map(String::as_str).collect();
                match *tail.as_slice() {
                    ["name", "application"] => app = text,
                    ["name", "stream"] => name = text,
                    ["bytes_in", "stream"] => current.bytes_in = text.parse().unwrap_or(0),
                    ["id", "client"] => client = text.parse().ok(),
                    _ => {}
                }
            }
            Event::End(_) => {
                let closed = path.pop();
                if closed.is_some_and(|tag| tag == "stream") && app == stream.app && name == stream.name {
                    found = current;
                }
            }
            Event::Eof => break,
            Event::Empty(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => {}
        }
    }
    if !seen_root {
        bail!("no <rtmp> element");
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<?xml version="1.0" encoding="utf-8" ?>
<rtmp><bytes_in>21434424</bytes_in><server><application><name>other</name><live>
<stream><name>main</name><bytes_in>5</bytes_in></stream></live></application>
<application><name>live</name><live><stream><name>main</name><time>189709</time><bw_in>988120</bw_in>
<bytes_in>21330681</bytes_in><bytes_out>0</bytes_out>
<client><id>9</id><address>127.0.0.1</address></client>
<client><id>2</id><address>127.0.0.1</address><timestamp>189660</timestamp><publishing/><active/></client>
<meta><video><width>640</width></video></meta><nclients>1</nclients><publishing/><active/></stream>
<stream><name>spare</name><bytes_in>7</bytes_in></stream></live></application></server></rtmp>"#;

    fn stat(url: &str) -> StreamStat {
        parse_stat(PAGE, &PublishUrl::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn a_stream_is_found_by_application_and_name() {
        let expected = StreamStat { publishing: true, client_id: Some(2), bytes_in: 21_330_681 };
        assert_eq!(stat("rtmp://h/live/main"), expected);
        assert_eq!(stat("rtmp://h/other/main"), StreamStat { publishing: false, client_id: None, bytes_in: 5 });
        assert_eq!(stat("rtmp://h/live/absent"), StreamStat::default());
    }

    #[test]
    fn another_page_is_refused() {
        let url = PublishUrl::parse("rtmp://h/live/main").unwrap();
        assert!(parse_stat("<html><body>404</body></html>", &url).is_err());
        assert!(parse_stat("", &url).is_err());
    }
}
