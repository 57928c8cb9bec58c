//! The golden scrape before the strictest judge there is: the OpenMetrics parser of Prometheus' own Python client, in an environment of
//! its own under the target directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The judge, by its release.
const PARSER: &str = "prometheus_client==0.26.0";

const JUDGE: &str = "import sys\n\
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
    print(len(list(parse(open(sys.argv[1], encoding='utf-8').read()))))\n";

/// Runs to the end; the error tells what was missing.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(said) } else { Err(format!("{command:?}: {said}")) }
}

/// A Python that has the parser.
fn python() -> Result<PathBuf, String> {
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openmetrics-parser");
    let python = environment.join("bin/python");
    let ready = || run(Command::new(&python).args(["-c", "import prometheus_client.openmetrics.parser"]));
    if ready().is_err() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PARSER]))?;
        ready()?;
    }
    Ok(python)
}

#[test]
fn the_golden_scrape_is_openmetrics_to_the_letter() {
    let python = match python() {
        Ok(python) => python,
        Err(missing) => {
            eprintln!("the strict parser cannot be installed, so it was not asked: {missing}");
            return;
        }
    };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/scrape.om");
    let families = std::fs::read_to_string(&golden).unwrap().matches("# TYPE ").count();
    let judged = run(Command::new(&python).args(["-c", JUDGE]).arg(&golden));
    assert_eq!(judged.as_deref().map(str::trim), Ok(families.to_string().as_str()));
    let bad = Path::new(env!("CARGO_TARGET_TMPDIR")).join("not-openmetrics.om");
    std::fs::write(&bad, "# TYPE a counter\na 1\n# EOF\n").unwrap();
    assert!(run(Command::new(&python).args(["-c", JUDGE]).arg(&bad)).is_err(), "it judges nothing");
}
