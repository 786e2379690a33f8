"""Changes of the proxy that all services of a host share."""

from __future__ import annotations

from dataclasses import dataclass

from kamal_pyinfra.plan.changes.change import Action, Change
from kamal_pyinfra.plan.changes.leftovers import RemoveImage
from kamal_pyinfra.plan.state import Proxy


@dataclass(frozen=True, kw_only=True)
class RunProxy(Change):
    """The proxy gets created."""

    usual_action = Action.CREATE
    kind = "proxy"

    proxy: Proxy

    @property
    def subject(self) -> str:
        """Its container."""
        return self.proxy.name


@dataclass(frozen=True, kw_only=True)
class StartProxy(RunProxy):
    """The stopped proxy gets started."""

    usual_action = Action.UPDATE


@dataclass(frozen=True, kw_only=True)
class ReplaceProxy(RunProxy):
    """The proxy gets replaced, which interrupts traffic for a moment."""

    usual_action = Action.REPLACE


@dataclass(frozen=True, kw_only=True)
class SwitchProxy(Change):
    """The proxy gets stopped, started, or both, as it is; its configuration is not looked at."""

    kind = "proxy"

    name: str

    @property
    def subject(self) -> str:
        """Its container."""
        return self.name


@dataclass(frozen=True, kw_only=True)
class RemoveProxy(Change):
    """The proxy gets stopped and removed."""

    usual_action = Action.REMOVE
    kind = "proxy"

    name: str

    @property
    def subject(self) -> str:
        """Its container."""
        return self.name


@dataclass(frozen=True, kw_only=True)
class RemoveProxyImage(RemoveImage):
    """The proxy's image gets removed."""
