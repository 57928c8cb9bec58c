//! The core by itself: what an event costs, and what a tick costs with ten thousand open incidents.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use vvtv_incident::{
    Alert, AlertName, Event, Fingerprint, Fleet, HealthTest, Kind, LabelName, Mode, OnFailure, Policy, Recovery,
    Runbook, RunbookId, Saved, Sender, Severity, Step, StepId, Target, Targets, Timestamp,
};

fn runbook() -> Runbook {
    let kind = Kind::Change {
        locks: Vec::new(),
        settle: Duration::from_secs(20),
        repeatable: true,
        on_failure: OnFailure::Stop,
    };
    Runbook {
        id: RunbookId::new("segment-age"),
        severity: Severity::Critical,
        alerts: vec![AlertName::new("SegmentAgeHigh")],
        target: LabelName::new("stream"),
        causes: Vec::new(),
        healthy: HealthTest::new("up"),
        healthy_for: Duration::from_secs(30),
        respond_within: Duration::from_secs(300),
        escalate: None,
        steps: vec![Step {
            id: StepId::new("restart"),
            kind,
            conditional: false,
            timeout: Duration::from_secs(10),
            attempts: None,
            efficacy_floor: None,
        }],
        recovery: Recovery::default(),
        mode: Mode::Act,
        changes_per_hour: None,
    }
}

fn stream(number: usize) -> String {
    format!("stream-{number}")
}

fn alert(number: usize) -> Event {
    let stream = stream(number);
    Event::AlertFiring(Alert {
        fingerprint: Fingerprint::new(stream.as_str()),
        name: AlertName::new("SegmentAgeHigh"),
        labels: BTreeMap::from([(LabelName::new("stream"), stream.into())]),
        starts_at: Timestamp::default(),
        sender: Sender::default(),
    })
}

fn fleet(incidents: usize) -> Fleet {
    let mut fleet = Fleet::new(Policy::default(), vec![runbook()], Saved::default(), Timestamp::default());
    let known: BTreeSet<_> = (0..incidents).chain([1_000_000]).map(|number| Target::new(stream(number))).collect();
    let targets = Targets { number: known.len(), known, asked_at: None };
    black_box(fleet.step(Timestamp::default(), Event::TargetsKnown(targets)));
    for number in 0..incidents {
        // Spread over a minute, as a storm arrives.
        let now = Timestamp::from_millis(u64::try_from(number * 60_000 / incidents.max(1)).unwrap_or(0));
        black_box(fleet.step(now, alert(number)));
    }
    fleet
}

fn core(criterion: &mut Criterion) {
    criterion.bench_function("a new incident among 1,000", |bencher| {
        bencher.iter_batched_ref(
            || fleet(1_000),
            |fleet| black_box(fleet.step(Timestamp::from_millis(60_000), alert(1_000_000))),
            BatchSize::LargeInput,
        );
    });
    criterion.bench_function("a duplicate among 10,000 incidents", |bencher| {
        let mut fleet = fleet(10_000);
        bencher.iter(|| black_box(fleet.step(Timestamp::from_millis(60_000), alert(5_000))));
    });
    criterion.bench_function("a tick with 10,000 open incidents", |bencher| {
        let mut fleet = fleet(10_000);
        let mut now = Timestamp::from_millis(60_000);
        bencher.iter(|| {
            now = fleet.next_deadline().unwrap_or(now).max(now);
            black_box(fleet.step(now, Event::Tick))
        });
    });
}

criterion_group!(benches, core);
criterion_main!(benches);
