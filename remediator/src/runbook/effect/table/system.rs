//! The system itself: processes, devices, file systems, users, kernel settings.

use super::super::arguments::Arguments;
use super::super::{Effect, Word};
use super::Does::{CannotSay, Changes, First, Look, OnlyWith, Reads, Unless, UpTo, Verb, Words};
use super::{BUILTINS_THAT_READ, Program, changes, program, reads};

const WRITES: &str = "writes a file";
const SETS: &str = "sets what it shows otherwise";
const SIGNALS: &str = "sends signals to processes";
const STOPS: &str = "stops the machine";
const MOUNTS: &str = "mounts or unmounts file systems";
const DISKS: &str = "alters disks or file systems";

pub(super) const PROGRAMS: &[Program] = &[
    reads(BUILTINS_THAT_READ),
    reads(
        "sleep nproc arch uname uptime w who whoami id groups logname users last lastb lastlog getent cal printenv tty locale",
    ),
    reads(
        "getconf free ps pgrep pidof pmap vmstat top htop iotop mpstat pidstat slabtop nfsstat numastat lsblk findmnt lscpu",
    ),
    reads(
        "lsmem lspci lsusb lsmod lsns lslocks lsirq lsipc lslogins modinfo which whereis man apropos whatis yes vm_stat",
    ),
    reads("fs_usage sw_vers system_profiler systat atopsar getfattr ldd nm objdump readelf size errno"),
    program("iostat", "-w -c -o", Reads),
    program("sar", "-o -f -s -e -i", Unless(&[("-o", Changes(WRITES))])),
    program("atop", "-w -r", Unless(&[("-w", Changes(WRITES))])),
    program("lsof", "-D -p -u -i -c -d -g -s -F -r", Unless(&[("-D", CannotSay("may write its cache"))])),
    program("fuser", "-n -N", Unless(&[("-k --kill -K", Changes(SIGNALS))])),
    program("date", "-d -f -r -s -I --date --file --reference --set", Look(date)),
    program("hostname domainname dnsdomainname", "-F", UpTo(0, SETS, &[("-F --file -b --boot", Changes(SETS))])),
    program(
        "mount",
        "-t -O -o -L -U",
        UpTo(0, MOUNTS, &[("-a --all -B -M -R --bind --move --rbind", Changes(MOUNTS))]),
    ),
    changes("umount swapoff losetup fusermount pivot_root", MOUNTS),
    program("swapon", "", OnlyWith("-s --summary --show", "-v --noheadings --raw --bytes", MOUNTS)),
    program(
        "dmesg",
        "-l -f -n -s -F -t --level --facility --time-format --since --until",
        Unless(&[(
            "-c -C -n -D -E --clear --read-clear --console-level --console-on --console-off",
            Changes("clears or sets the kernel's log"),
        )]),
    ),
    program("sysctl", "-p -f -r --load --pattern", Look(sysctl)),
    program("ulimit", "", Reads),
    program("kill pkill killall killall5 skill snice", "", Words(kill)),
    changes("renice ionice chrt taskset prlimit setpriority", "alters how processes run"),
    changes("reboot shutdown halt poweroff init telinit kexec", STOPS),
    changes(
        "useradd usermod userdel groupadd groupmod groupdel adduser deluser passwd chpasswd chage visudo vipw",
        "alters users",
    ),
    changes("modprobe insmod rmmod depmod", "alters the kernel's modules"),
    changes(
        "mkfs mkfs.ext4 mkfs.xfs mke2fs mkswap wipefs parted resize2fs xfs_growfs blkdiscard fstrim dmsetup cryptsetup",
        DISKS,
    ),
    program("fdisk sfdisk", "-o -t", OnlyWith("-l --list", "-u -x", DISKS)),
    changes("sgdisk gdisk cfdisk", DISKS),
    program("fsck e2fsck fsck.ext4 xfs_repair", "-C -t", OnlyWith("-n -N", "-f -v", DISKS)),
    program("tune2fs", "-c -i -L -m -o -O -r -u -g -U -E", OnlyWith("-l", "", DISKS)),
    reads("dumpe2fs xfs_info lvs vgs pvs lvdisplay vgdisplay pvdisplay lvscan vgscan pvscan"),
    changes(
        "lvcreate lvextend lvremove lvresize lvreduce lvconvert lvchange vgcreate vgextend vgremove vgchange pvcreate pvremove",
        DISKS,
    ),
    program("mdadm", "", OnlyWith("-D -E -Q --detail --examine --query", "-v -b -s --scan --brief --export", DISKS)),
    program("blkid", "-c -s -t -o -L -U -O -S -n -u", Unless(&[("-g --garbage-collect -w", Changes(WRITES))])),
    program(
        "zpool",
        "-o -T -d",
        Verb(&[
            ("status list get iostat history events version", Reads),
            (
                "create destroy add remove attach detach replace offline online scrub trim clear import export upgrade set split",
                Changes(DISKS),
            ),
        ]),
    ),
    program(
        "zfs",
        "-o -t -s -r",
        Verb(&[
            ("list get version holds diff userspace", Reads),
            (
                "create destroy snapshot rollback clone promote rename set inherit mount unmount send receive upgrade",
                Changes(DISKS),
            ),
        ]),
    ),
    program(
        "smartctl",
        "-d -l -n -r -T -b -q -t -s -o -S -g --device --log --nocheck",
        Unless(&[(
            "-t -s -o -S -X -B --test --smart --offlineauto --saveauto --set --abort -F",
            Changes("starts tests or sets the drive"),
        )]),
    ),
    program("hdparm", "", OnlyWith("-i -I -g -C -t -T", "", "sets the drive")),
    program("nvme", "-o -n", Verb(&[("list smart-log error-log id-ctrl id-ns list-subsys fw-log version", Reads)])),
    program("dmidecode", "-s -t -d", Unless(&[("--dump-bin", Changes(WRITES))])),
    program("sensors", "-c", Unless(&[("-s --set", Changes(SETS))])),
    program(
        "nvidia-smi",
        "-i -q -d -f -l -lms --query-gpu --format --id --display --query --loop --filename",
        Unless(&[
            ("-f --filename", Changes(WRITES)),
            (
                "-pm -p -e -c -r -ac -rac -pl -lgc -rgc -am -caa -fdm -gom -mig --persistence-mode --ecc-config --compute-mode",
                Changes(SETS),
            ),
            (
                "--gpu-reset --applications-clocks --power-limit --lock-gpu-clocks --reset-gpu-clocks --multi-instance-gpu",
                Changes(SETS),
            ),
        ]),
    ),
    program("crontab", "-u", OnlyWith("-l", "-u", "alters what runs by the calendar")),
    program("at batch atrm", "-q -f -t", OnlyWith("-l -V", "-q", "alters what runs later")),
    reads("atq"),
    changes("sync", "makes the kernel write what it keeps"),
    program("logrotate", "-s -l -m", OnlyWith("-d --debug", "-v --verbose", "rotates logs")),
    changes("logger wall write mesg", "writes to logs or terminals"),
    changes("tmux screen", "starts or steers sessions"),
    program("ipcs", "", Reads),
    changes("ipcrm ipcmk", "removes or makes shared memory"),
    changes("update-rc.d chkconfig update-alternatives ldconfig", "alters the system's settings"),
    program("getenforce sestatus aa-status", "", Reads),
    changes("setenforce aa-enforce aa-complain setsebool", "alters what programs may do"),
    program(
        "ipmitool",
        "-H -U -P -I -f -L",
        Verb(&[
            ("sensor", Verb(&[("", Reads), ("list get", Reads)])),
            ("sdr", Reads),
            ("sel", Verb(&[("", Reads), ("list info elist", Reads), ("clear", Changes("clears the log"))])),
            ("chassis", Verb(&[("status", Reads), ("power", Verb(&[("status", Reads)]))])),
        ]),
    ),
    program("perf", "", First(&[("--version", Reads)], &Verb(&[("list", Reads)]))),
];

