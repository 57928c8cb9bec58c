//! The real binary on a free port: what it answers to good and bad deliveries, and what survives kill -9.

#[cfg(test)]
mod access;
#[cfg(test)]
mod alertmanager;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod clock;
// Only builds with debug assertions can be told to die.
#[cfg(test)]
#[cfg(debug_assertions)]
mod crash;
#[cfg(test)]
mod diagnoses;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod events;
#[cfg(test)]
mod flood;
#[cfg(test)]
#[path = "../../../toolkit/tests/support/flood.rs"]
mod holding;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod listed;
#[cfg(test)]
mod maintenance;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod names;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod pagerduty;
#[cfg(test)]
mod program;
#[cfg(test)]
#[path = "../support/alertmanager.rs"]
mod real;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod report;
#[cfg(test)]
mod returns;
#[cfg(test)]
mod rot;
#[cfg(test)]
mod senders;
#[cfg(test)]
mod shifted;
#[cfg(test)]
mod silence;
#[cfg(test)]
mod stand_in;
#[cfg(test)]
mod standing;
#[cfg(test)]
mod targets;
#[cfg(test)]
mod unanswered;
#[cfg(test)]
mod upkeep;
#[cfg(test)]
mod upstreams;
#[cfg(test)]
mod words;
