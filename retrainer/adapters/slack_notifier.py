"""Tells of a cycle in a Slack channel, by an incoming webhook or as a bot."""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self
from urllib.error import URLError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import WebClient
from slack_sdk.webhook import WebhookClient

from retrainer.adapters.deadline import within
from retrainer.errors import NotificationError
from retrainer.ports import CycleReport, Fetch, Message, Renderer

_TOO_MANY_REQUESTS = 429
#: Slack names its errors so. Anything else may repeat the request, and with it a secret.
_ERROR_NAME = re.compile(r"[a-z][a-z_]{1,60}")
#: What slack-sdk raises, and what it lets through when an answer is not Slack's.
_FAILURES = (SlackClientError, OSError, HTTPException, ValueError, LookupError, AttributeError)
_TIPS: Mapping[str, str] = {
    "channel_not_found": "check `channel`, and invite the app to it: /invite @APP",
    "not_in_channel": "invite the app to the channel: /invite @APP",
    "is_archived": "name a channel that is not archived",
    "channel_is_archived": "make a webhook for a channel that is not archived",
    "no_service": "the webhook was removed: make a new one and set `webhook_url`",
    "invalid_token": "the webhook was changed: make a new one and set `webhook_url`",
    "invalid_auth": "set `token` to the bot token (xoxb-...) of the Slack app",
    "not_authed": "set `token` to the bot token (xoxb-...) of the Slack app",
    "account_inactive": "the token was revoked: set `token` to a new one",
    "token_revoked": "the token was revoked: set `token` to a new one",
    "missing_scope": "give the Slack app the scope chat:write and install it again",
}

# slack-sdk logs URLs, and a webhook's URL is a secret. It logs if its logger has no level of its own.
_SILENT = logging.getLogger("retrainer.slack_sdk")
_SILENT.addHandler(logging.NullHandler())
_SILENT.setLevel(logging.CRITICAL + 1)
_SILENT.propagate = False


class SlackNotifier:
    """A `Notifier` for one channel.

    `render` puts the cycle into words; wiring gives every notifier the same one, so that Slack,
    console and history agree. Delivery is tried once, for `timeout` seconds at most: the outbox
    tries again.
    """

    class Options(BaseModel):
        """Options of `type = "slack"`: a `webhook_url`, or a `token` and a `channel`."""

        model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

        webhook_url: SecretStr | None = None
        """URL of an incoming webhook."""

        token: SecretStr | None = None
        """Bot token (xoxb-...) of a Slack app with the scope chat:write."""

        channel: str | None = None
        """Channel to post to as a bot: its ID or its name."""

        base_url: str = "https://slack.com/api/"
        """Address of Slack's API; used with `token`."""

        timeout: float = Field(default=10.0, gt=0, le=600, allow_inf_nan=False)
        """Seconds to wait for Slack."""

        @model_validator(mode="after")
        def _one_way_to_post(self) -> Self:
            by_webhook, as_bot = self.webhook_url is not None, bool(self.token and self.channel)
            any_of_a_bot = self.token is not None or self.channel is not None
            if by_webhook == as_bot or (by_webhook and any_of_a_bot):
                raise ValueError("set webhook_url, or else token and channel")
            urls = {"base_url": self.base_url}
            if self.webhook_url is not None:
                urls["webhook_url"] = self.webhook_url.get_secret_value()
            for key, url in urls.items():
                if not re.fullmatch(r"https?://[^\s/]+(/[!-~]*)?", url):
                    raise ValueError(f"{key} must be a URL that begins with https://")
            return self

    @classmethod
    def from_options(
        cls, options: Options, *, folder: Path, render: Renderer, fetch: Fetch
    ) -> Self:
        """The notifier that the options describe; `folder` and `fetch` are not used."""
        del folder, fetch
        return cls(options, render)

    def __init__(self, options: Options, render: Renderer) -> None:
        self._options, self._render = options, render

    def notify(self, report: CycleReport) -> None:
        """Post the report; called again it posts it again.

        Raises:
            NotificationError: Slack did not take it; no secret is in the message.
        """
        self._post(self._render(report))

    def notify_summary(self, report: CycleReport, missed: Sequence[CycleReport]) -> None:
        """Post the report with a line for each of the missed cycles; again: it posts it again.

        Raises:
            NotificationError: Slack did not take it; no secret is in the message.
        """
        self._post(self._render(report, missed))

    def _post(self, message: Message) -> None:
        by_webhook = self._options.webhook_url is not None
        send = self._send_by_webhook if by_webhook else self._send_as_bot
        try:
            within(self._options.timeout, lambda: send(message), name="slack")
        except SlackApiError as error:
            answer, headers = error.response.data, error.response.headers
            name = answer.get("error") if isinstance(answer, dict) else None
            raise _refusal(error.response.status_code, name, headers) from None
        except _FAILURES as error:
            happened = _describe(error, self._options.timeout)
            raise NotificationError(f"Slack {happened}") from None

    def _send_by_webhook(self, message: Message) -> None:
        url = self._options.webhook_url
        client = WebhookClient(
            url.get_secret_value() if url else "",
            timeout=math.ceil(self._options.timeout),
            logger=_SILENT,
            retry_handlers=[],
        )
        client.proxy = (
            None  # urllib's own choice of a proxy respects NO_PROXY, slack-sdk's does not
        )
        answer = client.send(**_payload(message))
        if answer.status_code != 200 or answer.body.strip() != "ok":  # noqa: PLR2004 - HTTP's OK
            raise _refusal(answer.status_code, answer.body.strip(), answer.headers)

    def _send_as_bot(self, message: Message) -> None:
        token, channel = self._options.token, self._options.channel
        client = WebClient(
            token.get_secret_value() if token else None,
            base_url=self._options.base_url,
            timeout=math.ceil(self._options.timeout),
            logger=_SILENT,
            retry_handlers=[],
        )
        answer = client.chat_postMessage(channel=channel or "", **_payload(message))
        if answer.get("ok") is not True:
            raise _refusal(answer.status_code, None, answer.headers)


def _payload(message: Message) -> dict[str, Any]:
    return {
        # Slack takes <...> for links and for calls to everybody in the channel.
        "text": escape(message.summary, quote=False),
        "blocks": [dict(block) for block in message.blocks] or None,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _refusal(status: int, answer: object, headers: Mapping[str, Any]) -> NotificationError:
    named = isinstance(answer, str) and _ERROR_NAME.fullmatch(answer)
    name = answer if isinstance(answer, str) and named else "an answer that is not Slack's"
    wait = _retry_after(headers)
    asked = "" if wait is None else f", and asks to wait for {wait:g} s"
    return NotificationError(
        f"Slack did not take the message: HTTP {status}, {name}{asked}",
        tip=_TIPS.get(name),
        retry_after=wait,
    )


def _retry_after(headers: Mapping[str, Any]) -> float | None:
    named = {name.lower(): value for name, value in headers.items()}
    try:
        seconds = float(named["retry-after"])
    except (KeyError, TypeError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _describe(error: Exception, timeout: float) -> str:
    """What happened, without the words of the error, which may hold the URL."""
    cause = error.reason if isinstance(error, URLError) else error  # urllib wraps the socket's
    if isinstance(cause, TimeoutError):
        return f"did not answer within {timeout:g} s"
    if isinstance(cause, OSError):
        return f"could not be reached: {cause.strerror or type(cause).__name__}"
    return f"did not answer as Slack does: {type(cause).__name__}"
