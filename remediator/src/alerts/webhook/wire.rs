//! The shapes of bodies as they come. Of an alert everything may be something else than it should: what it is, is kept for the error that
//! refuses it, and the next alert is read.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::google::Incident;
use super::{ALERTS_MAX, LABELS_MAX};

/// An object that says which of the known bodies it is.
#[derive(Deserialize)]
pub(super) struct Body {
    pub(super) version: Option<String>,
    #[serde(default, rename = "truncatedAlerts")]
    pub(super) truncated_alerts: u64,
    #[serde(default, deserialize_with = "present")]
    pub(super) alerts: Option<Alerts>,
    #[serde(default)]
    pub(super) receiver: Text,
    #[serde(default, rename = "groupLabels")]
    pub(super) group_labels: Labels,
    #[serde(default)]
    pub(super) incident: Option<Box<Incident>>,
}

/// A list that is there, and may be null: an empty one in Go.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Alerts>, D::Error> {
    Ok(Some(Option::deserialize(deserializer)?.unwrap_or_default()))
}

/// The first [`ALERTS_MAX`] alerts, and how many follow.
#[derive(Default)]
pub(super) struct Alerts {
    pub(super) first: Vec<Item>,
    pub(super) left_out: u64,
}

impl<'de> Deserialize<'de> for Alerts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Alerts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of alerts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Alerts, A::Error> {
                let mut alerts = Alerts::default();
                while alerts.first.len() < ALERTS_MAX {
                    let Some(alert) = list.next_element()? else { return Ok(alerts) };
                    alerts.first.push(alert);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {
                    alerts.left_out += 1;
                }
                Ok(alerts)
            }
        }

        deserializer.deserialize_seq(List)
    }
}

/// An alert, or what stands in its place.
pub(super) enum Item {
    Alert(Box<WireAlert>),
    Other(&'static str),
}

/// An alert of any sender.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireAlert {
    pub(super) status: Text,
    pub(super) labels: Labels,
    #[serde(rename = "startsAt")]
    pub(super) starts_at: Text,
    #[serde(rename = "endsAt")]
    pub(super) ends_at: Text,
    pub(super) fingerprint: Text,
}

/// A text, or what stands in its place.
#[derive(Default)]
pub(super) enum Text {
    #[default]
    Absent,
    Is(String),
    Other(&'static str),
}

/// Labels, or what stands in their place.
#[derive(Default)]
pub(super) enum Labels {
    #[default]
    Absent,
    /// The first ones of so many, and the first that is no text.
    Are {
        first: BTreeMap<String, String>,
        number: usize,
        wrong: Option<(String, &'static str)>,
    },
    Other(&'static str),
}

/// How a value is read of which one shape is wanted, and any other is only named.
trait Wanted: Sized {
    fn other(kind: &'static str) -> Self;

    fn text(_: String) -> Self {
        Self::other("a text")
    }

    fn object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::other("an object"))
    }
}

struct Any<T>(std::marker::PhantomData<T>);

impl<'de, T: Wanted> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::other("a boolean"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::other("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(T::other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::other("a number"))
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::other("null"))
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(T::other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::object(map)
    }
}

impl Wanted for Text {
    fn other(kind: &'static str) -> Self {
        Self::Other(kind)
    }

    fn text(text: String) -> Self {
        Self::Is(text)
    }
}

impl Wanted for Labels {
    fn other(kind: &'static str) -> Self {
        Self::Other(kind)
    }

    fn object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let (mut first, mut number, mut wrong) = (BTreeMap::new(), 0, None);
        while let Some((name, value)) = map.next_entry::<String, Text>()? {
            number += 1;
            match value {
                Text::Is(_) if number > LABELS_MAX => {}
                Text::Is(value) => drop(first.insert(name, value)),
                Text::Other(kind) => wrong = wrong.or(Some((name, kind))),
                Text::Absent => {}
            }
        }
        Ok(Self::Are { first, number, wrong })
    }
}

impl Wanted for Item {
    fn other(kind: &'static str) -> Self {
        Self::Other(kind)
    }

    fn object<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        WireAlert::deserialize(serde::de::value::MapAccessDeserializer::new(map))
            .map(|alert| Self::Alert(Box::new(alert)))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(std::marker::PhantomData))
    }
}
