//! What templates write of others' text: no markup, and nothing that hides or turns the order of letters around.

use std::fmt::{self, Write};

use askama::filters::{Escaper, Html};
use vvtv_toolkit::text::visible_lines;

/// The escaper of every `.html` template (askama.toml).
#[derive(Clone, Copy)]
pub(crate) struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, dest: W, string: &str) -> fmt::Result {
        Html.write_escaped_str(dest, &visible_lines(string))
    }
}
