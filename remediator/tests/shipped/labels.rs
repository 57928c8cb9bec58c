//! What the shipped runbooks would ask about a target that means harm, had it ever been let so far.

use rstest::rstest;
use vvtv_incident::StepId;
use vvtv_remediator::conditions::facts::Facts;
use vvtv_remediator::runbook::load_dir;

use crate::installation::shipped;

/// The last argument of the steps that ask NGINX, each after what stands before the target.
fn asked(target: &str) -> Result<Vec<String>, String> {
    let (_root, config) = shipped();
    let books = load_dir(&config.runbooks, &config.site).unwrap();
    let facts = Facts { target: target.to_owned(), ..Facts::default() };
    let steps = [("ingest-down", "probe_playlist"), ("ingest-down", "probe_rtmp"), ("encoder-drops", "probe_stream")];
    let one = |(book, step): (&str, &str)| {
        let book = books.iter().find(|it| it.plan.id.as_str() == book).unwrap();
        let argv = book.step(&StepId::new(step)).unwrap().argv(&facts, &config.site)?;
        Ok(argv.last().unwrap().clone())
    };
    steps.into_iter().map(one).collect()
}

#[rstest]
#[case("main", "main")]
#[case("%2e%2e%2fcontrol?app=live&name=main&x=", "%252e%252e%252fcontrol%3Fapp%3Dlive%26name%3Dmain%26x%3D")]
#[case("{1..3}x[1-5]", "%7B1..3%7Dx%5B1-5%5D")]
#[case("main#", "main%23")]
#[case("-o@evil.example:80", "-o%40evil.example%3A80")]
fn a_target_stays_one_segment(#[case] target: &str, #[case] segment: &str) {
    let expected = [
        format!("http://127.0.0.1:8080/hls/{segment}.m3u8"),
        format!("rtmp://127.0.0.1:1935/live/{segment}"),
        format!("rtmp://127.0.0.1:1935/live/{segment}"),
    ];
    assert_eq!(asked(target), Ok(expected.to_vec()));
}

#[rstest]
#[case("%2e%2e/control/drop/publisher?app=live&name=main&x=", "the value has a slash in it")]
#[case("..", "`.` and `..` are no names")]
#[case("main\n", "the value has a control character in it")]
fn what_cannot_be_one_is_refused(#[case] target: &str, #[case] why: &str) {
    let argument = "http://127.0.0.1:8080/hls/{{ target | segment }}.m3u8";
    assert_eq!(asked(target), Err(format!("argument `{argument}`: invalid operation: segment: {why}")));
}
