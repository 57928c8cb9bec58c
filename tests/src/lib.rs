//! The lab: the real NGINX-RTMP, ffmpeg, Prometheus and Alertmanager with our three programs, on one machine's loopback.
//!
//! The end-to-end tests and `vvtv-lab up` start the same [`Lab`]. Its configuration files are the shipped ones, with addresses
//! and paths replaced and a test's edits applied, so that what is tested is what is installed.
//!
//! Invariants: every process that the lab started is known by its id and ends with the lab, its children too; nothing is ever
//! stopped by name; every wait has a deadline and says what it last saw.

pub mod ask;
pub mod bench;
pub mod board;
pub mod cli;
pub mod config;
pub mod content;
pub mod family;
pub mod faults;
pub mod lab;
pub mod pager;
pub mod ports;
pub mod programs;
pub mod scene;
pub mod service;
pub mod site;
pub mod up;
pub mod wait;

pub use lab::{Lab, Part, Settings};
pub use ports::Ports;
pub use site::Site;
pub use wait::{Seen, wait_for};
