"""Accessories in the plan: what they should be, what a deploy advises, what setup boots."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from kamal_pyinfra.errors import ConfigError, PlanRefused
from kamal_pyinfra.naming import ACCESSORY_LABEL, DIGEST_LABEL
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.output.document import plan_document
from kamal_pyinfra.plan.output.text import render_text
from kamal_pyinfra.plan.plan import make_plan, task_plan
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedFile, ObservedHost, ObservedImage, Status
from kamal_pyinfra.plan.tasks import accessory as accessory_tasks
from kamal_pyinfra.plan.tasks import remove as removal_tasks
from tests.conftest import HOME, MakeConfig, a_run
from tests.plan.hosts import deployed, fresh, plan_of

DB = "192.0.2.9"


def mysql(**fields):
    return {
        "image": "mysql:8",
        "host": DB,
        "port": 3306,
        "env": {"clear": {"LEVEL": "1"}, "secret": ["TOP_SECRET"]},
        "files": ["my.cnf.erb:/etc/mysql/my.cnf:ro", "init.sql:/init/a.sql", "init.sql:/init/b.sql"],
        "directories": ["data:/var/lib/mysql", "/srv/backup:/backup"],
        "volumes": ["cache:/cache"],
        "labels": {"team": "db"},
        "options": {"cpus": 2},
        "cmd": "mysqld --verbose",
        **fields,
    }


@pytest.fixture
def shop(config: MakeConfig, tmp_path: Path):
    """The least configuration with an accessory on a host without role; its files are in the project."""
    (tmp_path / "my.cnf.erb").write_text('# tuned\nlevel=<%= ENV["LEVEL"] %>\n')
    (tmp_path / "init.sql").write_text("select 1;\n")

    def loaded(**fields):
        return config(accessories={"db": mysql(**fields)})

    return loaded


def as_run(config, host: str = DB) -> ObservedHost:
    """A host on which setup is over."""
    desired = desired_host(a_run(config, "v1", command="setup"), host)
    seen = deployed(config, host=host, command="setup")
    made = tuple(_container(accessory) for accessory in desired.accessories)
    return replace(
        seen,
        containers=(*seen.containers, *made),
        images=(*seen.images, *(ObservedImage(reference=each.image, id="sha256:a") for each in desired.accessories)),
        uploads={
            upload.path: ObservedFile(digest=upload.digest, mode="755")
            for each in desired.accessories
            for upload in each.uploads
        },
    )


def _container(accessory) -> ObservedContainer:
    parts = [volume.replace("$PWD", HOME).split(":") for volume in accessory.volumes]
    return ObservedContainer(
        id="id-of-db",
        name=accessory.name,
        image=accessory.image,
        image_id="sha256:a",
        created="2026-01-01T00:00:00Z",
        status=Status.RUNNING,
        health=None,
        restarts=0,
        labels={**dict(accessory.labels), DIGEST_LABEL: accessory.digest, ACCESSORY_LABEL: accessory.owner},
        env={**dict(accessory.env), **dict.fromkeys(accessory.secret_names)},
        mounts={target: source for source, target, *_ in parts},
        volumes={target: f"{source}:ro" if mode else source for source, target, *mode in parts},
        command=("mysqld", "--verbose"),
        ports={},
        options={"NanoCpus": ("2",), "PortBindings": (":3306:3306/tcp",)},
        log_driver="json-file",
        log_options={"max-size": "10m"},
        health_command=None,
        secrets=accessory.secrets,
        secret_checks=accessory.secret_checks,
    )


def test_an_accessory_is_what_kamal_would_run(shop) -> None:
    (accessory,) = desired_host(a_run(shop()), DB).accessories
    assert (accessory.name, accessory.owner, accessory.publish) == ("shop-db", "shop/db", "3306:3306")
    assert accessory.env_file == ".kamal/env/accessories/shop-db.env"
    assert accessory.volumes == (
        "cache:/cache",
        "$PWD/shop-db/etc/mysql/my.cnf:/etc/mysql/my.cnf:ro",
        "$PWD/shop-db/init/a.sql:/init/a.sql",
        "$PWD/shop-db/init/b.sql:/init/b.sql",
        "$PWD/shop-db/data:/var/lib/mysql",
        "/srv/backup:/backup",
    )
    assert [(each.path, each.content) for each in accessory.uploads] == [
        ("shop-db/etc/mysql/my.cnf", "# tuned\nlevel=1\n"),
        ("shop-db/init/a.sql", b"select 1;\n"),
        ("shop-db/init/b.sql", b"select 1;\n"),
    ]
    assert accessory.directories == ("shop-db/data", "/srv/backup")
    assert accessory.labels == (("service", "shop-db"), ("team", "db"))


def test_the_name_has_no_destination_but_the_owner_has(config: MakeConfig) -> None:
    shop = config(destination="staging", accessories={"db": {"image": "mysql:8", "host": DB}})
    (accessory,) = desired_host(a_run(shop), DB).accessories
    assert (accessory.name, accessory.owner) == ("shop-db", "shop-staging/db")


def test_a_file_stays_below_the_folder_of_its_accessory(shop) -> None:
    (accessory,) = desired_host(a_run(shop(files=["init.sql:/../../etc/passwd"])), DB).accessories
    assert [each.path for each in accessory.uploads] == ["shop-db/etc/passwd"]


def test_a_missing_file_is_named_before_it_is_needed_and_does_not_hinder_a_deploy(shop) -> None:
    config = shop(files=["nope.cnf:/nope.cnf"])
    with pytest.raises(ConfigError, match=r"accessories/db/files/0: nope.cnf cannot be read: No such file"):
        config.require_accessory_files(["db"])
    (accessory,) = desired_host(a_run(config), DB).accessories
    assert [(each.path, each.content) for each in accessory.uploads] == [("shop-db/nope.cnf", None)]


def test_setup_boots_what_is_missing_on_a_host_without_role(shop) -> None:
    config = shop()
    assert plan_of(config, deployed(config, "v2"), fresh(DB), command="setup", is_setup=True) == dedent("""\
        Plan for shop v2

        web: 192.0.2.1
          nothing to change

        db: 192.0.2.9
          + directory .kamal, .kamal/env/accessories      not found
          + env file  .kamal/env/accessories/shop-db.env  not found
          + accessory shop-db                             is not on the host

        Plan: 0 to replace, 3 to create, 0 to change, 0 to remove, 6 unchanged.
        """)


def advice(config, *seen: ObservedHost, **run) -> str:
    return plan_of(config, deployed(config, "v2"), *seen, **run)


NOTHING = "shop v2: nothing to change.\n"


def on_db(*lines: str) -> str:
    return "\n".join([f"{NOTHING}", f"Not part of this run, on {DB}:", *(f"  {line}" for line in lines), ""])


def test_a_deploy_finds_nothing_to_say_once_all_is_as_configured(shop) -> None:
    assert advice(shop(), as_run(shop())) == NOTHING


def test_a_deploy_only_advises(shop) -> None:
    before = as_run(shop())
    (made,) = before.containers
    gone, ended = replace(before, containers=()), replace(before, containers=(replace(made, status=Status.EXITED),))
    ready = replace(fresh(DB), directories=frozenset({".kamal"}))
    assert advice(shop(), ready) == on_db("+ accessory shop-db  is not on the host; run `kp accessory boot db`")
    assert advice(shop(), gone) == on_db("+ accessory shop-db  is not on the host; run `kp accessory boot db`")
    assert advice(shop(), ended) == on_db("~ accessory shop-db  is exited (drift); run `kp accessory start db`")


@pytest.mark.parametrize(
    ("edit", "cause"),
    [
        ({"image": "mysql:9"}, "image: mysql:8 → mysql:9"),
        ({"port": "127.0.0.1:3306:3306"}, "publish: 3306:3306 → 127.0.0.1:3306:3306"),
        ({"cmd": "mysqld"}, "cmd: mysqld --verbose → mysqld"),
        ({"options": {"cpus": 1}}, "cpus: 2 → 1"),
        ({"labels": {"team": "ops"}}, "label team: db → ops"),
        ({"volumes": ["other:/cache"]}, "volume /cache: cache → other"),
        ({"files": ["init.sql:/init/a.sql", "init.sql:/init/b.sql", "my.cnf.erb:/etc/mysql/my.cnf"]},
         "volume /etc/mysql/my.cnf: /home/deploy/shop-db/etc/mysql/my.cnf:ro → /home/deploy/shop-db/etc/mysql/my.cnf"),
    ],
)  # fmt: skip
def test_each_field_is_compared(shop, edit, cause) -> None:
    config = shop(**edit)
    assert advice(config, as_run(shop())) == on_db(f"± accessory shop-db  {cause}; run `kp accessory reboot db`")


def test_a_variable_that_a_template_uses_changes_the_file_too(shop) -> None:
    config = shop(env={"clear": {"LEVEL": "2"}, "secret": ["TOP_SECRET"]})
    assert advice(config, as_run(shop())) == on_db(
        "± accessory shop-db  env LEVEL, file shop-db/etc/mysql/my.cnf differ; run `kp accessory reboot db`",
        "  env LEVEL: 1 → 2",
        "  file shop-db/etc/mysql/my.cnf changed",
    )


def test_a_changed_secret_is_named_and_not_shown(shop, config: MakeConfig) -> None:
    before = as_run(shop())
    after = config(
        accessories={"db": mysql()},
        environ={"REGISTRY_PASSWORD": "hush-registry", "TOP_SECRET": "hush-new"},
    )
    assert advice(after, before) == on_db(
        "± accessory shop-db  secret TOP_SECRET changed; run `kp accessory reboot db`"
    )


def test_what_left_the_config_is_recognised_and_never_taken_for_the_app(shop, config: MakeConfig) -> None:
    seen = replace(as_run(shop()), host="192.0.2.1")
    without = config()
    both = replace(deployed(without, "v2"), containers=(*deployed(without, "v2").containers, *seen.containers))
    assert plan_of(without, both) == (
        f"{NOTHING}\nNot part of this run, on 192.0.2.1:\n"
        "  - accessory shop-db  accessory db is not in the config any more; run `kp accessory remove db`\n"
    )


def test_what_a_run_of_some_roles_does_not_touch_it_does_not_mention(shop) -> None:
    assert advice(shop(), fresh(DB), roles=("web",)) == NOTHING


def test_advice_is_in_the_json_and_counts_nowhere(shop) -> None:
    plan = make_plan(a_run(shop()), {DB: replace(as_run(shop()), containers=())})
    document = plan_document(plan).model_dump()
    assert document["hosts"][0]["advice"] == [
        {
            "action": "create",
            "kind": "accessory",
            "subject": "shop-db",
            "role": "",
            "cause": "is not on the host",
            "differences": [],
            "drift": False,
            "part_of": "",
            "command": "kp accessory boot db",
        }
    ]
    assert (plan.is_empty, set(document["summary"].values())) == (True, {0})


def task(config, decide, *seen: ObservedHost, **run) -> str:
    values = {"command": "accessory", **run}
    return render_text(task_plan(a_run(config, "unknown", **values), {each.host: each for each in seen}, decide))


REMOVED = """\
Plan for shop

