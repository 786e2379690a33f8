"""What the samples of ``kp docs`` show for keys whose default says too little.

A value that begins with a line break stands below its key; one that begins with ``#`` is shown, but as a comment,
since it may not stand beside the others or is seldom needed.
"""

from __future__ import annotations

HOSTS = """
- 192.0.2.11
- 192.0.2.12: canary
- 192.0.2.13: [canary, fast]
- 192.0.2.14:
    user: deploy
    port: 2222
    key: ~/.ssh/shop
    sudo: true
    tags: fast"""

SERVERS = f"""\
# Hosts: a plain list is role `web`.
#
# servers:
#   - 192.0.2.11
#   - 192.0.2.12
#
# Roles have a list of hosts, or a hash with settings (`kp docs role`).
servers:
  # A host is written as HOST, HOST: TAG, HOST: [TAG, ...] or HOST: {{KEY: VALUE, ...}}. Tags choose from
  # `env/tags`; user, port, key and sudo (not in Kamal 1.9) say how this host is reached, if not as `ssh` says.
  web:{HOSTS.replace(chr(10), chr(10) + "    ")}
  job:
    hosts:
      - 192.0.2.15
    cmd: bin/jobs

# The tags that hosts carry.
env:
  tags:
    canary:
      LOG_LEVEL: debug
    fast:
      THREADS: 8
"""

VALUES: dict[str, dict[str, str]] = {
    "Config": {
        "service": "shop",
        "image": "acme/shop",
        "servers": "\n- 192.0.2.11\n- 192.0.2.12",
        "registry": "\nserver: registry.example.com\nusername: acme\npassword:\n  - KAMAL_REGISTRY_PASSWORD",
        "labels": "\nteam: checkout",
        "volumes": "\n- /srv/uploads:/app/uploads",
        "env": "\nLOG_LEVEL: info",
        "asset_path": "/app/public/assets",
        "stop_wait_time": "30",
        "deploy_timeout": "60",
        "drain_timeout": "60",
        "minimum_version": "1.9.0",
        "ssh": "\nuser: deploy",
        "sshkit": "\nmax_concurrent_starts: 30",
        "builder": "\ndockerfile: Dockerfile",
        "accessories": "\ndb:\n  image: postgres:16\n  host: 192.0.2.20",
        "traefik": "\nhost_port: 80",
        "release": "\ncmd: bin/migrate\ntimeout: 600",
        "boot": "\nlimit: 1",
        "healthcheck": "\npath: /up\nport: 3000",
        "logging": "\noptions:\n  max-size: 100m",
    },
    "RoleSection": {
        "hosts": "\n- 192.0.2.11\n- 192.0.2.12",
        "traefik": "true",
        "cmd": "bin/web",
        "options": "\nmemory: 1g\ncpus: 2\ncap-add: [NET_ADMIN, SYS_PTRACE]",
        "healthcheck": "\npath: /healthz",
        "logging": "\ndriver: local",
        "labels": "\ntraefik.http.routers.shop-web.rule: Host(`shop.example.com`)",
        "env": "\nTHREADS: 8",
        "asset_path": "/app/public/assets",
        "replicas": "2",
    },
    "Registry": {
        "server": "registry.example.com",
        "username": "acme",
        "password": "\n- KAMAL_REGISTRY_PASSWORD",
        "image": "# registry:2",
    },
    "Env": {
        "clear": "\nLOG_LEVEL: info\nDATABASE_HOST: 192.0.2.20",
        "secret": "\n- DATABASE_PASSWORD\n- SECRET_KEY",
        "tags": "\ncanary:\n  LOG_LEVEL: debug",
    },
    "Ssh": {
        "proxy": "jump.example.com",
        "proxy_command": "# ssh -W %h:%p jump.example.com",
        "keys": "\n- ~/.ssh/id_ed25519",
        "key_data": "# [PEM]",
        "known_hosts": "~/.ssh/known_hosts",
    },
    "Release": {"cmd": "bin/migrate", "role": "web", "host": "192.0.2.11"},
    "Boot": {"limit": "25%", "wait": "2", "watch": "\nseconds: 30"},
    "Watch": {"seconds": "30", "cmd": "bin/smoke-test", "url": "http://localhost/deep-check"},
    "Logging": {"driver": "json-file", "options": "\nmax-size: 100m\nmax-file: 3"},
    "Healthcheck": {"cmd": "# curl -f http://localhost:3000/up || exit 1"},
    "Traefik": {
        "labels": "\ntraefik.http.middlewares.limit.ratelimit.average: 100",
        "args": "\naccesslog: true\naccesslog.format: json",
        "options": "\npublish: 443:443\nmemory: 512m",
        "env": "\nclear:\n  TZ: UTC\nsecret:\n  - DNS_API_TOKEN",
    },
    "Accessory": {
        "service": "shop-database",
        "image": "postgres:16",
        "host": "192.0.2.20",
        "hosts": "# [192.0.2.20, 192.0.2.21]",
        "roles": "# [web]",
        "port": "127.0.0.1:5432:5432",
        "cmd": "postgres -N 200",
        "labels": "\nteam: data",
        "options": "\nmemory: 2g",
        "env": "\nclear:\n  POSTGRES_USER: shop\nsecret:\n  - POSTGRES_PASSWORD",
        "files": "\n- config/postgres.conf:/etc/postgresql/postgres.conf:ro",
        "directories": "\n- data:/var/lib/postgresql/data",
        "volumes": "\n- /srv/backup:/backup",
    },
    "Builder": {
        "local": "\narch: amd64\nhost: unix:///var/run/docker.sock",
        "remote": "\narch: arm64\nhost: ssh://root@192.0.2.30",
        "cache": "\ntype: registry\noptions: mode=max\nimage: shop-build-cache",
        "context": "# .",
        "target": "production",
        "args": "\nPYTHON_VERSION: 3.13",
        "secrets": "\n- PACKAGE_TOKEN",
        "ssh": "default",
    },
}