/// Signal 0 only asks whether a process is there. `-10` is one signal, not two options.
fn kill(what: &str, words: &[Word], _: usize) -> Effect {
    let first = words.first().and_then(Word::known).unwrap_or_default();
    let second = words.get(1).and_then(Word::known).unwrap_or_default();
    let asks =
        matches!(first, "-0" | "-l" | "-L" | "--list" | "--table") || (matches!(first, "-s" | "-n") && second == "0");
    let other = words.iter().skip(1).any(|word| word.may_be_option() || word.prefix().starts_with('-'));
    if asks && !other { Effect::Reads } else { Effect::changes(what, SIGNALS) }
}

/// An operand that begins with `+` is a format; any other one is a time to set.
fn date(what: &str, given: &Arguments<'_>) -> Effect {
    if let Some(option) = given.given("-s --set").next() {
        return Effect::changes(format!("{what} {}", option.name), "sets the clock");
    }
    match given.operands.iter().find(|word| !word.prefix().starts_with('+')) {
        Some(word) => Effect::changes(format!("{what} {}", word.text()), "sets the clock"),
        None => Effect::Reads,
    }
}

fn sysctl(what: &str, given: &Arguments<'_>) -> Effect {
    if let Some(option) = given.given("-w --write -p -f --load --system").next() {
        return Effect::changes(format!("{what} {}", option.name), SETS);
    }
    match given.operands.iter().find(|word| word.known().is_none_or(|text| text.contains('='))) {
        Some(word) => Effect::changes(format!("{what} {}", word.text()), SETS),
        None => Effect::Reads,
    }
}
