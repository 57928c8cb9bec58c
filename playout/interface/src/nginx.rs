//! nginx-rtmp's statistics page, asked for one stream: who publishes.

use std::time::Duration;

use anyhow::Context as _;
use vvtv_streaming::nginx_rtmp::{self, Page};

use crate::config::{Config, PublishUrl};
use crate::http;

/// A stat page larger than this is none.
const BODY_MAX: usize = 8 << 20;

/// What the stat page says of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStat {
    /// A publisher is listed. It may be silent.
    pub publishing: bool,
    /// nginx' number for the publisher's connection: it changes when the publisher reconnects.
    pub client_id: Option<u64>,
    /// Bytes received since the publisher came, where the page tells.
    pub bytes_in: Option<u64>,
}

/// What nginx says now of the configured stream.
///
/// # Errors
/// The stat page cannot be fetched or read.
pub async fn stream_stat(client: &reqwest::Client, config: &Config, timeout: Duration) -> anyhow::Result<StreamStat> {
    let body = http::get(client, &config.nginx.stat, timeout, BODY_MAX).await?;
    let page = nginx_rtmp::parse(&body).with_context(|| format!("cannot read {}", config.nginx.stat))?;
    Ok(stat_of(&page, &config.publish))
}

/// Finds one stream in a page; a stream that is not listed has no publisher. Of several `server` blocks the one that has a publisher
/// counts.
fn stat_of(page: &Page, stream: &PublishUrl) -> StreamStat {
    let entry = page.entries_of(&stream.app, &stream.name).max_by_key(|entry| (entry.publishing, entry.bytes_in));
    entry.map_or_else(StreamStat::default, |entry| StreamStat {
        publishing: entry.publishing,
        client_id: entry.client_id,
        bytes_in: entry.bytes_in,
    })
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

    fn stat_in(page: &str, url: &str) -> anyhow::Result<StreamStat> {
        Ok(stat_of(&nginx_rtmp::parse(page.as_bytes())?, &PublishUrl::parse(url).unwrap()))
    }

    fn stat(url: &str) -> StreamStat {
        stat_in(PAGE, url).unwrap()
    }

    #[test]
    fn a_stream_is_found_by_application_and_name() {
        let expected = StreamStat { publishing: true, client_id: Some(2), bytes_in: Some(21_330_681) };
        assert_eq!(stat("rtmp://h/live/main"), expected);
        assert_eq!(stat("rtmp://h/other/main"), StreamStat { publishing: false, client_id: None, bytes_in: Some(5) });
        assert_eq!(stat("rtmp://h/live/absent"), StreamStat::default());
    }

    #[test]
    fn a_publisher_is_found_however_the_page_is_written() {
        let inner = "<bytes_in>7</bytes_in><client><publishing/><id>3</id></client><publishing/>";
        let pages = [
            format!("<rtmp><server><application id='a'><live><stream>{inner}<name>main</name></stream></live><name>live</name></application></server></rtmp>"),
            format!("<rtmp><server><application><name><![CDATA[live]]></name><live><stream><name><![CDATA[main]]></name>{inner}</stream></live></application></server></rtmp>"),
            r#"{"http-flv":{"servers":[{"applications":[{"name":"live","live":{"streams":[{"name":"main","bytes_in":7,"clients":[{"id":3,"publishing":true}],"publishing":true}]}}]}]}}"#.to_owned(),
        ];
        for page in pages {
            let expected = StreamStat { publishing: true, client_id: Some(3), bytes_in: Some(7) };
            assert_eq!(stat_in(&page, "rtmp://h/live/main").unwrap(), expected, "{page}");
        }
    }

    #[test]
    fn a_page_that_tells_no_bytes_does_not_tell_none() {
        let page = PAGE.replace("<bytes_in>21330681</bytes_in>", "");
        let expected = StreamStat { publishing: true, client_id: Some(2), bytes_in: None };
        assert_eq!(stat_in(&page, "rtmp://h/live/main").unwrap(), expected);
    }

    #[test]
    fn another_page_is_refused() {
        assert!(stat_in("<html><body>404</body></html>", "rtmp://h/live/main").is_err());
        assert!(stat_in("", "rtmp://h/live/main").is_err());
    }
}
