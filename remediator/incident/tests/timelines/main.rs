//! The core's behaviour as whole timelines on virtual time.

mod clock;
mod diagnoses;
mod in_hand;
mod listed;
#[cfg(test)]
mod pager;
mod people;
mod reach;
mod recovery;
mod returns;
mod safety;
mod scenarios;
mod targets;
mod unreadable;
#[cfg(test)]
mod world;
