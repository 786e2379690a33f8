"""Words and variables of `kp app exec`, and lines of `kp … logs`."""

from __future__ import annotations

import pytest

from kamal_pyinfra.cli.commands.app import app
from kamal_pyinfra.cli.commands.exec import command_words, variables
from kamal_pyinfra.cli.logs import LogOptions, LogPrinter, print_logs
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.runner.queries.log_lines import LogLine
from kamal_pyinfra.shell.logs import LogFilter


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["bin/report --daily 'a  b'"], ("bin/report", "--daily", "a  b")),
        (["echo", "a  b", "$(id)"], ("echo", "a  b", "$(id)")),
        (["sh -c 'ls | wc'"], ("sh", "-c", "ls | wc")),
    ],
)
def test_one_text_is_split_and_words_stay(typed, words):
    assert command_words(typed) == words


@pytest.mark.parametrize(("typed", "message"), [(["it's"], "No closing quotation"), ([" "], "CMD is empty")])
def test_what_is_no_command_is_refused(typed, message):
    with pytest.raises(ConfigError, match=message):
        command_words(typed)


def test_variables_in_kamals_form_and_the_usual_one():
    assert variables(None, None, ["A:b=c", "D=e:f", "G:"]) == {"A": "b=c", "D": "e:f", "G": ""}
    for wrong in ("A", "1:x", ":x", "A-B:x"):
        with pytest.raises(ConfigError, match="should be NAME:VALUE"):
            variables(None, None, [wrong])


def test_options_for_grep_are_words_and_need_a_pattern():
    chosen = LogOptions(grep="x", grep_options="-A 3 -i")
    assert chosen.filter() == LogFilter(grep="x", grep_options=("-A", "3", "-i"))
    with pytest.raises(ConfigError, match="needs --grep"):
        LogOptions(grep_options="-i").filter()
    with pytest.raises(ConfigError, match="No closing quotation"):
        LogOptions(grep="x", grep_options="'").filter()


def test_lines_say_where_they_are_from_and_notices_are_beside_them(capsys):
    printer = LogPrinter(["web1", "web2"])
    printer.line(line("web2", "[b]bold?[/b]"))
    printer.notice("web1", "is back")
    assert capsys.readouterr() == ("web2/job  [b]bold?[/b]\n", "web1: is back\n")


def line(host: str, text: str) -> LogLine:
    return LogLine(host=host, container="shop-job-v2", label="job", text=text)


def test_found_lines_are_in_the_order_of_time_and_a_host_without_any_is_named(capsys):
    early, late = "2026-05-01T10:00:01.000000000Z a", "2026-05-01T10:00:02.000000000Z b"
    found = {"web1": [line("web1", late)], "web2": [line("web2", early), line("web2", "--")], "web3": []}
    print_logs(found, as_json=False)
    assert capsys.readouterr().out == (f"web2/job  {early}\nweb2/job  --\nweb1/job  {late}\nweb3  Nothing found\n")
    print_logs(found, as_json=True)
    assert capsys.readouterr().out == (
        '{"host": "web2", "container": "shop-job-v2", "time": "2026-05-01T10:00:01.000000000Z", "line": "a"}\n'
        '{"host": "web2", "container": "shop-job-v2", "time": null, "line": "--"}\n'
        '{"host": "web1", "container": "shop-job-v2", "time": "2026-05-01T10:00:02.000000000Z", "line": "b"}\n'
    )


def test_names_of_two_words_have_two_spellings():
    for name in ("stale_containers", "remove_container", "remove_containers", "remove_images"):
        assert app.get_command(None, name.replace("_", "-")) is app.get_command(None, name) is not None
