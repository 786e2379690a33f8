"""Secrets that changed are named, and nothing of their values is."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamal_pyinfra.plan.compare.container import config_differences
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.state.desired import MODULUS, check, checks_of, clear_labels, digest_lines
from kamal_pyinfra.plan.state.observed import ImageDefaults, ObservedFile, ObservedHost
from tests.conftest import SECRETS, MakeConfig, a_run
from tests.plan.hosts import HOST, altered, deployed, plan_of

ENV_FILE = ".kamal/env/roles/shop-web.env"
TWO = {"env": {"secret": ["TOP_SECRET", "OTHER_SECRET"]}}


@given(st.text(), st.text())
def test_a_check_is_the_same_for_the_same_text_and_has_16_bits(one: str, other: str) -> None:
    assert 0 <= check(one) < MODULUS < 1 << 16
    assert check(one) == check(one)
    assert (check(one) == check(other)) or one != other


@given(st.text(min_size=1, alphabet=st.characters(codec="ascii")), st.data())
def test_one_changed_letter_changes_the_check(line: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(line) - 1))
    letter = data.draw(st.characters(codec="ascii").filter(lambda each: each != line[place]))
    assert check(line) != check(line[:place] + letter + line[place + 1 :])


def test_a_line_without_an_equals_sign_has_no_check() -> None:
    assert checks_of(["", "A=1", "B", "C=x=y"]) == {"A": check("A=1"), "C": check("C=x=y")}


def test_the_digest_is_of_all_lines() -> None:
    assert digest_lines(("A=1", "B=ü")) == hashlib.sha256("A=1\nB=ü\n".encode()).hexdigest()


def differences(before: Any, after: Any, seen: ObservedHost | None = None) -> list[str]:
    """What differs in the web container when a host goes from one configuration to another."""
    seen = seen or deployed(before, "v2")
    wanted = desired_host(a_run(after), HOST).containers[0]
    return [each.text for each in config_differences(wanted, seen.container("shop-web-v2"), seen)]


@pytest.mark.parametrize(
    ("names", "environ", "texts"),
    [
        (["TOP_SECRET", "OTHER_SECRET"], {}, []),
        (["OTHER_SECRET", "TOP_SECRET"], {}, []),
        (["TOP_SECRET", "OTHER_SECRET"], {"TOP_SECRET": "new"}, ["secret TOP_SECRET changed"]),
        (["TOP_SECRET", "OTHER_SECRET"], {"TOP_SECRET": ""}, ["secret TOP_SECRET changed"]),
        (
            ["TOP_SECRET", "OTHER_SECRET"],
            {"TOP_SECRET": "new", "OTHER_SECRET": "new"},
            ["secret OTHER_SECRET changed", "secret TOP_SECRET changed"],
        ),
        (["TOP_SECRET", "OTHER_SECRET", "THIRD"], {"THIRD": "3"}, ["secret THIRD added"]),
        (["TOP_SECRET", "THIRD"], {"THIRD": "3"}, ["secret THIRD added", "secret OTHER_SECRET removed"]),
    ],
)
def test_secrets_of_a_container_are_told_apart_by_name(
    config: MakeConfig, names: list[str], environ: dict[str, str], texts: list[str]
) -> None:
    after = config(env={"secret": names}, environ=SECRETS | environ)
    assert sorted(differences(config(**TWO), after)) == sorted(texts)


def test_a_secret_that_left_the_configuration_wholly_goes(config: MakeConfig) -> None:
    """It is not watched any more, so the name alone tells."""
    before, after = config(**TWO), config(env={"secret": ["TOP_SECRET"]})
    left = deployed(before, "v2")
    watched = {"TOP_SECRET": left.containers[0].secret_checks["TOP_SECRET"]}
    container = desired_host(a_run(after), HOST).containers[0]
    seen = altered(left, "shop-web-v2", secret_checks=watched, secrets=container.secrets)
    assert container.digest == left.containers[0].digest
    assert differences(before, after, seen) == ["env OTHER_SECRET removed"]


def test_secrets_with_the_same_check_are_still_known_to_have_changed(config: MakeConfig) -> None:
    """16 bits name a secret; the digest of all is what finds that one changed."""
    same = next(value for value in map(str, range(1 << 20)) if check(f"TOP_SECRET={value}") == check("TOP_SECRET=old"))
    assert same != "old"
    before, after = (config(env={"secret": ["TOP_SECRET"]}, environ=SECRETS | {"TOP_SECRET": x}) for x in ("old", same))
    assert differences(before, after) == ["a secret changed"]
    assert plan_of(after, deployed(before, "v2"), run_id="f" * 32) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          ~ env file  .kamal/env/roles/shop-web.env  content changed
          ± container shop-web-v2                    a secret changed

        Plan: 1 to replace, 0 to create, 1 to change, 0 to remove, 4 unchanged.
        """)


