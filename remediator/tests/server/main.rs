//! The real binary on a free port: what it answers to good and bad deliveries, and what survives kill -9.

#[cfg(test)]
mod access;
#[cfg(test)]
mod bad_input;
// Only builds with debug assertions can be told to die.
#[cfg(test)]
#[cfg(debug_assertions)]
mod crash;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod events;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod maintenance;
#[cfg(test)]
mod program;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod report;
#[cfg(test)]
mod stand_in;
#[cfg(test)]
mod upkeep;
