//! Version control, packages, programming languages, media.

use super::super::media;
use super::Does::{CannotSay, Changes, First, OnlyWith, Reads, Unless, UpTo, Verb, Words};
use super::{Does, Program, changes, program, reads};

const REPOSITORY: &str = "alters the repository or its files";
const WRITES: &str = "writes a file";
const PACKAGES: &str = "alters what is installed";
const TOLD: &str = "does what a program text says";

pub(super) const PROGRAMS: &[Program] = &[
    program(
        "git",
        "-C -c --git-dir --work-tree --namespace -n -S -G -L --config-env --exec-path",
        First(&[("-c --config-env --exec-path", CannotSay("is told by a setting what to run"))], &Verb(GIT)),
    ),
    program(
        "svn hg",
        "",
        Verb(&[
            ("status log info diff list cat blame annotate", Reads),
            ("update commit checkout revert merge pull push", Changes(REPOSITORY)),
        ]),
    ),
    program("ffprobe", "", Words(media::ffprobe)),
    program("ffmpeg", "", Words(media::ffmpeg)),
    program("mediainfo", "", Unless(&[("--LogFile", Changes(WRITES))])),
    reads("mp4info mkvinfo gst-inspect-1.0 vainfo clinfo vulkaninfo"),
    program(
        "v4l2-ctl",
        "-d --device -c",
        OnlyWith(
            "--all --list-devices --list-formats --list-formats-ext --list-ctrls --get-ctrl -L -l --info -D",
            "-d --device",
            "sets the device",
        ),
    ),
    changes("apt apt-get aptitude", PACKAGES),
    program("apt-cache apt-file", "", Reads),
    program(
        "dpkg",
        "",
        OnlyWith(
            "-l -L -s -S -p --list --listfiles --status --search --get-selections --print-architecture --verify -V",
            "",
            PACKAGES,
        ),
    ),
    program("dpkg-query", "-f -W", Reads),
    program(
        "rpm",
        "",
        OnlyWith(
            "-q -V --query --verify",
            "-a -i -l -f -p -c -d -R --all --info --list --file --last --changelog --scripts",
            PACKAGES,
        ),
    ),
    program(
        "yum dnf microdnf zypper",
        "",
        Verb(&[
            ("list info search repolist check-update provides history repoquery", Reads),
            ("install remove erase update upgrade downgrade reinstall clean autoremove makecache", Changes(PACKAGES)),
        ]),
    ),
    program(
        "snap flatpak",
        "",
        Verb(&[
            ("list info find services changes version", Reads),
            ("install remove refresh start stop restart enable disable", Changes(PACKAGES)),
        ]),
    ),
    program(
        "brew",
        "",
        Verb(&[
            ("list info search outdated deps config doctor", Reads),
            (
                "services",
                Verb(&[
                    ("", Reads),
                    ("list info", Reads),
                    ("start stop restart run", Changes("starts or stops services")),
                ]),
            ),
            ("install uninstall upgrade update cleanup reinstall", Changes(PACKAGES)),
        ]),
    ),
    program(
        "pip pip3",
        "",
        Verb(&[("list show freeze check", Reads), ("install uninstall download", Changes(PACKAGES))]),
    ),
    program(
        "npm yarn pnpm",
        "",
        Verb(&[("ls list outdated view info", Reads), ("install i ci update uninstall publish", Changes(PACKAGES))]),
    ),
    program(
        "python python2 python3 perl ruby node php lua tclsh java go cargo make cmake gdb expect osascript",
        "",
        ONLY_VERSION,
    ),
    program(". source", "", CannotSay("does what a file says")),
    program("alias unalias", "", CannotSay("gives names another meaning")),
    program("bc dc", "", CannotSay(TOLD)),
    program(
        "aws",
        "--profile --region --output --query",
        Verb(&[
            ("sts", Verb(&[("get-caller-identity", Reads)])),
            ("s3", Verb(&[("ls", Reads), ("cp mv rm sync mb rb", Changes("alters what is stored"))])),
        ]),
    ),
    program(
        "gh",
        "-R --repo",
        Verb(&[("status", Reads), ("pr issue run", Verb(&[("list view status diff checks", Reads)]))]),
    ),
];

/// Anything but its version is a program text.
const ONLY_VERSION: Does = First(&[("--version -V", Reads)], &CannotSay(TOLD));

const GIT: &[(&str, Does)] = &[
    (
        "status rev-parse describe ls-files ls-tree blame shortlog rev-list cat-file count-objects version help name-rev",
        Reads,
    ),
    (
        "merge-base for-each-ref show-ref check-ignore check-attr var whatchanged cherry verify-commit verify-tag fsck",
        Reads,
    ),
    (
        "log show diff diff-tree diff-index",
        Unless(&[("--output", Changes(WRITES)), ("--ext-diff --textconv", CannotSay("runs another program"))]),
    ),
    ("grep", Unless(&[("-O --open-files-in-pager", CannotSay("runs another program"))])),
    (
        "branch",
        UpTo(
            0,
            REPOSITORY,
            &[(
                "-d -D -m -M -c -C -f -u --delete --move --copy --edit-description --set-upstream-to --unset-upstream",
                Changes(REPOSITORY),
            )],
        ),
    ),
    ("tag", UpTo(0, REPOSITORY, &[("-d -a -s -f -u --delete --annotate --sign --force", Changes(REPOSITORY))])),
    (
        "remote",
        Verb(&[
            ("", Reads),
            ("show get-url", Reads),
            ("add remove rm rename set-url prune update set-head set-branches", Changes(REPOSITORY)),
        ]),
    ),
    (
        "stash",
        Verb(&[
            ("list show", Reads),
            ("", Changes(REPOSITORY)),
            ("push pop apply drop clear save branch create store", Changes(REPOSITORY)),
        ]),
    ),
    (
        "config",
        OnlyWith(
            "--get --get-all --get-regexp --list -l",
            "--global --local --system --show-origin --show-scope",
            REPOSITORY,
        ),
    ),
    ("reflog", Verb(&[("", Reads), ("show exists", Reads), ("expire delete", Changes(REPOSITORY))])),
    ("worktree", Verb(&[("list", Reads), ("add remove prune move lock unlock repair", Changes(REPOSITORY))])),
    (
        "checkout switch restore reset pull push fetch merge rebase commit add rm mv clean clone init cherry-pick revert apply am gc \
         prune repack submodule bisect notes update-ref filter-branch replace symbolic-ref sparse-checkout maintenance",
        Changes(REPOSITORY),
    ),
];
