"""One-off commands and followed logs as text, and what a hostile word does to them."""

from __future__ import annotations

import subprocess

import pytest

from kamal_pyinfra.plan.state.desired import ContainerSpec
from kamal_pyinfra.plan.state.observed import Owner
from kamal_pyinfra.shell import exec as app_tasks
from kamal_pyinfra.shell import logs

ONCE = ContainerSpec(
    name="",
    image="acme/shop:latest",
    env_file=".kamal/env/roles/shop-web.env",
    env=(("COLOR", "dark blue"),),
    volumes=("data:/data",),
    options=(("memory", "256m"),),
)


def test_a_one_off_container_has_kamals_shape():
    assert app_tasks.run_once(ONCE, "bin/report --daily", {"WORD": "x"}, is_terminal=False) == (
        "docker run --rm --env-file .kamal/env/roles/shop-web.env --env COLOR='dark blue' --env WORD "
        "--volume data:/data --memory 256m --label traefik.enable=false acme/shop:latest bin/report --daily"
    )
    assert app_tasks.run_once(ONCE, "sh", {"WORD": "it's"}, is_terminal=True).startswith(
        "docker run -it --rm --env-file .kamal/env/roles/shop-web.env --env COLOR='dark blue' "
        """--env 'WORD=it'"'"'s' """
    )


def test_a_command_inside_a_container():
    assert app_tasks.run_inside("shop-web-v1", "ls", {}, is_terminal=False) == "docker exec shop-web-v1 ls"
    assert app_tasks.run_inside("shop-web-v1", "ls", {}, is_terminal=True) == "docker exec -it shop-web-v1 ls"


@pytest.mark.parametrize("value", ["it's", 'a"b', "$(id)", "two\nlines", "`id`", ""])
def test_variables_arrive_by_standard_input_as_they_are(value):
    script = app_tasks.with_variables('printf %s "$WORD"; cat')
    assert value == "" or value not in script
    typed = app_tasks.variables({"WORD": value})
    ended = subprocess.run(["sh", "-c", script], input=typed, capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == value


def test_the_exit_code_of_the_command_is_the_scripts():
    script = app_tasks.with_variables("exit 7 # done")
    assert (
        subprocess.run(
            ["sh", "-c", script], input=app_tasks.variables({}), text=True, check=False, timeout=20
        ).returncode
        == 7
    )


def test_what_is_followed_is_listed_with_its_role():
    owner = Owner(service="shop", destination="")
    filters = "--filter label=service=shop --filter label=destination= --filter label=role="
    listing = "docker ps --format '{{.ID}} {{.Names}} {{.Label \"role\"}}' "
    assert logs.running_app(owner, ["web", "job"]) == f"{listing}{filters}web && {listing}{filters}job"
    assert logs.running_container("traefik", "traefik") == (
        "docker ps --format '{{.ID}} {{.Names}} traefik' --filter 'name=^traefik$'"
    )


def test_a_dot_in_a_name_is_no_other_letter_for_dockers_filter():
    assert logs.running_container("my.db", "db").endswith(" --filter 'name=^my[.]db$'")
