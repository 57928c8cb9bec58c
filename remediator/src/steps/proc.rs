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

/// Every process.
pub(super) fn all() -> impl Iterator<Item = i32> {
    numbers("/proc")
}

/// The children of a process, whichever of its threads started or adopted them (proc(5), `/proc/PID/task/TID/children`).
pub(super) fn children(pid: i32) -> Vec<i32> {
    let of_thread = |thread| std::fs::read_to_string(format!("/proc/{pid}/task/{thread}/children")).unwrap_or_default();
    let lists: Vec<String> = numbers(&format!("/proc/{pid}/task")).map(of_thread).collect();
    lists.iter().flat_map(|list| list.split_ascii_whitespace()).filter_map(|child| child.parse().ok()).collect()
}

fn numbers(directory: &str) -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Whether a process of the group, started at this time or later, lives.
pub(super) fn has_members(group: i32, start_ticks: u64) -> bool {
    all().filter_map(stat).any(|stat| stat.group == group && !stat.dead && stat.start_ticks >= start_ticks)
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
