"""Every option that `docker inspect` shows: as it is written, and as Docker shows it back."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kamal_pyinfra.plan.compare.fields import OPTIONS, RESTART, option_differences

UNLESS_STOPPED = {RESTART: ("unless-stopped",)}


def texts(written: dict[str, object], seen: dict[str, tuple[object, ...]], *, is_same: bool = False) -> list[str]:
    """What differs between options as written and fields as inspected."""
    return [each.text for each in option_differences(tuple(written.items()), seen, is_same=is_same)]


CASES = {
    "memory": ("Memory", "256m", (268435456,), (536870912,), "memory: 512m → 256m", "memory: 512m → (not set)"),
    "memory-reservation": (
        "MemoryReservation",
        "1.5g",
        (1610612736,),
        (1000,),
        "memory-reservation: 1000b → 1.5g",
        "memory-reservation: 1000b → (not set)",
    ),
    "memory-swap": ("MemorySwap", "1g", (1073741824,), (2147483648,), "memory-swap: 2g → 1g", ""),
    "cpus": ("NanoCpus", 1.5, ("1.5",), ("2",), "cpus: 2 → 1.5", "cpus: 2 → (not set)"),
    "cpu-shares": ("CpuShares", 512, (512,), (1024,), "cpu-shares: 1024 → 512", "cpu-shares: 1024 → (not set)"),
    "cpuset-cpus": ("CpusetCpus", "0-1", ("0-1",), ("0",), "cpuset-cpus: 0 → 0-1", "cpuset-cpus: 0 → (not set)"),
    "pids-limit": ("PidsLimit", 100, (100,), (50,), "pids-limit: 50 → 100", "pids-limit: 50 → (not set)"),
    "cap-add": (
        "CapAdd",
        ["SYS_TIME", "net_admin"],
        ("CAP_NET_ADMIN", "CAP_SYS_TIME"),
        ("CAP_NET_ADMIN",),
        "cap-add: NET_ADMIN → SYS_TIME net_admin",
        "cap-add: NET_ADMIN → (not set)",
    ),
    "cap-drop": ("CapDrop", "ALL", ("ALL",), ("CAP_MKNOD",), "cap-drop: MKNOD → ALL", "cap-drop: MKNOD → (not set)"),
    "privileged": (
        "Privileged",
        True,
        (True,),
        (),
        "privileged: (not set) → true",
        "",
    ),
    "read-only": ("ReadonlyRootfs", True, (True,), (), "read-only: (not set) → true", ""),
    "init": ("Init", True, (True,), (), "init: (not set) → true", ""),
    "network": ("NetworkMode", "shop", ("shop",), ("host",), "network: host → shop", "network: host → (not set)"),
    "add-host": (
        "ExtraHosts",
        ["b:10.0.0.2", "a=10.0.0.1", "c:[::1]"],
        ("a:10.0.0.1", "b:10.0.0.2", "c:::1"),
        ("a:10.0.0.9",),
        "add-host: a:10.0.0.9 → b:10.0.0.2 a=10.0.0.1 c:[::1]",
        "add-host: a:10.0.0.9 → (not set)",
    ),
    "dns": (
        "Dns",
        "10.0.0.53",
        ("10.0.0.53",),
        ("10.0.0.1",),
        "dns: 10.0.0.1 → 10.0.0.53",
        "dns: 10.0.0.1 → (not set)",
    ),
    "group-add": (
        "GroupAdd",
        ["1", "audio"],
        ("audio", "1"),
        ("1",),
        "group-add: 1 → 1 audio",
        "group-add: 1 → (not set)",
    ),
    "security-opt": (
        "SecurityOpt",
        "no-new-privileges",
        ("no-new-privileges",),
        ("apparmor=unconfined",),
        "security-opt: apparmor=unconfined → no-new-privileges",
        "",
    ),
    "ulimit": (
        "Ulimits",
        ["nproc=100:200", "nofile=1024"],
        ("nofile=1024:1024", "nproc=100:200"),
        ("nofile=1024:2048",),
        "ulimit: nofile=1024:2048 → nproc=100:200 nofile=1024",
        "ulimit: nofile=1024:2048 → (not set)",
    ),
    "shm-size": ("ShmSize", "128m", (134217728,), (67108864,), "shm-size: 64m → 128m", ""),
    "pid": ("PidMode", "host", ("host",), (), "pid: (not set) → host", ""),
    "ipc": ("IpcMode", "host", ("host",), ("private",), "ipc: private → host", ""),
    "user": ("User", "1000:1000", ("1000:1000",), ("root",), "user: root → 1000:1000", ""),
    "workdir": ("WorkingDir", "/srv/", ("/srv",), ("/app",), "workdir: /app → /srv/", ""),
    "stop-signal": ("StopSignal", "SIGINT", ("SIGINT",), ("SIGQUIT",), "stop-signal: SIGQUIT → SIGINT", ""),
    "publish": (
        "PortBindings",
        ["8080:80", "127.0.0.1:8081:81/UDP", "[::1]:8082:82", "0.0.0.0:8083:83"],
        ("127.0.0.1:8081:81/udp", ":8080:80/tcp", "::1:8082:82/tcp", ":8083:83/tcp"),
        (":8080:80/tcp", "::1:9:9/udp"),
        "publish: 8080:80 [::1]:9:9/udp → 8080:80 127.0.0.1:8081:81/UDP [::1]:8082:82 0.0.0.0:8083:83",
        "publish: 8080:80 [::1]:9:9/udp → (not set)",
    ),
}
"""Option → field, as written, the same as seen, another as seen, how that differs, how it differs when not written."""


def test_every_option_has_a_case() -> None:
    assert list(CASES) == [option.names[0] for option in OPTIONS]


@pytest.mark.parametrize("name", CASES)
def test_an_option_as_docker_shows_it_is_no_difference(name: str) -> None:
    field, written, same, *_ = CASES[name]
    assert texts({name: written}, {field: same} | UNLESS_STOPPED) == []


@pytest.mark.parametrize("name", CASES)
def test_an_option_with_another_value_differs(name: str) -> None:
    field, written, _, other, text, _ = CASES[name]
    assert texts({name: written}, {field: other} | UNLESS_STOPPED) == [text]


@pytest.mark.parametrize("name", CASES)
def test_an_option_that_nothing_asks_for_differs_if_its_default_is_known(name: str) -> None:
    """What an engine or an image sets by itself is nobody's change."""
    field, _, _, other, _, text = CASES[name]
    assert texts({}, {field: other}) == ([text] if text else [])


