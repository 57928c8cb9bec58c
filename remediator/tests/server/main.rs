//! The real binary on a free port: what it answers to good and bad deliveries, and what survives kill -9.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod program;
#[cfg(test)]
mod report;
