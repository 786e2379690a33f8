"""Files that are no configuration, and where several problems are shown."""

from __future__ import annotations

import pytest

from tests.config.conftest import Load, Problems

TEXTS = {
    "empty": ("", "1:1 the file is empty"),
    "only a comment": ("# nothing\n", "1:1 the file is empty"),
    "a list": ("- a\n", "1:1 should be a hash"),
    "text": ("deploy\n", "1:1 should be a hash"),
    "tab": ("service: s\nservers:\n\t- a\n", "3:1 a tab in the indentation; YAML wants spaces"),
    "tab after spaces": ("env:\n  \tA: b\n", "2:3 a tab in the indentation; YAML wants spaces"),
    "unclosed": (
        "a: [b\n",
        "2:1 not valid YAML: expected ',' or ']', but got '<stream end>' (while parsing a flow sequence)",
    ),
    "two documents": (
        "a: b\n---\nc: d\n",
        "2:1 `---` begins a second document here; what follows is not read: take the line out",
    ),
    "a document with a start and an end of its own": (
        "# x\n---\na: b\n--- # more\n",
        "4:1 `---` begins a second document here; what follows is not read: take the line out",
    ),
    "the end of a document": (
        "a: b\n\n... # more below\n\nc: d\n",
        "3:1 `...` ends the file here; what follows is not read: take the line out",
    ),
    "the end of a document before anything": (
        "...\na: b\n",
        "1:1 `...` ends the file here; what follows is not read: take the line out",
    ),
    "the end of a document inside a text": (
        "a: 'b\n...\nc'\n",
        "2:1 `...` ends the file here; what follows is not read: take the line out",
    ),
    "tab between words": ("a:\tb\n", "1:3 a tab between words; YAML wants spaces there"),
    "unknown alias": ("a: *b\n", "1:4 not valid YAML: found undefined alias 'b'"),
    "control character": ("a: \x07\n", "1:4 the character #x0007 is not allowed in YAML"),
    "escape out of range": (
        'a: "\\UFFFFFFFF"\n',
        "1:1 not valid YAML: a number or an escape is out of range",
    ),
    "too deep": ("a: " + "[" * 5000, "1:43 nested more than 40 levels deep"),
    "alias of itself": ("a: &a [*a]\n", "1:4 a/0: an alias (`*`) leads back to the value that it stands in"),
    "merge of itself": ("env: &a\n  <<: *a\n", "1:6 env: an alias (`*`) leads back to the value that it stands in"),
    "merge of itself in a list": (
        "env: &a\n  clear: &b\n    <<: [*b, *a]\n",
        "1:6 env/clear: an alias (`*`) leads back to the value that it stands in\n"
        "2:10 env/clear: an alias (`*`) leads back to the value that it stands in",
    ),
    "a thousand chained merges": (
        "a0: &a0 {x: y}\n" + "".join(f"a{n}: &a{n}\n  <<: *a{n - 1}\n" for n in range(1, 1001)),
        "78:6 a39: too many values: are there aliases inside aliases?",
    ),
}


@pytest.mark.parametrize("case", TEXTS)
def test_text_that_is_no_configuration(problems: Problems, case: str) -> None:
    text, expected = TEXTS[case]
    lines = problems(text=text).splitlines()
    assert "\n".join(line for line in lines if "unknown key" not in line and "is required" not in line) == expected


def test_a_document_may_end_where_nothing_follows(load: Load) -> None:
    text = "---\nservice: s\nimage: i\nservers: [a]\nregistry: {username: u, password: p}\n... # the end\n\n# no more\n"
    assert load(text=text).service == "s"


def test_every_missing_key_is_named(problems: Problems) -> None:
    assert problems(text="volumes: []\n").splitlines() == [
        "1:1 image: is required",
        "1:1 servers: is required",
        "1:1 service: is required",
    ]


def test_duplicate_keys_are_found_at_any_depth(problems: Problems) -> None:
    assert problems(env="{clear: {A: b, A: c}}", labels="{x: y}\nlabels: {}") == (
        "5:21 env/clear: duplicate key: A (first on line 5); put both into one\n"
        "7:1 duplicate key: labels (first on line 6); put both into one"
    )


