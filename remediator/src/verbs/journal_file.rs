//! What is done with the journal's file beside a running server: its audit and its backup. Nothing here writes to the journal.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use rusqlite::{Connection, OpenFlags};

use crate::clock::rfc3339;
use crate::config::{self, SecretFiles};
use crate::journal::{Lost, Salvaged, Verified, export_audit, look_for_damage, verify_audit};
use crate::verbs::{BackupArgs, JournalArgs, SalvageArgs, VerifyArgs};

/// Says whether a journal's chain holds.
///
/// # Errors
/// It does not, or cannot be read.
pub(crate) fn verify(args: &VerifyArgs) -> anyhow::Result<()> {
    let path = journal(&args.journal)?;
    let connection = open(&path)?;
    let verified = verify_audit(&connection, args.through.as_deref()).with_context(|| path.display().to_string())?;
    look_for_damage(&connection).with_context(|| path.display().to_string())?;
    println!("{}", said(&path, &verified));
    Ok(())
}

/// Prints every row as a line of JSON.
///
/// # Errors
/// The chain does not hold, or the journal cannot be read.
pub(crate) fn export(args: &JournalArgs) -> anyhow::Result<()> {
    let path = journal(args)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    export_audit(&open(&path)?, &mut out).with_context(|| path.display().to_string())?;
    out.flush().context("cannot write the rows")
}

/// Copies the journal as it is at this moment into a new file, while the server goes on.
///
/// # Errors
/// The file is there already, the journal cannot be read, or the copy is not whole.
pub(crate) fn backup(args: &BackupArgs) -> anyhow::Result<()> {
    let config = config::load(&args.config_file, SecretFiles::Report)?;
    let (from, to) = (&config.database, &args.output);
    ensure!(!to.exists(), "{} is there already", to.display());
    let partial = with_ending(to, ".partial");
    // SQLite copies into an empty file and leaves its mode as it is.
    new_file(&partial)?;
    let copied = copy(from, &partial).and_then(|verified| {
        std::fs::rename(&partial, to).with_context(|| format!("cannot name the copy {}", to.display()))?;
        Ok(verified)
    });
    match copied {
        Ok(verified) => println!("{}", said(to, &verified)),
        Err(error) => {
            drop(std::fs::remove_file(&partial));
            return Err(error.context(format!("cannot back {} up", from.display())));
        }
    }
    Ok(())
}

/// A copy in one read transaction; nothing else waits for it. It must hold before it gets its name.
fn copy(from: &Path, to: &Path) -> anyhow::Result<Verified> {
    let target = to.to_str().context("the file's name is not UTF-8")?;
    open(from)?.execute("VACUUM INTO ?1", [target]).with_context(|| format!("cannot write {target}"))?;
    let copy = open(to)?;
    let sound: String = copy.query_row("PRAGMA quick_check", [], |row| row.get(0)).context("cannot read the copy")?;
    ensure!(sound == "ok", "the copy is damaged: {sound}");
    let verified = verify_audit(&copy, None)?;
    drop(copy);
    std::fs::File::open(to).and_then(|file| file.sync_all()).with_context(|| format!("cannot keep {target}"))?;
    Ok(verified)
}

/// Copies what can be read of a journal into a new one, and says what was lost.
///
/// # Errors
/// The new file is there already or cannot be written, or nothing can be read of the old one.
pub(crate) fn salvage(args: &SalvageArgs) -> anyhow::Result<()> {
    let (from, to) = (journal(&args.journal)?, &args.to);
    ensure!(!to.exists(), "{} is there already", to.display());
    let partial = with_ending(to, ".partial");
    new_file(&partial)?;
    let salvaged = crate::journal::salvage(&from, &partial).context("nothing can be read").and_then(|salvaged| {
        let verified = verify_new(&partial)?;
        std::fs::rename(&partial, to).with_context(|| format!("cannot name the copy {}", to.display()))?;
        Ok((salvaged, verified))
    });
    match salvaged {
        Ok((salvaged, verified)) => println!("{}{}", report(&salvaged), said(to, &verified)),
        Err(error) => {
            for ending in ["", "-wal", "-shm"] {
                drop(std::fs::remove_file(with_ending(&partial, ending)));
            }
            return Err(error.context(format!("cannot salvage {}", from.display())));
        }
    }
    Ok(())
}

/// A salvage is one file: what its log holds goes into it, and the log goes.
fn verify_new(path: &Path) -> anyhow::Result<Verified> {
    let connection = Connection::open(path)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    let verified = verify_audit(&connection, None)?;
    look_for_damage(&connection)?;
    drop(connection);
    std::fs::File::open(path)
        .and_then(|file| file.sync_all())
        .with_context(|| format!("cannot keep {}", path.display()))?;
    Ok(verified)
}

fn report(salvaged: &Salvaged) -> String {
    let copied: Vec<_> = salvaged.copied.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
    let mut text = format!("copied: {}\n", copied.join(", "));
    for Lost { table, row, why } in &salvaged.lost {
        text.push_str(&format!("lost: {table} {row}: {why}\n"));
    }
    if salvaged.lost_total > salvaged.lost.len() {
        text.push_str(&format!("lost: {} more\n", salvaged.lost_total - salvaged.lost.len()));
    }
    text
}

/// For its owner only.
fn new_file(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let made = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path);
    made.map(drop).with_context(|| format!("cannot make {}", path.display()))
}

fn journal(args: &JournalArgs) -> anyhow::Result<PathBuf> {
    match &args.file {
        Some(file) => Ok(file.clone()),
        None => Ok(config::load(&args.config_file, SecretFiles::Report)?.database),
    }
}

fn open(path: &Path) -> anyhow::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .with_context(|| format!("cannot open the journal {}", path.display()))?;
    connection.busy_timeout(crate::journal::BUSY_TIMEOUT)?;
    Ok(connection)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn said(path: &Path, verified: &Verified) -> String {
    let gone = verified.anchor.as_ref();
    let gone = gone.map_or_else(String::new, |anchor| format!(" after row {}, where retention left off", anchor.row));
    let head = &verified.head;
    let mut text =
        format!("{}: {} rows hold{gone}; the head is row {}, {}", path.display(), verified.rows, head.row, head.hash);
    for gap in &verified.gaps {
        text.push_str(&format!("\nnot verified: a salvage lost what was between rows {} and {}", gap.after, gap.row));
    }
    for step in &verified.steps_back {
        let (from, to) = (rfc3339(step.from), rfc3339(step.to));
        text.push_str(&format!(
            "\ntime goes back at row {}, from {from} to {to}: the clock was ahead before",
            step.row
        ));
    }
    text
}
