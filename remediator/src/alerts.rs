//! What is wrong by what others say: what is delivered, what stands in Alertmanager, and whose alerts are ours.

pub mod alertmanager;
pub mod receivers;
pub mod reconcile;
pub mod sns;
pub mod webhook;
