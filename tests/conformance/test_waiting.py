"""Keys of Kamal's that are not wholly supported: what becomes of them is said."""

from __future__ import annotations

import io

import paramiko
import pytest

from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.inventory import role_groups
from tests.conftest import MakeConfig


def test_a_run_through_a_proxy_command_is_refused_with_the_way_out(config: MakeConfig) -> None:
    with pytest.raises(ConfigError, match="ssh/proxy_command: not supported yet; use ssh/proxy, or ProxyJump"):
        role_groups(config(ssh={"proxy_command": "nc %h %p"}))


def test_the_first_key_in_the_file_is_offered(config: MakeConfig) -> None:
    keys = [paramiko.RSAKey.generate(1024) for _ in range(2)]
    texts = [io.StringIO() for _ in keys]
    for key, text in zip(keys, texts, strict=True):
        key.write_private_key(text)
    ((_, data),) = role_groups(config(ssh={"key_data": [text.getvalue() for text in texts]}))["web"]
    assert data["ssh_paramiko_connect_kwargs"]["pkey"] == keys[0]
