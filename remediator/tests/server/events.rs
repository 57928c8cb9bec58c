//! What a browser gets of `/events`, byte for byte.

use crate::program::{ADMIN, PATIENCE, Program, block_on, firing};

#[test]
fn a_change_comes_as_an_event_with_data_which_browsers_do_not_drop() {
    let program = Program::start();
    let events = format!("{}/events", program.base);
    let said = block_on(async {
        let mut response = reqwest::Client::new().get(events).bearer_auth(ADMIN).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        // The program is given back: it must live until its event is read.
        let delivered = tokio::task::spawn_blocking(move || (program.deliver(firing("main")).0, program));
        let mut said = String::new();
        let read = async {
            while !said.contains("\n\n") {
                said.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, read).await.unwrap();
        assert_eq!(delivered.await.unwrap().0, 200);
        said
    });
    assert!(said.starts_with("event: changed\ndata: changed\n\n"), "{said:?}");
}
