"""The console notifier writes to what it is given, whatever that can take."""

import io

from support import cycle_reports

from retrainer.adapters.console_notifier import ConsoleNotifier
from retrainer.reports.message import render


def test_it_writes_to_standard_error(capsys):
    """Standard output is kept for results, so that `--json` can be piped."""
    ConsoleNotifier(render).notify(cycle_reports.skipped())
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == render(cycle_reports.skipped()).text


def test_a_console_of_another_encoding_gets_escapes():
    """What a console cannot show is escaped; the report is not lost for one character."""
    raw = io.BytesIO()
    console = io.TextIOWrapper(raw, encoding="ascii")
    ConsoleNotifier(render, console).notify(cycle_reports.promoted())
    assert rb"wo ist mein Paket \U0001f4e6" in raw.getvalue()
