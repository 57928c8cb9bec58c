//! A world of packagers, origins, sessions and faults in virtual time, and a model of what has to be known of it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const SEGMENT: u64 = 2;
const LISTED: u64 = 6;

/// What a document's server does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Answers {
    #[default]
    Well,
    Refuses,
    WithAPage,
    WithAHeaderOnly,
    Hangs,
}

/// One packager: what it has made, and under which numbers.
#[derive(Clone, Debug)]
struct Packager {
    made: u64,
    /// The number of the first segment of this run, how many of all were made before it, and its discontinuities.
    run: (u64, u64, u64),
    frozen: bool,
}

impl Packager {
    fn list(&self, token: u64) -> String {
        let (number, before, discontinuities) = self.run;
        let first = before.max(self.made.saturating_sub(LISTED));
        let listed = first..self.made;
        let sequence = number + (first - before);
        let segments: String =
            listed.map(|n| format!("#EXTINF:2,\n/s{token}/{}.ts?t={token}\n", number + n - before)).collect();
        format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{sequence}\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}\n{segments}"
        )
    }
}

#[derive(Clone, Debug)]
enum Event {
    Frozen(usize, bool),
    /// From a number that was never used, or one further on with a discontinuity.
    BeginsAnew(usize, bool),
    List(usize, Answers),
    Master(Answers),
    Session,
    Token,
    /// The exporter is started anew and remembers.
    Exporter,
}

fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let answers = prop_oneof![
        3 => Just(Answers::Well),
        1 => Just(Answers::Refuses),
        1 => Just(Answers::WithAPage),
        1 => Just(Answers::WithAHeaderOnly),
        1 => Just(Answers::Hangs),
    ];
    let event = prop_oneof![
        (0_usize..2, any::<bool>()).prop_map(|(which, frozen)| Event::Frozen(which, frozen)),
        (0_usize..2, any::<bool>()).prop_map(|(which, counted)| Event::BeginsAnew(which, counted)),
        (0_usize..2, answers.clone()).prop_map(|(which, answers)| Event::List(which, answers)),
        answers.prop_map(Event::Master),
        Just(Event::Session),
        Just(Event::Token),
        Just(Event::Exporter),
    ];
    proptest::collection::vec((0_u64..40, event), 0..30)
}

struct World {
    packagers: [Packager; 2],
    lists: [Answers; 2],
    master: Answers,
    session: u64,
    token: u64,
    runs: u64,
}

impl World {
    fn new() -> Self {
        let packager = |number| Packager { made: 10, run: (number, 0, 0), frozen: false };
        Self {
            packagers: [packager(1000), packager(1000)],
            lists: [Answers::Well; 2],
            master: Answers::Well,
            session: 0,
            token: 0,
            runs: 1,
        }
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::Frozen(which, frozen) => self.packagers[*which].frozen = *frozen,
            Event::BeginsAnew(which, counted) => {
                self.runs += 1;
                let packager = &mut self.packagers[*which];
                let (number, before, discontinuities) = packager.run;
                let next = if *counted { number + packager.made - before } else { self.runs * 10_000 };
                packager.run = (next, packager.made, discontinuities + u64::from(*counted));
                // It lists its first segment at once.
                packager.made += 1;
            }
            Event::List(which, answers) => self.lists[*which] = *answers,
            Event::Master(answers) => self.master = *answers,
            Event::Session => self.session += 1,
            Event::Token => self.token += 1,
            Event::Exporter => {}
        }
    }

    fn passes(&mut self, second: u64) {
        for packager in self.packagers.iter_mut().filter(|packager| !packager.frozen && second.is_multiple_of(SEGMENT))
        {
            packager.made += 1;
        }
    }

    fn answer(&self, answers: Answers, well: impl Fn() -> String) -> Option<Result<String, ProbeError>> {
        match answers {
            Answers::Well => Some(Ok(well())),
            Answers::Refuses => Some(Err(refused())),
            Answers::WithAPage => Some(Ok("<html>offline</html>".to_owned())),
            Answers::WithAHeaderOnly => Some(Ok("#EXTM3U\n#EXT-X-VERSION:3\n".to_owned())),
            Answers::Hangs => None,
        }
    }

    /// None: nothing comes, ever.
    fn get(&self, location: &Location) -> Option<Result<String, ProbeError>> {
        let Location::Http(url) = location else { unreachable!("a file") };
        match url.path().rsplit('/').next() {
            Some("master.m3u8") => self.answer(self.master, || {
                let entry = |bits, name| format!("#EXT-X-STREAM-INF:BANDWIDTH={bits}\n{}/{name}.m3u8\n", self.session);
                format!("#EXTM3U\n{}{}", entry(2, "hi"), entry(1, "lo"))
            }),
            Some("hi.m3u8") => self.answer(self.lists[0], || self.packagers[0].list(self.token)),
            Some("lo.m3u8") => self.answer(self.lists[1], || self.packagers[1].list(self.token)),
            other => unreachable!("{other:?}"),
        }
    }
}

