"""``python -m airflow_provider_cortex.emulator``: run it until Ctrl-C."""

import argparse
import contextlib
import errno
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_cortex.emulator.life import Life

if TYPE_CHECKING:
    from airflow_provider_cortex.emulator.server import Emulator

_DEMO_SECONDS = 25
_DEMO_QUERY_SECONDS = 5


def main() -> None:
    arguments = _parser().parse_args()
    try:
        # Heavy, and part of an extra that may be missing.
        from airflow_provider_cortex.emulator import Emulator
    except ImportError as error:
        sys.exit(str(error))
    emulator = Emulator(
        host=arguments.host,
        port=arguments.port,
        life=arguments.life,
        query_life=arguments.query_life,
        tls=arguments.tls,
        login_delay=arguments.login_delay,
        statement_delay=arguments.statement_delay,
    )
    try:
        emulator.start()
    except OSError as error:
        emulator.close()
        if error.errno != errno.EADDRINUSE:
            raise
        sys.exit(f"Port {arguments.port} is taken. Choose another: --port")
    _say(_greeting(emulator))
    _wait_for_signal()
    emulator.close()
    _say("Stopped.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_cortex.emulator",
        description="Snowflake Cortex fine-tuning and completion, emulated on this machine.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8282, help="0 for any (%(default)s)")
    for option, what, default in [
        ("--life", "a job", _DEMO_SECONDS),
        ("--query-life", "an asynchronous query", _DEMO_QUERY_SECONDS),
    ]:
        parser.add_argument(
            option,
            type=_life,
            default=Life.by_time(default),
            metavar="at-once|looks:N|seconds:N",
            help=f"how long {what} takes (seconds:{default})",
        )
    parser.add_argument(
        "--tls", type=Path, metavar="DIR", help="speak HTTPS; certificates are kept in DIR"
    )
    for delayed in "login", "statement":
        parser.add_argument(
            f"--{delayed}-delay",
            type=float,
            default=0.0,
            metavar="SECONDS",
            help=f"how long a {delayed} waits, as on a slow network (%(default)s)",
        )
    return parser


def _life(text: str) -> Life:
    kind, _, amount = text.partition(":")
    match kind:
        case "at-once" if not amount:
            return Life.at_once()
        case "looks":
            return Life.by_looks(int(amount))
        case "seconds":
            return Life.by_time(float(amount))
    message = f"neither at-once, looks:N nor seconds:N: {text}"
    raise argparse.ArgumentTypeError(message)


def _greeting(emulator: "Emulator") -> str:
    url = f"{emulator.protocol}://{emulator.host}:{emulator.port}"
    lines = [
        f"Snowflake Cortex, emulated, on {url}. Nothing is kept; Ctrl-C stops it.",
        f"Jobs: curl {url}/emulator/jobs",
        "",
        "For Airflow:",
        f"  export AIRFLOW_CONN_SNOWFLAKE_DEFAULT={shlex.quote(emulator.airflow_connection)}",
        "  export SNOWFLAKE_DISABLE_PLATFORM_DETECTION=true",
    ]
    if emulator.certificates:
        authorities = shlex.quote(str(emulator.certificates.authorities.absolute()))
        lines += [
            f"  export REQUESTS_CA_BUNDLE={authorities}",
            f"  export SSL_CERT_FILE={authorities}",
        ]
    lines += [
        "",
        "From Python:",
        f"  connection = snowflake.connector.connect(**{emulator.connect_arguments})",
        """  connection.cursor().execute("SELECT SNOWFLAKE.CORTEX.FINETUNE('SHOW')").fetchall()""",
        "",
    ]
    return "\n".join(lines)


def _wait_for_signal() -> None:
    for number in signal.SIGINT, signal.SIGTERM:
        signal.signal(number, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


def _say(text: str) -> None:
    # Flushed: whoever pipes the output waits for the line to export.
    print(text, flush=True)  # noqa: T201 - it is a command


if __name__ == "__main__":
    main()
