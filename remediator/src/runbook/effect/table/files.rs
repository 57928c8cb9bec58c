//! Files and text: coreutils, findutils, diffutils, tar and what packs.

use super::super::arguments::Arguments;
use super::super::{Effect, awk, find, sed};
use super::Does::{Changes, Look, OnlyWith, Unless, UpTo, Words};
use super::{Program, changes, program, reads};

const WRITES: &str = "writes a file";
const PACKS: &str = "puts another file in the place of its file";

pub(super) const PROGRAMS: &[Program] = &[
    reads(
        "cat head tail wc ls dir vdir stat file du df readlink realpath basename dirname cut tr paste join comm fold fmt nl od",
    ),
    reads(
        "hexdump strings md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum diff cmp rev tac seq expand",
    ),
    reads(
        "grep egrep fgrep zgrep zcat xzcat bzcat zstdcat gzcat tsort column jq numfmt getfacl lsattr namei pwdx look colrm",
    ),
    reads("pathchk sdiff diff3 factor base64 base32"),
    program(
        "less more",
        "-o -O -b -h -j -k -P -p -t -T -x -y -z",
        Unless(&[("-o -O --log-file --LOG-FILE", Changes(WRITES))]),
    ),
    program(
        "rg",
        "-e -f -g -t -T -m -A -B -C",
        Unless(&[("--pre --hostname-bin", super::Does::CannotSay("runs another program"))]),
    ),
    program("sort", "-k -t -S -T -o --key --field-separator --buffer-size --temporary-directory --output", SORT),
    program("uniq", "-f -s -w", UpTo(1, "writes its second file", &[])),
    program("xxd", "-c -g -l -o -s -n -R", UpTo(1, "writes its second file", &[])),
    program("tree", "-L -P -I -o -H -T --filelimit --charset --sort", Unless(&[("-o", Changes(WRITES))])),
    program("yq", "-o -p -I", Unless(&[("-i --inplace --in-place -s --split-exp", Changes(WRITES))])),
    program("tee", "", Look(tee)),
    program("dd", "", Look(dd)),
    program("split csplit", "", Changes("writes files")),
    program("sed gsed", "", Words(sed::look)),
    program("awk gawk mawk nawk original-awk", "", Words(awk::look)),
    program("find", "", Words(find::look)),
    program("locate plocate mlocate", "-d -l -n", super::Does::Reads),
    program("tar bsdtar gtar", "", Words(tar)),
    program(
        "gzip gunzip xz unxz bzip2 bunzip2 zstd unzstd lz4",
        "-S -o",
        OnlyWith("-c -l -t --stdout --to-stdout --list --test", "-d -k -v -q -f --decompress --keep", PACKS),
    ),
    program("unzip", "-x -d -P", OnlyWith("-l -t -p -Z -v", "-q -1", "writes what it unpacks")),
    program("zipinfo", "-x", super::Does::Reads),
    program("cpio", "-I -O -F -H -D -E", OnlyWith("-t --list", "-v -i --quiet --verbose", "copies files")),
    changes("rm rmdir unlink shred srm", "removes files"),
    changes("mv", "moves files"),
    changes("cp install scp sftp rcp", "writes files"),
    changes("ln link symlinks", "makes links"),
    changes("mkdir touch mktemp mkfifo mknod fallocate truncate sponge", "makes or alters files"),
    changes("chmod chown chgrp chattr chcon setfacl setcap setfattr restorecon", "alters who may do what with files"),
    changes("zip 7z rar patch ed ex", "writes files"),
    program("rsync", "-e -f -T -B", OnlyWith("-n --dry-run --list-only", RSYNC, "copies files")),
    changes("vi vim nvim nano emacs pico", "edits files"),
];

const RSYNC: &str = "-a -v -r -z -h -i -P -c -u -x --delete --stats --checksum --itemize-changes --exclude --include";

const SORT: super::Does =
    Unless(&[("-o --output", Changes(WRITES)), ("--compress-program", super::Does::CannotSay("runs another program"))]);

/// What may be written to without changing anything.
pub(crate) fn is_nowhere(path: &str) -> bool {
    matches!(path, "-" | "/dev/null" | "/dev/stdout" | "/dev/stderr" | "/dev/tty" | "/dev/zero" | "/dev/full")
        || path.strip_prefix("/dev/fd/").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn tee(what: &str, given: &Arguments<'_>) -> Effect {
    match given.operands.iter().find(|word| !word.known().is_some_and(is_nowhere)) {
        Some(word) => Effect::changes(format!("{what} {}", word.text()), WRITES),
        None => Effect::Reads,
    }
}

fn dd(what: &str, given: &Arguments<'_>) -> Effect {
    let mut outputs = given.operands.iter().filter(|word| word.known().is_none_or(|text| text.starts_with("of=")));
    match outputs.find(|word| !word.known().and_then(|text| text.strip_prefix("of=")).is_some_and(is_nowhere)) {
        Some(word) => Effect::changes(format!("{what} {}", word.text()), WRITES),
        None => Effect::Reads,
    }
}

/// The first letters may stand without a dash: `tar tzf FILE`.
fn tar(what: &str, words: &[super::Word], _: usize) -> Effect {
    const LONG: [&str; 4] = ["--list", "--verbose", "--file", "--directory"];
    let mut lists = false;
    for (at, word) in words.iter().enumerate() {
        let text = word.prefix();
        let Some(known) = word.known().filter(|_| !word.may_be_option()) else {
            if word.may_be_option() || text.starts_with('-') {
                return Effect::cannot_say(what, format!("may get options from `{}`", word.text()));
            }
            continue;
        };
        let letters = match known.strip_prefix('-') {
            Some(long) if long.starts_with('-') => {
                let name = known.split('=').next().unwrap_or_default();
                if !LONG.contains(&name) {
                    return Effect::cannot_say(format!("{what} {name}"), "is not in the table of what programs do");
                }
                lists |= name == "--list";
                continue;
            }
            Some(letters) => letters,
            None if at == 0 => known,
            None => continue,
        };
        if let Some(letter) = letters.chars().find(|letter| "xcruA".contains(*letter)) {
            return Effect::changes(format!("{what} -{letter}"), "packs or unpacks files");
        }
        if let Some(letter) = letters.chars().find(|letter| !"tvfzjJaCO".contains(*letter)) {
            return Effect::cannot_say(format!("{what} -{letter}"), "is not in the table of what programs do");
        }
        lists |= letters.contains('t');
    }
    if lists { Effect::Reads } else { Effect::changes(what, "packs or unpacks files") }
}
