"""What ``kp config`` shows."""

from __future__ import annotations

import json

from kamal_pyinfra.config.secrets import redacted_dict
from tests.config.conftest import Load, fixture

WEB_ROLE = {
    "web": {
        "hosts": ["a", "b"],
        "traefik": True,
        "cmd": None,
        "labels": {"team": "x"},
        "options": {},
        "healthcheck": {
            "cmd": None,
            "interval": "1s",
            "max_attempts": 7,
            "port": 3000,
            "path": "/up",
            "cord": "/tmp/kamal-cord",
            "log_lines": 50,
        },
        "logging": {"driver": None, "options": {}},
        "asset_path": None,
        "env": {host: {"clear": {"A": "b"}, "secret": ["KEY"]} for host in ("a", "b")},
    }
}


def test_derived_values_come_first_and_secrets_only_by_name(load: Load) -> None:
    config = load(
        registry="{server: r.example.com, username: [USER], password: hidden-password}",
        servers="[a, b: {port: 2222}]",
        env="{clear: {A: b}, secret: [KEY]}",
        labels="{team: x}",
        environ={"KEY": "hidden-key", "USER": "hidden-user"},
    )
    public = redacted_dict(config)
    assert list(public)[:6] == ["service", "destination", "repository", "primary_host", "hosts", "roles"]
    assert public["hosts"] == ["a", {"host": "b", "port": 2222}]
    assert public["registry"] == {"server": "r.example.com", "username": ["USER"], "password": "[REDACTED]"}
    assert public["roles"] == WEB_ROLE
    assert "hidden" not in json.dumps(public)


def test_every_section_can_be_shown_without_what_is_hidden() -> None:
    secrets = dict.fromkeys(("RU", "RP", "S", "DB_PASSWORD", "ACME"), "hidden")
    public = redacted_dict(fixture("all_keys", **secrets))
    text = json.dumps(public)
    assert "hidden" not in text
    assert "-----BEGIN" not in text
    assert public["builder"]["args"] == {"RUBY": "[REDACTED]", "TOKEN": "[REDACTED]"}
    assert public["accessories"]["db"]["files"][1] == "init.sql:/docker-entrypoint-initdb.d/init.sql:ro"
