//! What `/proc` tells of processes. Where there is none, nothing is known.

/// What is read of a process.
pub(super) struct Stat {
    /// It has ended and waits for its parent to notice.
    pub(super) dead: bool,
    pub(super) group: i32,
    /// Clock ticks since boot.
    pub(super) start_ticks: u64,
}

/// `/proc/PID/stat`: the fields after the command's name, which may hold anything, parentheses included (proc(5)).
pub(super) fn stat(pid: i32) -> Option<Stat> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    Some(Stat {
        dead: matches!(*fields.first()?, "Z" | "X"),
        group: fields.get(2)?.parse().ok()?,
        start_ticks: fields.get(19)?.parse().ok()?,
    })
}

/// Whether a process of the group, started at this time or later, lives.
pub(super) fn has_members(group: i32, start_ticks: u64) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(stat)
        .any(|stat| stat.group == group && !stat.dead && stat.start_ticks >= start_ticks)
}

/// The kernel's id of this boot.
pub(super) fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// Whether there is a `/proc` at all.
pub(super) fn is_there() -> bool {
    std::fs::exists("/proc/self/stat").unwrap_or(false)
}
