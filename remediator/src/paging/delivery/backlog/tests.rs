use proptest::prelude::*;
use vvtv_incident::{IncidentId, Level, Reason, Timestamp};

use super::*;
use crate::journal::outbox::Subject;

const fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn message(page: u32, kind: MessageKind) -> Message {
    let subject = Subject::Incident { incident: IncidentId::new(1), page };
    Message {
        key: MessageKey { subject, kind, channel: "hook".to_owned() },
        contact: "SRE On-Call".to_owned(),
        level: Level::FIRST,
        reason: Reason::Exhausted,
        due_at: Timestamp::default(),
    }
}

fn page(number: u32) -> Message {
    message(number, MessageKind::Trigger)
}

fn name(key: &MessageKey) -> String {
    format!("{} {}", key.subject, key.kind.as_str())
}

/// What a channel lived through.
#[derive(Debug, Default)]
struct Played {
    asked: Vec<(Duration, String)>,
    taken: Vec<String>,
    moot: Vec<String>,
    fails_at: Vec<Duration>,
    works_at: Vec<Duration>,
}

impl Played {
    fn asked_within(&self, time: Duration) -> usize {
        self.asked.iter().filter(|(at, _)| *at < time).count()
    }
}

/// Lets messages come at their times to a channel that answers like that, each time after as long.
fn play(
    arrivals: &[(Duration, Message)],
    takes: Duration,
    until: Duration,
    mut answer: impl FnMut(Duration, &Message) -> Tried,
) -> Played {
    let start = Instant::now();
    let (mut now, mut backlog, mut played) = (start, Backlog::new(), Played::default());
    let mut arrivals = arrivals.iter().peekable();
    loop {
        let arrives = arrivals.peek().map(|(at, _)| start + *at);
        let Some(next) = arrives.into_iter().chain(backlog.next_at()).min().filter(|at| *at <= start + until) else {
            return played;
        };
        now = now.max(next);
        if arrives.is_some_and(|at| at <= now)
            && let Some((_, message)) = arrivals.next()
        {
            played.moot.extend(backlog.take(message.clone(), now).iter().map(name));
            continue;
        }
        let Some(attempt) = backlog.due(now) else { continue };
        let (begun, asked) = (now, name(&attempt.message.key));
        let tried = answer(begun - start, &attempt.message);
        played.asked.push((begun - start, asked.clone()));
        now += takes;
        if tried == Tried::Taken {
            played.taken.push(asked);
        }
        match backlog.tried(attempt, tried, begun, now) {
            Some(Turn::Fails(since)) => {
                assert!(since <= begun);
                played.fails_at.push(now - start);
            }
            Some(Turn::Works) => played.works_at.push(now - start),
            None => {}
        }
    }
}

fn busy(retry_after: Option<u64>) -> Tried {
    Tried::Busy { retry_after: retry_after.map(seconds) }
}

/// Cannot take anything until then.
fn busy_until(time: Duration, retry_after: Option<u64>) -> impl FnMut(Duration, &Message) -> Tried {
    move |at, _| if at < time { busy(retry_after) } else { Tried::Taken }
}

#[test]
fn a_receiver_that_wants_to_be_left_alone_for_30_seconds_is_asked_once_in_them_whatever_comes() {
    let arrivals: Vec<_> = (1..=8).map(|number| (seconds(u64::from(number)), page(number))).collect();
    let played = play(&arrivals, Duration::from_millis(1), seconds(120), busy_until(seconds(31), Some(30)));
    assert_eq!(played.asked_within(seconds(31)), 1, "{played:?}");
    let expected: Vec<_> = arrivals.iter().map(|(_, message)| name(&message.key)).collect();
    assert_eq!(played.taken, expected);
    assert_eq!((played.fails_at, played.works_at), (vec![], vec![]), "it has said when it takes them, and did");
}

#[test]
fn forty_seconds_without_an_answer_are_one_failure_and_few_questions() {
    let arrivals: Vec<_> = (1..=4).map(|number| (seconds(0), page(number))).collect();
    let played = play(&arrivals, Duration::from_millis(1), seconds(200), busy_until(seconds(40), None));
    assert!((5..=7).contains(&played.asked_within(seconds(40))), "{played:?}");
    assert!(played.asked.iter().take(5).all(|(_, asked)| asked == "incident-1-page-1 trigger"), "{played:?}");
    assert_eq!(played.taken.len(), 4);
    assert_eq!((played.fails_at.len(), played.works_at.len()), (1, 1), "{played:?}");
    let told = played.fails_at[0];
    assert!(told >= seconds(7) && told <= seconds(16), "{played:?}");
}

#[test]
fn a_receiver_that_hangs_fails_by_the_time_that_it_takes() {
    let played = play(&[(seconds(0), page(1))], seconds(5), seconds(60), |_, _| busy(None));
    assert!(played.fails_at[0] <= seconds(12), "{played:?}");
}

#[test]
fn a_hiccup_is_nobody_s_business() {
    let played = play(&[(seconds(0), page(1))], Duration::ZERO, seconds(60), busy_until(seconds(3), None));
    assert_eq!((played.taken.len(), played.fails_at, played.works_at), (1, vec![], vec![]));
}

