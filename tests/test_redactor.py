"""No value of a secret is in what is shown, in whatever form a program prints it; and words stay readable."""

from __future__ import annotations

import base64
import html
import json
import shlex
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra.redactor import COMMON, REDACTED, Redactor, redacted
from kamal_pyinfra.text import one_line, sanitized, sanitized_json
from tests.conftest import MakeConfig

KEY = """-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQ
QyNTUxOQAAACBk3yk3yk3yUaXb1tqJt9lq
-----END OPENSSH PRIVATE KEY-----
"""


def knows(*values: str, open_words: tuple[str, ...] = ()) -> Redactor:
    redactor = Redactor()
    redactor.learn(values, open_words=open_words)
    return redactor


SECRETS = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs", "Cf")), min_size=8
)


@given(secret=SECRETS.filter(lambda text: text.casefold() not in COMMON and text not in REDACTED))
def test_a_secret_is_hidden_however_it_is_spelled(secret: str) -> None:
    hide = knows(secret)
    for spelled in (
        secret,
        f"postgres://shop:{secret}@db/shop",
        json.dumps({"token": secret}),
        json.dumps({"token": secret}, ensure_ascii=False),
        repr({"token": secret}),
        f"export TOKEN={shlex.quote(secret)}",
        f"https://r.example.com/?token={quote(secret, safe='')}",
        f"https://r.example.com/?token={quote_plus(secret)}",
        f"<td>{html.escape(secret)}</td>",
    ):
        assert secret not in hide(spelled)
        assert "[REDACTED]" in hide(spelled), spelled


@given(before=st.text(alphabet="abc:", max_size=7), secret=SECRETS, after=st.text(alphabet="xyz", max_size=4))
def test_base64_of_a_secret_among_other_text_is_hidden(before: str, secret: str, after: str) -> None:
    """As in `{"auth": "…"}` of Docker's configuration, in which user and password are joined."""
    printed = knows(secret)(f'"auth": "{base64.b64encode(f"{before}{secret}{after}".encode()).decode()}"')
    assert "[REDACTED]" in printed


def test_each_line_of_a_key_is_hidden_and_what_frames_it_is_not() -> None:
    hide = knows(KEY)
    lines = KEY.splitlines()
    assert [hide(line) for line in lines] == [lines[0], "[REDACTED]", "[REDACTED]", lines[3]]
    assert hide(f"  | {lines[1]}") == "  | [REDACTED]"
    assert lines[2] not in hide(KEY.replace("\n", "\\n"))


def test_a_value_with_spelled_line_breaks_is_hidden_when_a_program_breaks_it() -> None:
    spelled = KEY.replace("\n", "\\n")
    assert [knows(spelled)(line) for line in KEY.splitlines()[1:3]] == ["[REDACTED]", "[REDACTED]"]


def test_base64_that_is_broken_into_lines_is_hidden() -> None:
    secret = "s3cr3t " * 40
    lines = base64.encodebytes(secret.encode()).decode().splitlines()
    assert {knows(secret)(line) for line in lines[:-1]} == {"[REDACTED]"}


@pytest.mark.parametrize("value", ["", "1", "yes", "on", "true", "False", "production", "postgres", "  \n "])
def test_a_value_that_is_short_or_common_hides_nothing(value: str) -> None:
    text = "1 of 2: production is true, yes; postgres on port 10001"
    assert knows(value)(text) == text


def test_a_value_of_few_letters_is_hidden_as_a_word_alone() -> None:
    hide = knows("hush", "7070")
    assert hide("PASSWORD=hush hushed 17070 :7070") == "PASSWORD=[REDACTED] hushed 17070 :[REDACTED]"


def test_a_value_that_is_a_name_in_the_configuration_is_no_secret() -> None:
    hide = knows("storefront", open_words=("storefront",))
    assert hide("Container storefront-web-v2 started") == "Container storefront-web-v2 started"


def test_a_longer_secret_is_hidden_whole_where_a_shorter_one_begins_it() -> None:
    assert knows("s3cr3t-t0ken", "s3cr3t-t0ken-of-production")("s3cr3t-t0ken-of-production!") == "[REDACTED]!"


def test_every_text_that_is_made_safe_to_print_is_without_secrets() -> None:
    redacted.learn(["s3cr3t-t0ken"])
    assert sanitized("a s3cr3t\x1b[0m-t0k\u200ben") == "a [REDACTED]"
    assert one_line("a\ns3cr3t-t0ken") == "a\\n[REDACTED]"
    assert json.loads(sanitized_json(json.dumps({"line": "a s3cr3t-t0ken"}))) == {"line": "a [REDACTED]"}


def test_all_secrets_of_a_configuration_are_known_when_it_is_loaded(config: MakeConfig) -> None:
    names = ("OF_APP", "OF_ROLE", "OF_TAG", "OF_DB", "OF_PROXY", "OF_BUILD", "SSH_KEY", "REGISTRY_PASSWORD")
    environ = {name: f"value-{name.lower()}" for name in names} | {"SSH_KEY": KEY, "OTHER": "value-other"}
    config(
        environ=environ,
        env={"secret": ["OF_APP"], "tags": {"big": {"secret": ["OF_TAG"]}}},
        servers={"web": {"hosts": [{"192.0.2.1": "big"}], "env": {"secret": ["OF_ROLE"]}}},
        accessories={"db": {"image": "db:1", "host": "192.0.2.1", "env": {"secret": ["OF_DB"]}}},
        traefik={"env": {"secret": ["OF_PROXY"]}},
        builder={"secrets": ["OF_BUILD"]},
        ssh={"key_data": ["${SSH_KEY}"]},
    )
    shown = redacted("\n".join(f"{name}={value}" for name, value in environ.items()))
    assert [line for line in shown.splitlines() if "REDACTED" not in line] == [
        "SSH_KEY=-----BEGIN OPENSSH PRIVATE KEY-----",
        "-----END OPENSSH PRIVATE KEY-----",
        "",
        "OTHER=value-other",
    ]


def test_a_password_that_stands_in_the_file_is_known(config: MakeConfig, tmp_path: Path) -> None:
    config(registry={"username": "acme", "password": "literal-passw0rd"})
    assert redacted("acme:literal-passw0rd") == "acme:[REDACTED]"
