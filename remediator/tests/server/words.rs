//! What a page tells of the steps that failed, on the real binary.

use serde_json::{Value, json};

use crate::hostile::Neighbours;
use crate::program::{Program, firing, wait_for};

/// Another change, which fails too.
const MORE: &str = "    settle: 100ms
    on_failure: continue
  - id: mend_more
    title: Mend more
    kind: change
    shell: echo no room in the attic >&2; exit 4
    timeout: 5s
    settle: 100ms
";

#[test]
fn a_page_has_the_last_words_of_every_step_that_failed() {
    let neighbours = Neighbours::start(&json!([])).listing(1);
    let dir = Program::lay_out(&[
        (r#"shell: echo mended >> "$VVTV_TEST_LOG""#, "shell: echo first >&2; echo no room in the cellar >&2; exit 3"),
        ("    settle: 1s\n", MORE),
        ("level: 2, after: 10m", "level: 2, after: 4s"),
        ("http://127.0.0.1:9/", &neighbours.pager()),
        ("http://127.0.0.1:9\n", &format!("{}\n", neighbours.base())),
    ]);
    let program = Program::start_in(dir);
    assert_eq!(program.deliver(firing("main")).0, 200);
    let page = wait_for("the second level's page", || {
        let pages = neighbours.pages();
        let of_second = |page: &&Value| page["level"] == 2 && page["kind"] == "trigger";
        pages.iter().find(of_second).cloned().ok_or_else(|| format!("{pages:?}"))
    });
    let said: Vec<_> =
        page["tried"].as_array().unwrap().iter().map(|it| (&it["step"], &it["state"], &it["said"])).collect();
    let (look, mend, more) = (json!("look"), json!("mend"), json!("mend_more"));
    let (cellar, attic) = (json!("first | no room in the cellar"), json!("no room in the attic"));
    let (ok, failed) = (json!("ok"), json!("failed"));
    assert_eq!(said, [(&look, &ok, &Value::Null), (&mend, &failed, &cellar), (&more, &failed, &attic)], "{page}");
    // The first level was called when the first of them failed, and reads of the second on the same page.
    let first: Vec<_> = neighbours.pages().into_iter().filter(|page| page["level"] == 1).collect();
    let told: Vec<_> =
        first.iter().map(|it| (&it["kind"], &it["key"], it["tried"].as_array().unwrap().len())).collect();
    let (trigger, update) = (json!("trigger"), json!("update"));
    let key = json!(program.page_key("incident-1-page-1"));
    assert_eq!(told, [(&trigger, &key, 2), (&update, &key, 3)], "{first:?}");
    assert_eq!(first[1]["tried"][2]["said"], attic);
}
