"""How a command that uses a deployment runs and ends."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

from tools.deployment import Deployment
from tools.errors import ToolError
from tools.output import print_line
from tools.signals import Interrupted

AnyDeployment = TypeVar("AnyDeployment", bound=Deployment)


def run(command: Callable[[AnyDeployment], None], deployment: AnyDeployment) -> NoReturn:
    """
    Run *command* on *deployment*, stop all processes, and exit.

    The exit status is 0 after a success, 1 after an error, and 128 plus the signal's number after
    a signal.
    """
    try:
        command(deployment)
        status = 0
    except Interrupted as interrupted:
        print_line(f"\n{interrupted}")
        status = interrupted.exit_status
    except ToolError as error:
        print_line(f"\n{error}")
        status = 1
    finally:
        deployment.stop()
    sys.exit(status)
