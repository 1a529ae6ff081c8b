"""``stvg doctor``: is everything set up that the service needs, and what mends what is not?"""

from __future__ import annotations

import json

import click

from backend.doctor.checks import examine
from backend.doctor.finding import fail
from backend.doctor.installation import open_installation
from backend.logs import configure_logging, redact
from backend.settings import SettingsError, load_settings
from stvg_core.text import printable


@click.command()
@click.option("--ask", is_flag=True, help="Also make the one request that may cost something: to the language model.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def command(ask: bool, as_json: bool) -> None:
    """Check the whole set-up of this machine. Exit status 1 where anything fails."""
    try:
        settings = load_settings()
    except SettingsError as error:
        finding = fail("settings", str(error), "Mend the variables that are named.")
        click.echo(json.dumps(finding.to_json(), ensure_ascii=False) if as_json else printable(finding.line()))
        raise SystemExit(1) from None
    secrets = list(settings.secrets())
    configure_logging(settings.log_level, secrets, settings.log_format)
    failed = False
    with open_installation(settings, ask=ask) as installation:
        for finding in examine(installation):
            failed |= finding.status == "fail"
            line = json.dumps(finding.to_json(), ensure_ascii=False) if as_json else printable(finding.line())
            click.echo(redact(line, secrets))
    if failed:
        raise SystemExit(1)
