//! Content for the queue: short films made by ffmpeg, unlike each other, repeated to the wanted length without encoding again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::programs::{FFMPEG, system};

/// What a film looks like.
struct Film {
    name: &'static str,
    video: &'static str,
    /// None = a film without sound.
    audio: Option<&'static str>,
}

/// Length of what is encoded; the rest of a film is its repetition.
const TAKE_SECONDS: u32 = 12;
/// Repetitions after the first take: each film lasts 13 minutes, three of them more than the runbook's "low" 30 minutes.
const REPEATS: u32 = 64;

const FILMS: [Film; 3] = [
    Film {
        name: "wide-25fps-stereo.mp4",
        video: "testsrc2=size=640x360:rate=25",
        audio: Some("aevalsrc=0.1*sin(440*2*PI*t)|0.1*sin(554*2*PI*t):sample_rate=48000"),
    },
    Film { name: "narrow-30fps-silent.mp4", video: "smptehdbars=size=480x360:rate=30", audio: None },
    Film {
        name: "cinema-24fps-mono.mp4",
        video: "rgbtestsrc=size=854x480:rate=24",
        audio: Some("sine=frequency=330:sample_rate=44100"),
    },
];

/// Ten seconds of a still picture, ten of noise, and so on: what constant quality answers with a bitrate that swings.
const SWINGING: Film = Film {
    name: "swinging.mp4",
    video: "smptehdbars=size=320x180:rate=25,noise=alls=60:allf=t:enable='gte(mod(t,20),10)'",
    audio: None,
};

/// Nothing but noise: no picture is harder to encode, so that a preset that is fine otherwise is too slow.
const NOISY: Film =
    Film { name: "noisy.mp4", video: "smptehdbars=size=320x180:rate=25,noise=alls=60:allf=t", audio: None };

/// Makes the film that is hard to encode in `directory`, or finds it there from before. It lasts ten minutes.
///
/// # Errors
/// As [`ensure`].
pub fn noisy(directory: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    make(directory, &NOISY, TAKE_SECONDS, 49)
}

/// Makes the film whose bitrate swings in `directory`, or finds it there from before. It lasts four minutes.
///
/// # Errors
/// As [`ensure`].
pub fn swinging(directory: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    make(directory, &SWINGING, 20, 11)
}

/// Makes the films in `directory`, or finds them there from before. Returns their paths.
///
/// # Errors
/// ffmpeg is missing or fails; the message has what it said.
pub fn ensure(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    FILMS.iter().map(|film| make(directory, film, TAKE_SECONDS, REPEATS)).collect()
}

/// Encodes a take of so many seconds and repeats it.
fn make(directory: &Path, film: &Film, seconds: u32, repeats: u32) -> anyhow::Result<PathBuf> {
    let finished = directory.join(film.name);
    if finished.is_file() {
        return Ok(finished);
    }
    // Labs of other processes may make the same film: each works in a place of its own, and the last rename wins.
    let work = tempfile::tempdir_in(directory).with_context(|| format!("work in {}", directory.display()))?;
    let take = work.path().join("take.mp4");
    let film_file = work.path().join("film.mp4");
    let seconds = seconds.to_string();
    let mut arguments = vec!["-f", "lavfi", "-i", film.video];
    if let Some(audio) = film.audio {
        arguments.extend(["-f", "lavfi", "-i", audio, "-c:a", "aac"]);
    }
    arguments.extend(["-t", &seconds, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]);
    ffmpeg(&arguments, &take)?;
    let source = take.to_string_lossy();
    ffmpeg(&["-stream_loop", &repeats.to_string(), "-i", &source, "-c", "copy"], &film_file)?;
    std::fs::rename(&film_file, &finished).with_context(|| format!("move {} into place", finished.display()))?;
    Ok(finished)
}

fn ffmpeg(arguments: &[&str], output: &Path) -> anyhow::Result<()> {
    let result = Command::new(system(FFMPEG)?)
        .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"])
        .args(arguments)
        .arg(output)
        .stdin(Stdio::null())
        .output()
        .context("start ffmpeg")?;
    if !result.status.success() {
        bail!("ffmpeg cannot make {}: {}", output.display(), String::from_utf8_lossy(&result.stderr).trim());
    }
    Ok(())
}