@pytest.mark.parametrize("name", CASES)
def test_an_option_that_was_not_looked_at_is_no_difference(name: str) -> None:
    assert texts({name: CASES[name][1]}, {}) == []


@pytest.mark.parametrize("name", CASES)
def test_of_a_container_of_this_configuration_only_what_docker_update_changes_can_differ(name: str) -> None:
    field, written, _, other, text, _ = CASES[name]
    mutable = ("memory", "memory-reservation", "memory-swap", "cpus", "cpu-shares", "cpuset-cpus", "pids-limit")
    assert texts({name: written}, {field: other}, is_same=True) == ([text] if name in mutable else [])


@pytest.mark.parametrize("name", [option.names[0] for option in OPTIONS if option.has_known_default])
def test_nothing_written_and_nothing_seen_is_no_difference(name: str) -> None:
    assert texts({}, {CASES[name][0]: ()}) == []


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ({"privileged": False}, {"Privileged": ()}),
        ({"network": "bridge"}, {"NetworkMode": ("default",)}),
        ({"network": "default"}, {"NetworkMode": ("bridge",)}),
        ({"net": "host"}, {"NetworkMode": ("host",)}),
        ({"network": ["first", "second"]}, {"NetworkMode": ("first",)}),
        ({"network": "name=first,alias=web"}, {"NetworkMode": ("first",)}),
        ({"pids-limit": -1}, {"PidsLimit": ()}),
        ({"cap-add": "CAP_NET_ADMIN"}, {"CapAdd": ("NET_ADMIN",)}),
        ({"publish": "8090-8091:80-81"}, {"PortBindings": (":8090:80/tcp", ":8091:81/tcp")}),
        ({"publish": 80}, {"PortBindings": ("::80/tcp",)}),
        ({"network": "container:db"}, {"NetworkMode": ("container:0123456789ab",)}),
        ({"pid": "container:db"}, {"PidMode": ("container:0123456789ab",)}),
        ({"ipc": "container:db"}, {"IpcMode": ("container:0123456789ab",)}),
        ({"security-opt": "seccomp=/etc/profile.json"}, {"SecurityOpt": ('seccomp={"defaultAction":"x"}',)}),
        ({"memory": "plenty"}, {"Memory": (1,)}),
        ({"memory-swap": "-1"}, {"MemorySwap": (-1,)}),
    ],
)
def test_what_docker_shows_in_other_words_is_no_difference(
    written: dict[str, object], seen: dict[str, tuple[object, ...]]
) -> None:
    assert texts(written, seen) == []


