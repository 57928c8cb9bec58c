//! nginx-rtmp-module (and its forks) as seen through HTTP: the page that says who publishes, and the control that drops a publisher.

mod control;
mod json;
mod names;
mod page;
#[cfg(test)]
mod tests;
mod text;
mod xml;

pub use self::control::{CONTROL_HEADER, DropAddressError, drop_publisher_address, was_dropped};
pub use self::names::{is_same_name, plain_name};
pub use self::page::{Page, PageError, PageReader, STREAMS_MAX, StreamEntry, parse};
