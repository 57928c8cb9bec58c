//! Finding programs: ours beside the running one, the system's on the path.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// A program of the system and the Debian package that has it.
#[derive(Clone, Copy, Debug)]
pub struct SystemProgram {
    /// File name.
    pub name: &'static str,
    /// What to install.
    pub package: &'static str,
}

/// NGINX, with the RTMP module.
pub const NGINX: SystemProgram = SystemProgram { name: "nginx", package: "nginx libnginx-mod-rtmp" };
/// ffmpeg.
pub const FFMPEG: SystemProgram = SystemProgram { name: "ffmpeg", package: "ffmpeg" };
/// Prometheus.
pub const PROMETHEUS: SystemProgram = SystemProgram { name: "prometheus", package: "prometheus" };
/// Alertmanager, by Debian's name.
pub const ALERTMANAGER: SystemProgram =
    SystemProgram { name: "prometheus-alertmanager", package: "prometheus-alertmanager" };

/// Where Debian keeps daemons, which the path of an ordinary user does not name.
const SBIN: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// The directory of our own programs: that of the running program, or its parent for a test in `target/debug/deps`.
///
/// # Errors
/// The running program does not know where it is.
pub fn own_directory() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("find the running program")?;
    let directory = this.parent().context("the running program has no directory")?;
    let directory = if directory.ends_with("deps") { directory.parent().unwrap_or(directory) } else { directory };
    Ok(directory.to_owned())
}

/// The path of one of our own programs.
///
/// # Errors
/// It is not there: it has to be built first.
pub fn own(name: &str) -> anyhow::Result<PathBuf> {
    let path = own_directory()?.join(name);
    if !path.is_file() {
        bail!("{} is missing: build it first (cargo build --workspace)", path.display());
    }
    Ok(path)
}

/// The path of a program of the system.
///
/// # Errors
/// It is not installed; the message names the package.
pub fn system(program: SystemProgram) -> anyhow::Result<PathBuf> {
    let found = std::env::split_paths(&search_path(None)?)
        .map(|directory| directory.join(program.name))
        .find(|path| path.is_file());
    found.with_context(|| {
        format!("{} is missing: apt-get install {} (make up installs it)", program.name, program.package)
    })
}

/// The path for children: our own programs first, then the caller's path, then where daemons are.
///
/// # Errors
/// A directory has a colon in its name.
pub fn search_path(own: Option<&Path>) -> anyhow::Result<OsString> {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let directories = own
        .map(Path::to_owned)
        .into_iter()
        .chain(std::env::split_paths(&inherited))
        .chain(SBIN.iter().map(PathBuf::from));
    std::env::join_paths(directories).context("compose the PATH of children")
}

/// The checkout that this crate was built from: shipped configuration files are read there.
#[must_use]
pub fn repository() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        let missing = SystemProgram { name: "no-such-program", package: "no-such-package" };
        assert_eq!(
            system(missing).unwrap_err().to_string(),
            "no-such-program is missing: apt-get install no-such-package (make up installs it)"
        );
    }
}