@pytest.mark.parametrize(
    ("written", "seen", "text"),
    [
        ({}, {"Privileged": (True,)}, "privileged: true → (not set)"),
        ({}, {"ReadonlyRootfs": (True,)}, "read-only: true → (not set)"),
        ({}, {"PidMode": ("host",)}, "pid: host → (not set)"),
        ({"init": False}, {"Init": (True,)}, "init: true → false"),
        ({}, {"NetworkMode": ("container:0123456789ab",)}, "network: container:0123456789ab → (not set)"),
        ({"security-opt": "seccomp=unconfined"}, {"SecurityOpt": ()}, "security-opt: (not set) → seccomp=unconfined"),
        ({"memory-swap": "1g"}, {"MemorySwap": (-1,)}, "memory-swap: -1 → 1g"),
        ({"publish": "10.0.0.0:1:2"}, {"PortBindings": (":1:2/tcp",)}, "publish: 1:2 → 10.0.0.0:1:2"),
    ],
)
def test_what_only_looks_the_same_differs(
    written: dict[str, object], seen: dict[str, tuple[object, ...]], text: str
) -> None:
    assert texts(written, seen) == [text]


@pytest.mark.parametrize(
    ("written", "seen", "expected"),
    [
        ({}, "unless-stopped", []),
        ({}, "always", ["restart: always → unless-stopped"]),
        ({}, "no", ["restart: no → unless-stopped"]),
        ({"restart": "on-failure:3"}, "on-failure", []),
        ({"restart": "always"}, "unless-stopped", ["restart: unless-stopped → always"]),
    ],
)
@pytest.mark.parametrize("is_same", [True, False])
def test_containers_restart_unless_stopped_if_nothing_else_is_asked_for(
    written: dict[str, object], seen: str, expected: list[str], is_same: bool
) -> None:
    """`docker update` changes it too."""
    assert texts(written, {RESTART: (seen,)}, is_same=is_same) == expected


@example(written={"cpu-shares": "²"}, seen={"CpuShares": ("1",)})
@example(written={"pids-limit": "--5"}, seen={"PidsLimit": ("1",)})
@given(
    written=st.dictionaries(
        st.sampled_from([name for option in OPTIONS for name in option.names] + [RESTART]),
        st.one_of(
            st.text(max_size=8), st.booleans(), st.none(), st.integers(), st.lists(st.text(max_size=5), max_size=3)
        ),
    ),
    seen=st.dictionaries(st.sampled_from([option.field for option in OPTIONS]), st.tuples(st.text(max_size=8))),
)
def test_no_value_however_odd_is_an_error(written: dict[str, object], seen: dict[str, tuple[object, ...]]) -> None:
    """The engine judges values, not the comparison."""
    for text in texts(written, seen):
        assert text
