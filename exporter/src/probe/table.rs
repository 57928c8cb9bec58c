//! What follows from the table of sources: everything that has a place for each of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use vvtv_toolkit::render::{Exposition, Labels};

use super::each_source;
use super::pool::Pool;
use super::source::{Chapter, Env, Keyed, Series, Source, View};
use crate::clock::Now;
use crate::config::Stream;
use crate::health::Health;
use crate::reach::Named;

macro_rules! places {
    ($($(#[$doc:meta])* $name:ident: $Kind:ty $(= $key:ident)?,)*) => {
        /// What a stream's configuration says under the keys that sources have for themselves.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Configured {
            $($(#[doc = concat!("What stands under `", stringify!($key), "`.")] pub $key: Option<<$Kind as Keyed>::Config>,)?)*
        }

        /// Where the views of one stream's sources are published; none where it has no such source.
        #[derive(Clone, Debug, Default)]
        pub struct Receivers {
            $($(#[$doc])* pub $name: Option<View<<$Kind as Source>::View>>,)*
        }

        impl Receivers {
            /// The latest view of each source.
            #[must_use]
            pub fn latest(&self) -> Views {
                Views { $($name: self.$name.as_ref().map(|view| Arc::clone(&view.borrow())),)* }
            }

            /// Waits until every source that is asked was asked once, not beyond `deadline`.
            pub(crate) async fn asked(&self, deadline: Instant) {
                $(if <$Kind as Source>::IS_ASKED {
                    asked(self.$name.clone(), deadline).await;
                })*
            }
        }

        /// The views of one stream's sources at one moment.
        #[derive(Clone, Debug, Default)]
        pub struct Views {
            $($(#[$doc])* pub $name: Option<Arc<<$Kind as Source>::View>>,)*
        }

        impl Views {
            /// The health of each source that the stream has, with its place in [`labels`].
            pub(crate) fn healths(&self) -> impl Iterator<Item = (usize, &Health)> {
                let each = [$(self.$name.as_deref().map(<$Kind as Source>::health),)*];
                each.into_iter().enumerate().filter_map(|(place, health)| Some((place, health?)))
            }
        }

        /// The `source` label of every kind.
        pub(crate) const fn labels() -> &'static [&'static str] {
            &[$(<$Kind as Source>::LABEL,)*]
        }

        /// Under which names a stream's raw observations are filed.
        pub(crate) fn record_names(stream: &Stream) -> Vec<String> {
            let mut names = vec![stream.name.clone()];
            $(names.extend(<$Kind as Source>::record_names(stream));)*
            names
        }

        /// What is to be probed.
        #[derive(Debug, Default)]
        pub(crate) struct Wanted {
            $(pub(crate) $name: BTreeSet<<$Kind as Source>::Spec>,)*
        }

        impl Wanted {
            /// Adds what a stream needs.
            pub(crate) fn add(&mut self, stream: &Stream, reach: &Arc<Named>) {
                $(self.$name.extend(<$Kind as Source>::configure(stream, reach));)*
            }
        }

        /// The running probes of streams.
        #[derive(Debug, Default)]
        pub(crate) struct Pools {
            $(pub(crate) $name: Pool<<$Kind as Source>::Spec, <$Kind as Source>::View>,)*
        }

        impl Pools {
            /// Ends what is not wanted.
            pub(crate) async fn retain(&mut self, wanted: &Wanted) {
                $(self.$name.retain(&wanted.$name).await;)*
            }

            /// Starts what a stream needs, as far as it does not run.
            pub(crate) fn watch(&mut self, stream: &Stream, reach: &Arc<Named>, env: &Env) -> Receivers {
                Receivers {
                    $($name: {
                        let spec = <$Kind as Source>::configure(stream, reach);
                        spec.map(|spec| self.$name.watch::<$Kind>(spec, env))
                    },)*
                }
            }
        }

        /// The families of sources.
        #[derive(Default)]
        pub(crate) struct Tables {
            $($name: <$Kind as Source>::Series,)*
        }

        impl Tables {
            /// Adds a stream.
            pub(crate) fn push(&mut self, now: Now, stream: &Stream, labels: &Labels, views: &Views) {
                $(if let Some(view) = &views.$name {
                    self.$name.push(now, stream, labels, view);
                })*
            }

            /// Writes the families of one chapter.
            pub(crate) fn write(&self, chapter: Chapter, out: &mut Exposition) {
                $(if <$Kind as Source>::CHAPTER == chapter {
                    Series::<<$Kind as Source>::View>::write(&self.$name, out);
                })*
            }
        }
    };
}

each_source!(places);

/// Waits for a view's first change; one that has changed already is not waited for.
pub(crate) async fn asked<V>(view: Option<View<V>>, deadline: Instant) {
    let Some(mut view) = view else { return };
    // Too late is an answer too.
    let _: Result<_, _> = timeout_at(deadline, view.changed()).await;
}
