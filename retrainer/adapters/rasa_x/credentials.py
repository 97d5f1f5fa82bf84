"""Who asks: a user's API token, a user's login, or the deployment's service token."""

from requests import PreparedRequest
from requests.auth import AuthBase

from retrainer.adapters.http.answer import Answer
from retrainer.adapters.http.client import Http
from retrainer.adapters.rasa_x.connection_options import ConnectionOptions


class Credentials(AuthBase):
    """Signs every request; a login's token is in `session`, empty before the first."""

    def __init__(self, options: ConnectionOptions) -> None:
        self._options = options
        self.session = ""

    @property
    def by_login(self) -> bool:
        """Whether a user has to log in."""
        return self._options.username is not None

    @property
    def tip(self) -> str:
        """What to do when the server does not accept them."""
        if self._options.api_token:
            return (
                "check `api_token`; tags and evaluations may need `username` and `password` instead"
            )
        if self.by_login:
            return "this user's login is not accepted here: check its rights in Rasa X"
        return "check `token`; most calls need `api_token`, or `username` and `password`, instead"

    def log_in(self, http: Http, *, limit: float) -> Answer:
        """Ask for a new session, at most `limit` seconds."""
        password = self._options.password
        self.session = ""
        body = {
            "username": self._options.username,
            "password": password.get_secret_value() if password else "",
        }
        return http.call("POST", "/auth", limit=limit, repeat=True, body=body)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign a request."""
        api_token, token = self._options.api_token, self._options.token
        if self.session:
            request.headers["Authorization"] = f"Bearer {self.session}"
        elif api_token:
            request.prepare_url(request.url, {"api_token": api_token.get_secret_value()})
        elif token:
            request.prepare_url(request.url, {"token": token.get_secret_value()})
        return request