def test_keys_and_tags_that_yaml_allows_and_we_do_not(problems: Problems) -> None:
    assert problems(labels="{? [a] : b, ~: c, d: !ruby/sym e}", asset_path="!!binary x") == (
        "5:12 labels: a key should be a string\n"
        "5:21 labels: a key should be a string\n"
        "5:30 labels/d: the YAML tag !ruby/sym is not supported\n"
        "6:13 asset_path: the YAML tag tag:yaml.org,2002:binary is not supported"
    )


def test_an_alias_bomb_is_refused_quickly(problems: Problems) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join(['*' + a] * 10)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    assert problems(text="\n".join(lines)) == "5:4 e: too many values: are there aliases inside aliases?"


def test_problems_of_all_sections_come_together_from_top_to_bottom(problems: Problems) -> None:
    assert problems(image=None, volumes="x", boot="{wat: 1}", env="{A: }") == (
        "1:1 image: is required\n"
        "4:10 volumes: should be an array\n"
        "5:8 boot: unknown key: wat (did you mean `wait`?)\n"
        "6:9 env/A: should be a string"
    )


def test_problems_point_into_the_file_that_has_them(problems: Problems) -> None:
    staging = "labels: []\nenv:\n  clear: {B: }\n"
    assert problems(env="{clear: {A: , B: x}}", staging=staging) == (
        "config/deploy.staging.yml:1:9 labels: should be a hash\n"
        "config/deploy.staging.yml:3:13 env/clear/B: should be a string\n"
        "5:17 env/clear/A: should be a string"
    )


def test_a_problem_stays_on_one_line_whatever_the_file_holds(problems: Problems) -> None:
    assert problems(labels='{"a\\nb\\e[31m": ~}') == r"5:24 labels/a\nb\x1b[31m: should be a string"


def test_a_missing_file_is_named(problems: Problems) -> None:
    assert problems(destination="prod") == (
        "config/deploy.prod.yml:1:1 Configuration file not found in config/deploy.prod.yml"
    )


def test_a_destination_cannot_lead_out_of_the_folder(problems: Problems) -> None:
    assert problems(destination="../x") == ("destination '../x' can only include letters, digits, `_`, `.` and `-`")


@pytest.mark.parametrize(
    ("sections", "place"),
    [
        ({"env": "{clear: {SMALL: x, LONG: 'LONG_TEXT'}}"}, "5:31 env/clear/LONG"),
        ({"env": "{LONG: 'LONG_TEXT'}"}, "5:13 env/LONG"),
        ({"servers": "{web: {hosts: [a], env: {LONG: 'LONG_TEXT'}}}"}, "4:41 servers/web/env/LONG"),
        ({"servers": "[{a: t}]", "env": "{tags: {t: {LONG: 'LONG_TEXT'}}}"}, "5:24 env/tags/t/LONG"),
        ({"traefik": "{env: {LONG: 'LONG_TEXT'}}"}, "5:23 traefik/env/LONG"),
        ({"accessories": "{db: {image: i, host: a, env: {LONG: 'LONG_TEXT'}}}"}, "5:51 accessories/db/env/LONG"),
    ],
)
def test_values_that_no_command_line_carries_are_found(
    problems: Problems, sections: dict[str, str], place: str
) -> None:
    filled = {name: text.replace("LONG_TEXT", "x" * 100_000) for name, text in sections.items()}
    assert problems(**filled) == (
        f"{place}: too long: with LONG the clear values of a container need more than the 100000 bytes that fit on a "
        "command line; pass it in a file"
    )


