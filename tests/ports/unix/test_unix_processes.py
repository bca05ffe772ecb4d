"""Real processes, under whichever runtime runs this: what a program is given, how it ends, what is left of it."""

import gc

from unix_bench import UNIT, lives, monotonic_ms, new_directory, with_agent, workload

from edgelite_ports.posix import command as command_of_posix
from edgelite_ports.posix import files, proc, system
from edgelite_protocol import messages as m

PROCESS_BYTES_MAX = 6144  # of the agent's heap, on 64 bits: 3.5 KB measured, supervisor and journal included
PRINT_ARGUMENTS = 'for word; do printf "[%s]" "$word"; done'


@with_agent
def test_arguments_arrive_as_they_are(agent):
    odd = [
        "",
        " a  b ",
        'it\'s "quoted" \\ `id` $HOME $(id)',
        "line\nbreak\ttab",
        "ü\u20ac\U0001f600",
        "*",
        "-n",
        "\x01\x7f",
    ]
    assert agent.run(workload("sh", "-c", PRINT_ARGUMENTS, "sh", *odd)) == "".join(["[%s]" % word for word in odd])


@with_agent
def test_the_environment_is_what_is_declared_and_nothing_of_the_agents(agent):
    text = agent.run(workload("env", environment={"GREETING": 'it\'s "$HOME" `id` \\ ü', "EMPTY": ""}))
    variables = dict([line.split("=", 1) for line in text.strip().split("\n")])
    root = agent.places.root(UNIT)
    assert variables == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": root,
        "PWD": root,
        "GREETING": 'it\'s "$HOME" `id` \\ ü',
        "EMPTY": "",
        "EDGELITE_ROOT": root,
        "EDGELITE_NODE": "node-1",
        "EDGELITE_POD_NAME": "work",
        "EDGELITE_POD_NAMESPACE": "default",
        "EDGELITE_POD_UID": "u1",
    }


@with_agent
def test_the_working_directory(agent):
    assert agent.run(workload("pwd", directory="/usr/../usr/bin/.")) == "/usr/bin\n"


@with_agent
def test_it_has_a_session_of_its_own_and_no_descriptor_of_the_agents(agent):
    with open("/proc/self/stat"):  # which MicroPython would leave to its children
        agent.desire(workload("sleep", "100"))
        pid = agent.pid()
    stat = proc.read_stat(pid)
    assert (stat.group, stat.session) == (pid, pid)
    agent.run_until(lambda: files.read_small("/proc/%d/comm" % pid) == b"sleep\n")
    assert sorted(system.listdir("/proc/%d/fd" % pid)) == ["0", "1", "2"]
    status = files.read_small("/proc/%d/status" % pid, 4096).decode()
    for name in ("SigBlk", "SigIgn"):
        mask = int(status[status.find(name) :].split()[1], 16)
        assert mask & 0x7FFFFFFF == 0, name  # the agent blocks some, to read them


@with_agent
def test_exit_codes_and_signals_are_told_apart(agent):
    for script, code, signal in (
        ("exit 0", 0, None),
        ("exit 7", 7, None),
        ("exit 137", 137, None),
        ("kill -KILL $$", 137, 9),
        ("kill -TERM $$", 143, 15),
    ):
        agent.run(workload("sh", "-c", script), "completed" if code == 0 else "failed")
        status = agent.status()
        assert (status[m.STATUS_CONTAINER_EXIT_CODE], status.get(m.STATUS_CONTAINER_SIGNAL)) == (code, signal), script
        agent.desire(None)
        agent.run_until(lambda: agent.state() is None)


@with_agent
def test_what_cannot_be_started_has_a_name(agent):
    not_executable = agent.directory + "/plain"
    files.write_private(not_executable, b"#!/bin/sh\n")
    no_interpreter = agent.directory + "/script"
    files.write_private(no_interpreter, b"#!/no/such/interpreter\n")
    other_machine = agent.directory + "/program"
    files.write_private(other_machine, b"\x7fELF\x02\x01\x01" + bytes(11) + b"\xf3\x00" + bytes(40))  # RISC-V
    for path in (no_interpreter, other_machine):
        system.chmod(path, 0o755)
    for command, reason in (
        ("no-such-program", "CommandNotFound"),
        ("/no/such/program", "CommandNotFound"),
        (no_interpreter, "CommandNotFound"),
        (not_executable, "PermissionDenied"),
        ("/tmp", "PermissionDenied"),
        (other_machine, "ExecFormat"),
    ):
        if reason == "ExecFormat" and command_of_posix._has_emulators():
            continue  # the kernel may run it, so nobody can tell beforehand
        agent.run(workload(command), "failed")
        assert agent.status()[m.STATUS_CONTAINER_REASON] == reason, (command, agent.status())
        assert command.split("/")[-1] in agent.status()[m.STATUS_CONTAINER_MESSAGE]
        agent.desire(None)
        agent.run_until(lambda: agent.state() is None)
    agent.run(workload("true", directory="/no/such/directory"), "failed")
    assert agent.status()[m.STATUS_CONTAINER_REASON] == "WorkingDirectoryMissing"


@with_agent
def test_a_crash_is_started_again(agent):
    agent.desire(workload("sleep", "100", policy="Always"))
    first = agent.pid()
    system.kill(first, 9)
    agent.run_until(lambda: agent.row().get("restarts") == 1 and agent.state() == "running")
    assert agent.pid() != first
    assert agent.row()["message"] == ""