#[test]
fn after_a_long_outage_what_waits_is_tried_within_a_minute() {
    let outage = seconds(6 * 3600);
    let played = play(&[(seconds(0), page(1))], seconds(5), 2 * outage, busy_until(outage, Some(3600)));
    let (last, _) = played.asked.last().unwrap();
    assert_eq!(played.taken.len(), 1);
    assert!(*last <= outage + seconds(3600) + 2 * REST_MAX, "{played:?}");
    let played = play(&[(seconds(0), page(1))], seconds(5), 2 * outage, busy_until(outage, None));
    let (last, _) = played.asked.last().unwrap();
    assert!(*last <= outage + 2 * REST_MAX, "{last:?}");
}

#[test]
fn a_message_that_is_refused_lets_the_others_past_and_is_tried_now_and_then() {
    let arrivals = [(seconds(0), page(1)), (seconds(1), page(2)), (seconds(2), page(3))];
    let refuses = |_, message: &Message| if message.key == page(1).key { Tried::Refused } else { Tried::Taken };
    let played = play(&arrivals, Duration::ZERO, seconds(3600), refuses);
    assert_eq!(played.taken, ["incident-1-page-2 trigger", "incident-1-page-3 trigger"]);
    assert_eq!((&played.fails_at[..1], &played.works_at[..1]), (&[seconds(0)][..], &[seconds(1)][..]));
    assert!((10..=20).contains(&played.asked.len()), "{played:?}");
}

#[test]
fn a_receiver_that_refuses_everything_fails_at_once_and_is_not_flooded() {
    let arrivals: Vec<_> = (1..=20).map(|number| (seconds(0), page(number))).collect();
    let played = play(&arrivals, Duration::ZERO, seconds(60), |_, _| Tried::Refused);
    assert_eq!((played.fails_at, played.works_at), (vec![seconds(0)], vec![]));
    assert_eq!(played.asked.len(), 20 * 3, "at 0, 15 and 45 s");
}

#[test]
fn a_channel_that_leads_elsewhere_is_tried_at_once() {
    let now = Instant::now();
    let mut backlog = Backlog::new();
    assert_eq!(backlog.take(page(1), now), []);
    let attempt = backlog.due(now).unwrap();
    backlog.tried(attempt, busy(Some(300)), now, now);
    assert!(backlog.due(now + seconds(299)).is_none());
    backlog.try_anew(now);
    assert!(backlog.due(now).is_some());
}

#[test]
fn what_waits_is_made_moot_by_what_says_the_same_or_the_contrary() {
    let of_kind = |kind| (seconds(1), message(1, kind));
    let arrivals = [
        (seconds(0), page(1)),
        of_kind(MessageKind::Update),
        of_kind(MessageKind::Resolve),
        (seconds(2), page(2)),
        (seconds(40), message(2, MessageKind::Update)),
        (seconds(40), message(2, MessageKind::Update)),
    ];
    let played = play(&arrivals, Duration::ZERO, seconds(60), busy_until(seconds(20), None));
    assert_eq!(played.moot, ["incident-1-page-1 update", "incident-1-page-1 trigger"]);
    let expected = ["incident-1-page-1 resolve", "incident-1-page-2 trigger", "incident-1-page-2 update"];
    assert_eq!(played.taken, expected, "one update for two");
}

proptest! {
    /// Whatever a receiver answers for as long as it likes, in the end it has every message, each page's in their order.
    #[test]
    fn no_message_is_lost_and_order_is_kept(
        gaps in proptest::collection::vec(0_u64..60, 1..20),
        answers in proptest::collection::vec(0_u8..4, 0..60),
        takes in 0_u64..6,
    ) {
        let mut at = seconds(0);
        let mut arrivals = Vec::new();
        for (gap, number) in gaps.iter().zip(1..) {
            at += seconds(*gap);
            arrivals.push((at, page(number)));
            if gap % 3 == 0 {
                arrivals.push((at, message(number, MessageKind::Update)));
            }
            if gap % 2 == 0 {
                arrivals.push((at, message(number, MessageKind::Resolve)));
            }
        }
        let mut answers = answers.into_iter();
        let mut refused_any = false;
        let played = play(&arrivals, seconds(takes), seconds(100_000), |_, _| match answers.next() {
            Some(0) => busy(None),
            Some(1) => busy(Some(20)),
            Some(2) => { refused_any = true; Tried::Refused }
            Some(_) | None => Tried::Taken,
        });
        let settled: Vec<_> = played.taken.iter().chain(&played.moot).collect();
        for (_, message) in &arrivals {
            prop_assert_eq!(settled.iter().filter(|it| ***it == name(&message.key)).count(), 1, "{:?}", played);
        }
        let order = |key: &str| arrivals.iter().position(|(_, message)| name(&message.key) == key);
        let of_page = |text: &str| text.rsplit_once(' ').map(|(page, _)| page.to_owned());
        for pair in played.taken.windows(2) {
            let [earlier, later] = pair else { continue };
            if !refused_any || of_page(earlier) == of_page(later) {
                prop_assert!(order(earlier) < order(later), "{:?}", played);
            }
        }
        prop_assert!(played.fails_at.len().abs_diff(played.works_at.len()) <= 1);
    }
}
