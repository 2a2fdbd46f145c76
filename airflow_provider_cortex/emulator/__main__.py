"""``python -m airflow_provider_cortex.emulator``: run an emulator until Ctrl-C."""

import argparse
import contextlib
import errno
import os
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_cortex.emulator.life import Life

if TYPE_CHECKING:
    from airflow_provider_cortex.emulator.emulator import Emulator

_JOB_SECONDS = 25
_QUERY_SECONDS = 5


def main() -> None:
    arguments = get_parser().parse_args()
    try:
        # Heavy, and part of an extra that may be missing.
        from airflow_provider_cortex.emulator import Emulator
    except ImportError as error:
        sys.exit(str(error))
    try:
        emulator = Emulator(
            host=arguments.host,
            port=arguments.port,
            allow_hosts=arguments.allow_host,
            life=arguments.life,
            query_life=arguments.query_life,
            tls=not arguments.http and (arguments.tls or _default_directory()),
            login_delay=arguments.login_delay,
            statement_delay=arguments.statement_delay,
        )
    except OSError as error:
        sys.exit(f"Cannot keep the certificates: {error}. Choose another directory with --tls.")
    try:
        emulator.start()
    except OSError as error:
        emulator.close()
        if error.errno != errno.EADDRINUSE:
            raise
        sys.exit(f"Port {arguments.port} is in use. Choose another one with --port.")
    with contextlib.suppress(KeyboardInterrupt):
        _take_signals()
        _print(_banner(emulator))
        _wait()
    emulator.close()
    _print("Stopped.")


def get_parser() -> argparse.ArgumentParser:
    """Return the command's parser, also for the reference."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_cortex.emulator",
        description="Emulates Snowflake Cortex fine-tuning and completion on this machine.",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=int, default=8282, help="0 for any free port (default: %(default)s)"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name by which clients may call the emulator, such as a container's; "
        "may be repeated (default: the address of --host, and localhost)",
    )
    for option, what, seconds in [
        ("--life", "job", _JOB_SECONDS),
        ("--query-life", "asynchronous query", _QUERY_SECONDS),
    ]:
        parser.add_argument(
            option,
            type=_life,
            default=Life.by_time(seconds),
            metavar="at-once|looks:N|seconds:N",
            help=f"how long each {what} takes: until the first poll, N more polls, "
            f"or N seconds (default: seconds:{seconds})",
        )
    protocol = parser.add_mutually_exclusive_group()
    protocol.add_argument(
        "--tls",
        type=Path,
        metavar="DIR",
        help="where the certificates for HTTPS are kept "
        "(default: ~/.cache/airflow-provider-cortex/emulator)",
    )
    protocol.add_argument(
        "--http",
        action="store_true",
        help="serve plain HTTP, which Airflow's own Snowflake tasks do not speak",
    )
    for delayed in "login", "statement":
        parser.add_argument(
            f"--{delayed}-delay",
            type=float,
            default=0.0,
            metavar="SECONDS",
            help=f"delay of each {delayed}, as on a slow network (default: %(default)s)",
        )
    return parser


def _default_directory() -> Path:
    """Return where the certificates are kept, so that a restart needs no new export."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "airflow-provider-cortex" / "emulator"


def _life(text: str) -> Life:
    kind, _, amount = text.partition(":")
    match kind:
        case "at-once" if not amount:
            return Life.at_once()
        case "looks":
            return Life.by_looks(int(amount))
        case "seconds":
            return Life.by_time(float(amount))
    message = f"must be at-once, looks:N or seconds:N; got {text!r}"
    raise argparse.ArgumentTypeError(message)


def _banner(emulator: "Emulator") -> str:
    url = shlex.quote(f"{emulator.url}/emulator/jobs")
    trust = (
        f"--cacert {shlex.quote(str(emulator.certificates.authorities))} "
        if emulator.certificates
        else ""
    )
    exports = [
        f"  export {name}={shlex.quote(value)}" for name, value in emulator.environment.items()
    ]
    lines = [
        f"The Snowflake Cortex emulator listens on {emulator.url}.",
        "Press Ctrl-C to stop it; it keeps no data.",
        "",
        "Show its jobs:",
        f"  curl {trust}{url}",
        "",
        "Use it from Airflow, or from anything else in the same shell:",
        *exports,
        "",
        "Use it from Python, after these exports:",
        f"  connection = snowflake.connector.connect(**{emulator.connect_arguments})",
        """  connection.cursor().execute("SELECT SNOWFLAKE.CORTEX.FINETUNE('SHOW')").fetchall()""",
        "",
    ]
    return "\n".join(lines)


def _take_signals() -> None:
    # A shell that starts it in the background has it ignore SIGINT.
    for number in signal.SIGINT, signal.SIGTERM:
        signal.signal(number, signal.default_int_handler)


def _wait() -> None:
    while True:
        time.sleep(3600)


def _print(text: str) -> None:
    # Flushed, because a program that reads the output waits for the line to export.
    print(text, flush=True)  # noqa: T201 - it is a command


if __name__ == "__main__":
    main()