def test_secrets_that_were_not_looked_at_do_not_differ(config: MakeConfig) -> None:
    seen = altered(deployed(config(**TWO), "v2"), "shop-web-v2", secrets=None, secret_checks={})
    after = config(**TWO, environ=SECRETS | {"TOP_SECRET": "new"})
    assert differences(config(**TWO), after, seen) == []


def test_a_clear_variable_that_becomes_a_secret_with_its_value_is_no_change_of_the_container(
    config: MakeConfig,
) -> None:
    """What the container holds is the same; the file, where a later one would get it from, is written."""
    before = config(env={"clear": {"TOP_SECRET": "hush-top"}})
    after = config(env={"secret": ["TOP_SECRET"]})
    lines = ("TOP_SECRET=hush-top",)
    seen = altered(deployed(before, "v2"), "shop-web-v2", secrets=digest_lines(lines), secret_checks=checks_of(lines))
    assert "hush" not in " ".join(differences(before, after, seen))


def test_a_clear_variable_that_is_secret_elsewhere_may_have_lines(config: MakeConfig) -> None:
    """The first one is watched on the host as a secret; all of them are in the digest of the rest."""
    servers = {"web": {"hosts": [HOST], "env": {"clear": {"TOP_SECRET": "one\ntwo"}}}, "job": {"hosts": [HOST]}}
    servers["job"]["env"] = {"secret": ["TOP_SECRET"]}
    container, _ = desired_host(a_run(config(servers=servers)), HOST).containers
    assert container.secrets == digest_lines(("TOP_SECRET=one",))
    assert container.secret_checks == checks_of(("TOP_SECRET=one",))


def test_a_secret_of_another_role_that_the_image_sets_is_no_difference(config: MakeConfig) -> None:
    """`ENV TOP_SECRET=dummy` in the image, a secret of role web: the job's container has the image's for ever."""
    servers = {"web": {"hosts": [HOST], "env": {"secret": ["TOP_SECRET"]}}, "job": {"hosts": [HOST]}}
    roles = config(servers=servers, env={"secret": ["OTHER_SECRET"]})
    left = deployed(roles, "v2")
    lines = (f"OTHER_SECRET={SECRETS['OTHER_SECRET']}", "TOP_SECRET=dummy")
    job = left.container("shop-job-v2")
    seen = altered(
        replace(left, image_defaults={"sha256:v2": ImageDefaults(env=frozenset({"TOP_SECRET"}), command=job.command)}),
        "shop-job-v2",
        env={**job.env, "TOP_SECRET": None},
        secrets=digest_lines(lines),
        secret_checks=checks_of(lines),
    )
    assert plan_of(roles, seen, run_id="f" * 32) == "shop v2: nothing to change.\n"
    rotated = config(servers=servers, env={"secret": ["OTHER_SECRET"]}, environ=SECRETS | {"OTHER_SECRET": "new"})
    wanted = desired_host(a_run(rotated), HOST).containers[1]
    texts = [each.text for each in config_differences(wanted, seen.container("shop-job-v2"), seen)]
    assert texts == ["secret OTHER_SECRET changed"]


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ("TOP_SECRET=old\nOTHER_SECRET=hush-other\n", "secret TOP_SECRET changed"),
        ("OTHER_SECRET=hush-other\n", "secret TOP_SECRET added"),
        ("TOP_SECRET=hush-top\nOTHER_SECRET=hush-other\nOLD=x\n", "secret OLD removed"),
        ("TOP_SECRET=old\nOLD=x\n", "secret TOP_SECRET, secret OTHER_SECRET, secret OLD differ"),
        ("OTHER_SECRET=hush-other\nTOP_SECRET=hush-top\n", "content changed"),
        ("# by hand\nTOP_SECRET=hush-top\nOTHER_SECRET=hush-other\n", "content changed"),
        ("", "secret TOP_SECRET, secret OTHER_SECRET differ"),
    ],
)
def test_a_file_of_secrets_says_by_name_what_is_not_as_it_should_be(config: MakeConfig, lines: str, cause: str) -> None:
    file = ObservedFile(
        digest=hashlib.sha256(lines.encode()).hexdigest(), mode="600", checks=checks_of(lines.split("\n"))
    )
    left = deployed(config(**TWO), "v2")
    text = plan_of(config(**TWO), replace(left, files={**left.files, ENV_FILE: file}))
    assert f"  ~ env file  {ENV_FILE}  {cause}\n" in text


def test_a_container_says_which_of_its_variables_are_clear() -> None:
    env = (("SIZE", "1"), ("COLOR", "blue"), ("HOME_DIR", "${HOME}/x"), ("TOKEN", "a"), ("A,B", "x"), ("A B", "x"))
    assert clear_labels(env, ("TOKEN",)) == ("COLOR,SIZE",)
    assert clear_labels((), ()) == ()


def test_a_label_of_very_many_names_is_cut_at_a_name() -> None:
    (label,) = clear_labels([(f"VARIABLE_{number:05}", "x") for number in range(1000)], ())
    assert len(label) <= 8000
    assert label.endswith("VARIABLE_00532")