db: 192.0.2.9
  - accessory shop-db  asked for
  (data stays: folder shop-db, volumes; --data removes the folder)

Plan: 0 to replace, 0 to create, 0 to change, 1 to remove, 0 unchanged.
"""


def test_a_removal_says_what_stays_and_needs_no_secret_and_no_file(config: MakeConfig, shop) -> None:
    seen = as_run(shop())
    bare = config(accessories={"db": mysql(files=["nope:/nope"])}, environ={})
    assert task(bare, accessory_tasks.remove, seen) == REMOVED
    with_service = task(bare, removal_tasks.remove, seen, command="remove")
    assert "- accessory shop-db     asked for\n" in with_service
    assert "- registry  Docker Hub  the service is removed\n  (data stays: folder shop-db, volumes;" in with_service


def test_a_removal_of_one_leaves_the_other(config: MakeConfig, shop) -> None:
    assert task(shop(), accessory_tasks.remove, as_run(shop()), accessories=("cache",)) == "shop: nothing to change.\n"


def test_only_what_left_the_config_is_pruned(config: MakeConfig, shop) -> None:
    seen = as_run(shop())
    assert task(shop(), accessory_tasks.prune, seen) == "shop: nothing to change.\n"
    assert "- accessory shop-db  accessory db is not in the config any more" in task(
        config(), accessory_tasks.prune, replace(seen, host="192.0.2.1")
    )


def test_a_name_that_somebody_else_took_is_left_alone(shop) -> None:
    seen = as_run(shop())
    (made,) = seen.containers
    foreign = replace(seen, containers=(replace(made, labels={"service": "blog", "role": "web"}),))
    for decide in (accessory_tasks.boot, accessory_tasks.stop, accessory_tasks.remove):
        with pytest.raises(PlanRefused, match="the name shop-db is taken by a container that is not ours"):
            task(shop(), decide, foreign)


def test_a_start_of_what_is_not_there_names_the_way_out(shop) -> None:
    with pytest.raises(PlanRefused, match=r"192\.0\.2\.9: db is not there; run `kp accessory boot db`"):
        task(shop(), accessory_tasks.start, fresh(DB))


def test_hosts_without_role_come_along_with_the_last_batch(config: MakeConfig) -> None:
    batched = config(
        servers=["192.0.2.1", "192.0.2.2"], boot={"limit": 1}, accessories={"db": {"image": "mysql:8", "host": DB}}
    )
    run = a_run(batched)
    assert run.fleet == ("192.0.2.1", "192.0.2.2", DB)
    assert run.batches(run.fleet) == [("192.0.2.1",), ("192.0.2.2", DB)]
    assert run.batches([DB]) == [(DB,)]
