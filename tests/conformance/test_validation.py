"""Every way in which a value can be wrong, as the text that a person gets to read."""

from __future__ import annotations

import pytest

from tests.config.conftest import Problems

HOST_FORM = "should be a name or an address: HOST, USER@HOST, HOST:PORT or [IPV6]:PORT"
LOOKUP = "should be a string or an array with one string (for secret lookup)"
MOUNT = "should be SOURCE:TARGET or SOURCE:TARGET:MODE"
NAMES = "a name can only include letters, digits, `_`, `.` and `-`"
NO_NAME = "is no name for an environment variable (no spaces, no `=`, no `#` at the start)"
ONE_HOST = "accessories/db: specify one of `host`, `hosts` or `roles`"

KEYS = {
    "unknown root key": ({"servrs": "[]"}, "5:1 unknown key: servrs (did you mean `servers`?)"),
    "unknown key, nothing near": ({"zebra": "x"}, "5:1 unknown key: zebra"),
    "blank service": ({"service": "' '"}, "1:10 service: is required"),
    "bad service": (
        {"service": "app.com"},
        "1:10 service: Service name can only include alphanumeric characters, hyphens, and underscores",
    ),
    "null label": ({"labels": "{a: }"}, "5:12 labels/a: should be a string"),
    "nested label": ({"labels": "{a: {b: c}}"}, "5:13 labels/a: should be a string"),
    "negative": ({"stop_wait_time": "-1"}, "5:17 stop_wait_time: should not be negative"),
    "no time": ({"ssh": {"connect_timeout": 0}}, "5:26 ssh/connect_timeout: should be a positive number of seconds"),
    "text for bool": ({"allow_empty_roles": "'yes'"}, "5:20 allow_empty_roles: should be a boolean"),
    "retain": ({"retain_containers": "0"}, "5:20 retain_containers: Must retain at least 1 container"),
    "minimum version": (
        {"minimum_version": "1.10.0"},
        "5:18 minimum_version: Current version is 1.9.2, minimum required is 1.10.0",
    ),
    "no version": ({"minimum_version": "new"}, "5:18 minimum_version: should be a version such as 1.9.2"),
    "destination needed": (
        {"require_destination": "true"},
        "5:22 require_destination: You must specify a destination",
    ),
    "primary role": (
        {"primary_role": "wep"},
        "5:15 primary_role: The primary_role wep isn't defined (did you mean `web`?)",
    ),
    "no primary role": ({"servers": "{job: [a]}"}, "4:10 servers: The primary_role web isn't defined"),
    "no hosts": ({"servers": "[]"}, "4:10 servers: No servers specified for the web primary_role"),
    "empty role": (
        {"servers": "{web: [a], job: []}"},
        "4:26 servers/job: No servers specified for the job role. You can ignore this with allow_empty_roles: true",
    ),
    "role name": ({"servers": "{web: [a], ../x: [b]}"}, f"4:27 servers/../x: {NAMES}"),
    "role key": (
        {"servers": "{web: {hosts: [a], lables: {}}}"},
        "4:29 servers/web: unknown key: lables (did you mean `labels`?)",
    ),
    "two hosts in one": ({"servers": "[{a: x, b: y}]"}, "4:11 servers/0: multiple hosts found"),
    "empty host": ({"servers": "[{}]"}, "4:11 servers/0: should name a host"),
    "null host": ({"servers": "[~]"}, "4:11 servers/0: should be a string"),
    "list as host": ({"servers": "{web: {hosts: [[a]]}}"}, "4:25 servers/web/hosts/0: should be a string or a hash"),
    "no host behind the user": ({"servers": "[me@]"}, f"4:11 servers/0: 'me@' {HOST_FORM}"),
    "no port in host": ({"servers": "['a:ssh']"}, f"4:11 servers/0: 'a:ssh' {HOST_FORM}"),
    "two users": (
        {"servers": "[{me@a: {user: you}}]"},
        "4:18 servers/0/me@a: 'me@a' and `user:` contradict each other",
    ),
    "host key": (
        {"servers": "[a: {usr: me}]"},
        "4:15 servers/0/a: unknown key: usr (did you mean `user`?)",
    ),
    "unknown tag": (
        {"servers": "[a: [canry]]", "env": "{tags: {canary: {A: b}}}"},
        "4:15 servers/0/a/0: unknown tag: canry (did you mean `canary`?)",
    ),
    "tag without env": ({"servers": "[a: x]"}, "4:14 servers/0/a: unknown tag: x"),
    "two ways to a host": (
        {"servers": "{web: [a: {user: x}], job: [a: {user: y}]}"},
        "4:48 servers/job/0/a/user: a has another user elsewhere in this file",
    ),
    "env name": ({"env": "{A B: c}"}, f"5:12 env/A B: {NO_NAME}"),
    "secret name": ({"env": "{secret: [A=b]}"}, f"5:16 env/secret/0: {NO_NAME}"),
    "env key": (
        {"env": "{clear: {A: b}, secrets: [C]}"},
        "5:22 env: unknown key: secrets (did you mean `secret`?)",
    ),
    "tags below root": (
        {"servers": "{web: {hosts: [a], env: {tags: {x: {A: b}}}}}"},
        "4:41 servers/web/env/tags: tags are only allowed in the root env",
    ),
    "nested tags": (
        {"env": "{tags: {x: {tags: {y: {A: b}}}}}"},
        "5:24 env/tags/x/tags: tags are only allowed in the root env",
    ),
    "builder remote": (
        {"builder": "{remote: {host: ssh://root@h}}"},
        "5:19 builder/remote: arch required, such as arch: amd64",
    ),
    "builder pair": (
        {"builder": "{local: {}, remote: {arch: arm64, host: h}}"},
        "5:18 builder/local: arch required, such as arch: amd64",
    ),
    "builder driver": (
        {"builder": "{driver: podman}"},
        "5:19 builder/driver: should be 'docker-container' or 'docker'",
    ),
    "builder driver alone": (
        {"builder": "{driver: docker}"},
        "5:19 builder/driver: docker builds at `remote` alone: for one architecture, without `local` and `cache`",
    ),
    "builder argument": (
        {"builder": "{args: {PATH: x}, secrets: [DOCKER_HOST]}"},
        "5:24 builder/args/PATH: PATH controls docker itself and cannot be passed to a build\n"
        "5:38 builder/secrets/0: DOCKER_HOST controls docker itself and cannot be passed to a build",
    ),
    "registry": (
        {"registry": "{server: x}"},
        "3:11 registry: username and password missing; only the built-in registry needs none: leave the section out",
    ),
    "map as name": ({"registry": "{username: [{A: b}], password: p}"}, f"3:22 registry/username: {LOOKUP}"),
    "ssh": (
        {"ssh": "{user: [a], port: 0, keys: k, keys_only: 1, config: x}"},
        "5:13 ssh/user: should be a string\n"
        "5:24 ssh/port: should be a port between 1 and 65535\n"
        "5:33 ssh/keys: should be an array\n"
        "5:47 ssh/keys_only: should be a boolean\n"
        "5:50 ssh: unknown key: config",
    ),
    "host keys": ({"ssh": "{host_keys: maybe}"}, "5:18 ssh/host_keys: should be 'accept-new' or 'strict'"),
    "sshkit": (
        {"sshkit": "{max_concurrent_starts: many}"},
        "5:33 sshkit/max_concurrent_starts: should be an integer",
    ),
    "builder": (
        {"builder": "{multiarch: 1, local: x, args: [a], secrets: s, cache: {type: lru}}"},
        "5:22 builder/multiarch: should be a boolean\n"
        "5:32 builder/local: should be a hash\n"
        "5:41 builder/args: should be a hash\n"
        "5:55 builder/secrets: should be an array\n"
        "5:72 builder/cache/type: Invalid cache type: lru",
    ),
    "builder option": (
        {"builder": "{args: {a: {b: c}}}"},
        "5:21 builder/args/a: should be a string or an array",
    ),
    "boot": (
        {"boot": "{limit: some, wait: x, failure: panic, max_unavailable: -1}"},
        "5:15 boot/limit: should be a positive number or a percentage such as 25%\n"
        "5:27 boot/wait: should be an integer\n"
        "5:39 boot/failure: should be 'rollback' or 'halt'\n"
        "5:63 boot/max_unavailable: should be a number or a percentage such as 25%",
    ),
    "release": (
        {"release": "{cmd: '', timeout: 0, rle: x}"},
        "5:16 release/cmd: is required\n"
        "5:29 release/timeout: should be a positive number of seconds\n"
        "5:32 release: unknown key: rle (did you mean `role`?)",
    ),
    "release role": ({"release": "{cmd: a, role: wbe}"}, "5:25 release/role: unknown role: wbe (did you mean `web`?)"),
    "release host": ({"release": "{cmd: a, host: x}"}, "5:25 release/host: x is no host of role web"),
    "no connection": (
        {"sshkit": "{max_concurrent_starts: 0}"},
        "5:33 sshkit/max_concurrent_starts: should be a positive number",
    ),
    "replicas": (
        {"servers": "{web: {hosts: [a], replicas: 0}}"},
        "4:39 servers/web/replicas: should be a number from 1 to 100",
    ),
    "replicas of a port": (
        {"servers": "{web: {hosts: [a], replicas: 2, options: {publish: 80}}}"},
        "4:61 servers/web/options/publish: only one container of a host can have this; leave it out, "
        "or set replicas: 1 for role web",
    ),
    "boot watch": (
        {"boot": "{watch: {seconds: 0, cmd: '', link: x}}"},
        "5:25 boot/watch/seconds: should be a positive number of seconds\n"
        "5:33 boot/watch/cmd: is required\n"
        "5:37 boot/watch: unknown key: link",
    ),
    "boot watch seconds": ({"boot": "{watch: long}"}, "5:15 boot/watch: should be an integer"),
    "boot limit 0": (
        {"boot": "{limit: 0}"},
        "5:15 boot/limit: should be a positive number or a percentage such as 25%",
    ),
    "healthcheck": (
        {"healthcheck": "{port: 70000, interval: often, max_attempts: '3', cord: cord, pth: x}"},
        "5:21 healthcheck/port: should be a port between 1 and 65535\n"
        "5:38 healthcheck/interval: should be a duration such as 1s or 1m30s\n"
        "5:59 healthcheck/max_attempts: should be an integer\n"
        "5:70 healthcheck/cord: should be an absolute path or false\n"
        "5:76 healthcheck: unknown key: pth (did you mean `path`?)",
    ),
    "logging": (
        {"logging": "{driver: ~, options: [a]}"},
        "5:19 logging/driver: should be a string\n5:31 logging/options: should be a hash",
    ),
    "traefik": (
        {"traefik": "{publish: 'no', args: x, labels: {a: }}"},
        "5:20 traefik/publish: should be a boolean\n"
        "5:32 traefik/args: should be a hash\n"
        "5:46 traefik/labels/a: should be a string",
    ),
    "accessory without host": ({"accessories": "{db: {image: x}}"}, f"5:19 {ONE_HOST}"),
    "accessory with two": ({"accessories": "{db: {image: x, host: a, roles: [web]}}"}, f"5:19 {ONE_HOST}"),
    "accessory without image": ({"accessories": "{db: {host: a}}"}, "5:15 accessories/db/image: is required"),
    "accessory role": (
        {"accessories": "{db: {image: x, roles: [wbe]}}"},
        "5:38 accessories/db/roles/0: unknown role: wbe (did you mean `web`?)",
    ),
    "accessory tag": (
        {"accessories": "{a: {image: x, host: {h: t}}, b: {image: x, hosts: [h: t]}}"},
        "5:35 accessories/a/host: hosts of an accessory cannot have tags\n"
        "5:66 accessories/b/hosts/0: hosts of an accessory cannot have tags",
    ),
    "accessory file": (
        {"accessories": "{db: {image: x, host: a, files: [f]}}"},
        f"5:47 accessories/db/files/0: {MOUNT}",
    ),
}


@pytest.mark.parametrize("case", KEYS)
def test_a_wrong_value_is_one_located_line(problems: Problems, case: str) -> None:
    keys, expected = KEYS[case]
    assert problems(**keys) == expected