/// What has to be known of each variant: when something new was last there to be seen.
struct Model {
    seen: [BTreeSet<u64>; 2],
    advanced: [u64; 2],
}

impl Model {
    fn looks(&mut self, second: u64, which: usize, made: u64) {
        if self.seen[which].insert(made) {
            self.advanced[which] = second;
        }
    }
}

fn is_of(location: &Location, name: &str) -> bool {
    matches!(location, Location::Http(url) if url.path().ends_with(name))
}

/// Of each variant, its age, unless nobody has looked at it yet.
fn ages(view: &PlaylistView, now: Now) -> BTreeMap<String, Option<f64>> {
    let age = |variant: &VariantView| {
        let looked = variant.http_status.is_some() || variant.failure.is_some();
        looked.then(|| variant.freshness.age(now).as_secs_f64())
    };
    view.variants.iter().map(|variant| (variant.name.to_string(), age(variant))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2000, ..ProptestConfig::default() })]

    /// Over faults, restarts, sessions and tokens, each variant's age is that of the model within one poll, and no series goes.
    #[test]
    fn an_age_is_that_of_the_model_and_no_series_goes(events in events()) {
        let mut world = World::new();
        let mut driven = Driven::start(Playlists::new(spec(), at(0), Arc::default()));
        let mut model = Model { seen: [BTreeSet::new(), BTreeSet::new()], advanced: [0, 0] };
        let mut second = 0;
        let mut known = BTreeSet::new();
        for (pause, event) in events.iter().chain([&(20, Event::Token)]) {
            for _ in 0..*pause {
                second += 1;
                world.passes(second);
                driven.poll(second, |location| {
                    let answer = world.get(location)?;
                    let which = ["hi.m3u8", "lo.m3u8"].iter().position(|name| is_of(location, name));
                    if let Some(which) = which.filter(|which| world.lists[*which] == Answers::Well) {
                        model.looks(second, which, world.packagers[which].made);
                    }
                    Some(answer)
                });
                let ages = ages(&driven.playlists.view(), at(second));
                prop_assert!(!ages.is_empty());
                if driven.playlists.own.is != Is::Unknown {
                    let names: BTreeSet<_> = ages.keys().cloned().collect();
                    if known.is_empty() {
                        known = names.clone();
                    }
                    prop_assert_eq!(&names, &known, "a series went at {}", second);
                    for (which, name) in ["hi.m3u8", "lo.m3u8"].iter().enumerate() {
                        let age = ages.iter().find(|(known, _)| known.ends_with(name)).map(|(_, age)| *age);
                        let expected = (second - model.advanced[which]) as f64;
                        let near = age.is_some_and(|age| age.is_none_or(|age| (age - expected).abs() <= 1.0));
                        prop_assert!(near, "{name} is {age:?} at {second}, {expected} is right");
                    }
                }
            }
            world.happens(event);
            if matches!(event, Event::Exporter) && driven.playlists.own.is != Is::Unknown {
                let remembered: Remembered = driven.playlists.view().advances("main", at(second)).collect();
                driven = Driven::start(Playlists::new(spec(), at(second), Arc::new(remembered)));
                known.clear();
                for (advanced, _) in model.advanced.iter_mut().zip(&model.seen).filter(|(_, seen)| seen.is_empty()) {
                    *advanced = second;
                }
            }
        }
    }
}
