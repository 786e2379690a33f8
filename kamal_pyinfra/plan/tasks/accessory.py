"""``kp accessory``: what each of its commands changes on a host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from kamal_pyinfra.plan import changes
from kamal_pyinfra.plan.collisions import foreign_accessories
from kamal_pyinfra.plan.compare.container import files_to_upload
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff.accessory import diff_left_accessories, diff_missing_accessories, removal_of
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.host import diff_directories, diff_env_files, diff_login
from kamal_pyinfra.plan.plan import TaskDecision, docker_errors
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedHost


def boot(run: Run, observed: ObservedHost) -> TaskDecision:
    """Missing accessories run; with the command ``accessory reboot`` those that are there are replaced too."""
    compared = Comparison(desired_host(run, observed.host), observed)
    steps = (diff_directories, diff_env_files, diff_login, diff_missing_accessories)
    return TaskDecision(
        changes=tuple(change for diff in steps for change in diff(compared)),
        refusals=_refusals(compared.desired, observed),
    )


def upload(run: Run, observed: ObservedHost) -> TaskDecision:
    """Files are what they are on this machine."""
    return TaskDecision(
        changes=tuple(
            changes.UploadFiles(name=each.key, container=each.name, uploads=uploads, cause="missing or changed")
            for each in desired_host(run, observed.host).accessories
            if (uploads := files_to_upload(each, observed))
        )
    )


def directories(run: Run, observed: ObservedHost) -> TaskDecision:
    """Folders are there."""
    desired = (path for each in desired_host(run, observed.host).accessories for path in each.directories)
    missing = tuple(path for path in desired if path not in observed.directories)
    creation = changes.CreateDirectories(paths=missing, cause="not found", are_of_accessories=True)
    return TaskDecision(changes=(creation,) if missing else ())


def _switch(run: Run, observed: ObservedHost, *, cause: str, stops: bool = True, starts: bool = True) -> TaskDecision:
    """Accessories that are there start, stop or both: to stop it has to run, to start it has to stand still."""
    desired = desired_host(run, observed.host)
    there = {each.name: each for each in observed.containers}
    missing = [each.key for each in desired.accessories if each.name not in there and starts]
    return TaskDecision(
        changes=tuple(
            changes.SwitchAccessory(name=each.key, container=each.name, cause=cause, stops=stops, starts=starts)
            for each in desired.accessories
            if each.name in there and (stops if there[each.name].is_running else starts)
        ),
        refusals=(
            *_refusals(desired, observed),
            *(f"{observed.host}: {name} is not there; run `kp accessory boot {name}`" for name in missing),
        ),
    )


start = partial(_switch, stops=False, cause="is not running")
stop = partial(_switch, starts=False, cause="stops")
restart = partial(_switch, cause="restarts")


def remove(run: Run, observed: ObservedHost, *, with_data: bool = False) -> TaskDecision:
    """Accessories are gone, in the configuration or not; their folders stay unless asked for."""
    desired = desired_host(replace(run, command="accessory", keeps_env=True), observed.host)
    removals = tuple(_removals(run, desired, observed, with_data=with_data))
    kept = "" if with_data else ", ".join(change.container for change in removals)
    return TaskDecision(
        changes=removals,
        notes=(f"data stays: folder {kept}, volumes; --data removes the folder",) if kept else (),
        refusals=_refusals(desired, observed),
    )


def prune(run: Run, observed: ObservedHost) -> TaskDecision:
    """Accessories that left the configuration are gone; their folders and volumes stay."""
    removals = diff_left_accessories(Comparison(desired_host(run, observed.host), observed))
    return TaskDecision(changes=removals, refusals=docker_errors(observed))


def _removals(
    run: Run, desired: DesiredHost, observed: ObservedHost, *, with_data: bool
) -> Iterator[changes.RemoveAccessory]:
    there = {*observed.directories, *observed.uploads}
    for accessory in desired.accessories:
        data = accessory.name if with_data else ""
        folders = {upload.path for upload in accessory.uploads}.union(accessory.directories)
        if existing := observed.container(accessory.name):
            yield removal_of(desired, existing, accessory.key, cause="asked for", data=data)
        elif accessory.env_file in observed.files or (with_data and folders & there):
            yield changes.RemoveAccessory(
                name=accessory.key,
                container=accessory.name,
                cause="asked for; its container is gone already",
                image="",
                env_file=accessory.env_file,
                data=data,
                is_running=False,
            )
    for left in diff_left_accessories(Comparison(desired, observed)):
        if not run.accessories or left.name in run.accessories:
            yield replace(left, data=left.container if with_data else "")


def _refusals(desired: DesiredHost, observed: ObservedHost) -> tuple[str, ...]:
    if not observed.docker.installed:
        return (f"{observed.host}: docker is not installed; run `kp setup` first",)
    taken = (f"{observed.host}: {reason}" for reason in foreign_accessories(desired, observed))
    return (*docker_errors(observed), *taken)