@pytest.mark.parametrize(
    ("sections", "place", "name"),
    [
        ({"labels": "{a: b, long: 'LONG_TEXT'}"}, "5:22 labels/long", "long"),
        ({"volumes": "[a:b, 'LONG_TEXT:/x']"}, "5:16 volumes/1", "1"),
        ({"servers": "{web: {hosts: [a], cmd: 'LONG_TEXT'}}"}, "4:34 servers/web/cmd", "cmd"),
        ({"servers": "{web: {hosts: [a], labels: {long: 'LONG_TEXT'}}}"}, "4:44 servers/web/labels/long", "long"),
        (
            {"servers": "{web: {hosts: [a], options: {add-host: ['LONG_TEXT', b]}}}"},
            "4:49 servers/web/options/add-host",
            "add-host",
        ),
        ({"healthcheck": "{cmd: 'LONG_TEXT'}"}, "5:20 healthcheck/cmd", "cmd"),
        ({"accessories": "{db: {image: i, host: a, cmd: 'LONG_TEXT'}}"}, "5:44 accessories/db/cmd", "cmd"),
        ({"traefik": "{args: {long: 'LONG_TEXT'}}"}, "5:24 traefik/args/long", "long"),
        ({"traefik": "{labels: {long: 'LONG_TEXT'}}"}, "5:26 traefik/labels/long", "long"),
        ({"release": "{cmd: 'LONG_TEXT'}"}, "5:16 release/cmd", "cmd"),
        ({"release": "'LONG_TEXT'"}, "5:10 release", "cmd"),
        ({"boot": "{watch: {seconds: 5, cmd: 'LONG_TEXT'}}"}, "5:33 boot/watch/cmd", "cmd"),
        ({"logging": "{options: {tag: 'LONG_TEXT'}}"}, "5:26 logging/options/tag", "tag"),
        (
            {"servers": "{web: {hosts: [a], logging: {options: {tag: 'LONG_TEXT'}}}}"},
            "4:54 servers/web/logging/options/tag",
            "tag",
        ),
        ({"accessories": "{db: {image: i, host: a, port: 'LONG_TEXT'}}"}, "5:45 accessories/db/port", "port"),
    ],
)
def test_other_words_that_no_command_line_carries_are_found(
    problems: Problems, sections: dict[str, str], place: str, name: str
) -> None:
    filled = {key: text.replace("LONG_TEXT", "x" * 100_000) for key, text in sections.items()}
    found = problems(**filled)
    assert found.partition(": too long")[0] == place
    assert found.partition(": too long: ")[2] == (
        f"with {name} the words of `docker run` of a container need more than the 100000 bytes that fit on a command "
        "line; shorten it, or put it into a file"
    )


TOO_LONG = "is longer than a path may be: 255 bytes for a name, and 3800 before what kp adds"


@pytest.mark.parametrize("path", ["/" + "x" * 256, "/x" * 4000])
@pytest.mark.parametrize(
    ("sections", "place"),
    [
        ({"asset_path": "PATH"}, "5:13 asset_path"),
        ({"run_directory": "PATH"}, "5:16 run_directory"),
        ({"healthcheck": "{cord: PATH}"}, "5:21 healthcheck/cord"),
        ({"servers": "{web: {hosts: [a], asset_path: PATH}}"}, "4:41 servers/web/asset_path"),
        ({"servers": "{web: {hosts: [a], healthcheck: {cord: PATH}}}"}, "4:49 servers/web/healthcheck/cord"),
    ],
)
def test_paths_that_no_host_has_are_found(problems: Problems, sections: dict[str, str], place: str, path: str) -> None:
    assert problems(**{key: text.replace("PATH", path) for key, text in sections.items()}) == f"{place}: {TOO_LONG}"


def test_names_that_leave_no_room_for_a_version_are_found(problems: Problems) -> None:
    """A container, a folder and an env file are called after them, and a host takes 255 characters."""
    role = "r" * 146
    assert problems(servers=f"{{web: [a], {role}: [a]}}") == (
        f"4:169 servers/{role}: shop-{'r' * 15}… has 151 characters; names on hosts have room for 150"
    )
    assert problems(service="s" * 151) == (
        f"1:10 service: {'s' * 20}… has 155 characters; names on hosts have room for 150"
    )


def test_many_words_that_are_too_long_together_are_found(problems: Problems) -> None:
    labels = ", ".join(f"label-{number}: {'x' * 1000}" for number in range(101))
    assert " labels/label-" in problems(labels=f"{{{labels}}}")


def test_values_that_a_command_line_carries_are_accepted(load: Load) -> None:
    value = "x" * 49_900
    assert load(env=f"{{clear: {{A: {value}, B: {value}}}}}").env_for("web", "192.0.2.1").clear["A"] == value
