//! What is wrong by what others say: what is delivered, what stands in Alertmanager, and whose alerts are ours.

pub(crate) mod alertmanager;
pub(crate) mod receivers;
pub(crate) mod reconcile;
pub(crate) mod sns;
pub mod webhook;
