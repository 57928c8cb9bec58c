//! What the programs that carry a channel say of themselves, read in one place: ffmpeg's progress, an RTMP server's first words, nginx-rtmp's statistics and
//! control, and the playout's queue.
//!
//! Pure, without a runtime: bytes and an open database in, meaning out. Whoever measures (the exporter) and whoever acts (the playout and `vvtvctl`) read
//! the same things through it, so that what an alert says is what a command finds.

pub mod ffmpeg_progress;
pub mod nginx_rtmp;
pub mod queue;
pub mod rtmp;
