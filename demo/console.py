"""What the person at the terminal sees, and how our commands end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

from demo.deployment import Deployment
from demo.stopping import Stopped
from demo.trouble import Trouble

LIMIT = 150.0
"""Seconds after which a demo that is not over has failed."""

AnyDeployment = TypeVar("AnyDeployment", bound=Deployment)


def say(text: str = "") -> None:
    print(text, flush=True)  # noqa: T201 - it is a command


def main(scene: Callable[[Deployment], None]) -> NoReturn:
    """Play *scene* on the demo's deployment."""
    play(scene, Deployment(limit=LIMIT))


def play(scene: Callable[[AnyDeployment], None], deployment: AnyDeployment) -> NoReturn:
    """Play *scene*, end every process, and exit: with 0 only if all went well."""
    try:
        scene(deployment)
        status = 0
    except Stopped as stopped:
        say(f"\n{stopped}")
        status = stopped.exit_status
    except Trouble as trouble:
        say(f"\n{trouble}")
        status = 1
    finally:
        deployment.end()
    sys.exit(status)