@with_agent
def test_a_stop_reaches_the_whole_group(agent):
    agent.desire(workload("sh", "-c", "sleep 1000 & sleep 1000 & echo $!; wait"))
    leader = agent.pid()
    agent.run_until(lambda: agent.log().endswith("\n"))
    child = int(agent.log())
    assert lives(leader) and lives(child)
    agent.desire(None)
    agent.run_until(lambda: agent.state() is None)
    assert not lives(leader) and not lives(child)


@with_agent
def test_what_ignores_the_stop_is_killed_after_the_grace_period(agent):
    agent.desire(workload("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done", grace_ms=200))
    agent.run_until(lambda: agent.log() == "ready\n")
    leader = agent.row()["pid"]
    began_ms = monotonic_ms()
    agent.desire(None)
    agent.run_until(lambda: agent.state() is None)
    assert not lives(leader)
    assert 200 <= monotonic_ms() - began_ms < 5000


@with_agent
def test_ten_at_once(agent):
    uids = ["u%d" % number for number in range(1, 11)]
    before_bytes = held_bytes()
    for uid in uids:
        agent.desire(workload("sh", "-c", "echo $EDGELITE_POD_UID; exec sleep 100", uid=uid), uid)
    units = [uid + "/main" for uid in uids]
    agent.run_until(lambda: all(agent.state(unit) == "running" for unit in units))
    agent.run_until(lambda: all(agent.log(uid + "/main") == uid + "\n" for uid in uids))
    pids = {agent.row(unit)["pid"] for unit in units}
    assert len(pids) == 10
    assert held_bytes() - before_bytes < 10 * PROCESS_BYTES_MAX
    for uid in uids:
        agent.desire(None, uid)
    agent.run_until(lambda: not agent.supervisor.summary())
    assert not any(lives(pid) for pid in pids)


@with_agent
def test_files_are_mounted_and_go_with_the_form_that_had_them(agent):
    script = 'cat "$EDGELITE_ROOT/etc/app/a" && ls "$EDGELITE_ROOT/etc/app"'
    both = [("etc/app/a", b"\x00\xffbytes\n", 0o600), ("etc/app/b", b"2", 0o644)]
    agent.run(workload("sh", "-c", script, files=both))
    root = agent.places.root(UNIT)
    assert files.read_whole(root + "/etc/app/a") == b"\x00\xffbytes\n"
    assert system.stat(root + "/etc/app/a").st_mode & 0o777 == 0o600
    agent.desire(None)
    agent.run_until(lambda: agent.state() is None)
    assert not files.is_there(root)


@with_agent
def test_a_mounted_file_follows_no_link_of_the_workloads(agent):
    outside = new_directory()
    files.make_directories(outside)
    root = agent.places.root(UNIT)
    files.make_directories(root)
    system.symlink(outside, root + "/etc")
    try:
        for path, reason in (("etc/a", "FileError"), ("../a", "InvalidPath"), ("a/../../b", "InvalidPath")):
            agent.run(workload("true", files=[(path, b"x", 0o644)]), "failed")
            assert agent.status()[m.STATUS_CONTAINER_REASON] == reason
            agent.desire(None)
            agent.run_until(lambda: agent.state() is None)
            files.make_directories(root)
            if not files.is_there(root + "/etc"):
                system.symlink(outside, root + "/etc")
        assert files.names(outside) == []
    finally:
        files.remove_tree(outside)


@with_agent
def test_removal_takes_everything_whatever_its_name(agent):
    script = (
        "cd $HOME && mkdir -p a/b && : >\"$(printf 'a\\377b')\" && ln -s /etc a/link && mkfifo a/b/fifo && chmod 0 a/b"
    )
    agent.run(workload("sh", "-c", script))
    root = agent.places.root(UNIT)
    assert files.is_there(root + "/a/link")
    agent.desire(None)
    agent.run_until(lambda: agent.state() is None)
    assert not files.is_there(root) and files.is_directory("/etc")


@with_agent
def test_logs_are_read_by_lines_rotated_and_kept_of_the_instance_before(agent):
    agent.run(workload("sh", "-c", "i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo line $i; done"))
    assert read(agent, 2) == "line 99\nline 100\n"
    assert read(agent, -1).count("\n") == 100
    agent.desire(None)
    agent.run_until(lambda: agent.state() is None)
    agent.desire(workload("sh", "-c", "echo begun; exit 1", policy="Always"))
    agent.run_until(lambda: agent.row().get("restarts") == 2)
    assert read(agent, -1, True) == "begun\n"


@with_agent
def test_a_log_that_grows_is_cut(agent):
    agent.logs._segment_bytes = 4096
    agent.desire(workload("sh", "-c", "head -c 10000 /dev/zero; sleep 100"))
    agent.run_until(lambda: files.size_bytes(agent.places.log(UNIT) + ".1") > 0)
    assert files.size_bytes(agent.places.log(UNIT) + ".1") == 4096
    assert files.size_bytes(agent.places.log(UNIT)) == 0


def held_bytes():
    """Of the heap; 0 where the runtime does not tell."""
    gc.collect()
    return gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0


def read(agent, lines, previous=False):
    reader = agent.logs.open("u1", "main", lines, previous, 0)
    pieces = []
    while True:
        piece = reader.read(1000)
        if not piece:
            return b"".join(pieces).decode()
        pieces.append(piece)
