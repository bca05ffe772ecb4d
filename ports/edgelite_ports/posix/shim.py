"""The keeper: the small shell that starts workloads and keeps their exit status while the agent is away.

One `/bin/sh` a node, started by the agent when it is first needed and left alone when the agent ends. It reads
names of units from a FIFO and forks one shim for each; the shim waits for its workload, and what it shares with the
keeper costs no memory twice (measured: 68 kB private a workload with dash; a shell of its own would be 104 kB).

    keeper        sh, blocked in `read` on the FIFO; the agent's only child
    +- shim       a fork of it, blocked in wait; child of init; one a running unit
       +- workload   a session and process group of its own; its leader is what CONTAINER_COMMAND names

A unit's run directory then holds, each whole once its last byte is a newline:

    start     what the agent wrote: the script that becomes the workload
    shim      the shim's /proc/PID/stat line: pid is field 1, start time field 22
    child     the workload's /proc/PID/stat line
    message   what the shell said of the workload's end
    exit      "STATUS killed", "STATUS ended" or "STATUS unclear", written after the rest of the group was killed

`$?` alone cannot tell exit code 137 from SIGKILL (9 + 128). The shell can: it says "Killed" on its own standard
error after a child that a signal ended, and says nothing after one that exited. For SIGINT and SIGPIPE it is silent
too, so a program that itself exits with 130 or 141 is taken for one that they ended. That is how dash and busybox
do; where bash is `/bin/sh`, each status above 128 is taken for a signal.

The script is a file, `keeper.sh` beside the FIFO, so that `ps` shows its path instead of its text. A shell may read
its script piece by piece while it runs, so the file is only ever replaced by rename: a keeper that runs keeps reading
the one that it was started with. All paths in it are relative to its own.

A keeper outlives the agent that started it, so it may serve a newer one: where what is agreed here changes, the FIFO
and the `keeper` file must take other names.

The shim ignores the signals that a shutdown or a terminal sends, so that it lives to write the status; the workload
gets them all with their default action. A shell forks what it puts into the background with SIGINT and SIGQUIT
ignored, and cannot undo that: `env --default-signal` (coreutils 8.31 and later) does. Where it is missing (busybox)
workloads start with these two ignored, as everything does that a shell started with `&`.
"""

from edgelite_ports.posix import system

# $0 is keeper.sh in the directory of all run directories; the arguments are the words that make a session leader of
# what follows them. In the FIFO: a unit's run directory, relative to keeper.sh; "." ends the keeper.
KEEPER_SCRIPT = """
cd "${0%/*}" || exit 1
trap '' HUP INT QUIT TERM USR1 USR2 ALRM PIPE
shim() {
  exec 2>message </dev/null
  read -r line </proc/self/stat
  echo "$line" >shim
  ( trap - HUP INT QUIT TERM USR1 USR2 ALRM PIPE; exec "$@" /bin/sh ./start 2>start.error )
  status=$?
  end=ended
  [ -s message ] && end=killed
  [ -n "$BASH_VERSION" ] && end=unclear
  read -r leader line <child && kill -s KILL -- "-$leader"
  echo "$status $end" >exit
}
read -r line </proc/self/stat
echo "$line" >keeper
exec <>requests
while read -r unit && [ "$unit" != . ]; do
  ( cd "$unit" && { shim "$@" & } )
done
"""

SILENT_SIGNALS = (2, 13)  # SIGINT, SIGPIPE: the shell says nothing of a child that they ended


def start_script(
    environment: "dict[str, str]", directory: str, log_path: str, program: str, arguments: "list[str]"
) -> bytes:
    """The `start` file: notes who it is, takes the workload's environment and output, and becomes the workload.

    Environment and arguments are quoted into a file that only its owner may read: they may be secrets, so they
    must not stand in the command line of the shim; and a workload's LD_LIBRARY_PATH must not reach any program
    but the workload.
    """
    lines = [
        "umask 077",
        "exec >>%s 2>&1 </dev/null" % quoted(log_path),  # output may tell secrets: for its owner only
        "umask 022",
        'read -r line </proc/self/stat; echo "$line" >child; unset line',
        "{ echo 0 >/proc/self/oom_score_adj; } 2>/dev/null",  # whatever protects the agent protects no workload
        "cd %s || exit 126" % quoted(directory),
        "unset OLDPWD",
    ]
    lines += ["export %s=%s" % (name, quoted(environment[name])) for name in sorted(environment)]
    lines.append("exec %s" % " ".join([quoted(program)] + [quoted(word) for word in arguments]))
    return system.encode("\n".join(lines) + "\n")


def quoted(text: str) -> str:
    """`text` as one word of the shell's language: in single quotes nothing has a meaning but the quote itself."""
    return "'" + text.replace("'", "'\\''") + "'"


def parse_exit(data: bytes) -> "tuple[int, int] | None":
    """(exit code, signal) of an `exit` file, None while it is not whole. The exit code of a signal is 128 + it."""
    words = data.split()
    if not data.endswith(b"\n") or len(words) != 2 or not words[0].isdigit():
        return None
    code = int(words[0])
    signal = code - 128
    if signal > 0 and (words[1] != b"ended" or signal in SILENT_SIGNALS):
        return code, signal
    return code, 0
