from collections.abc import Mapping
from typing import Any, Protocol

from requests import Response
from segment.analytics.oauth_manager import OauthManager

class APIError(Exception):
    status: int
    code: str
    message: str
    response: Response | None

    def __init__(self, status: int, code: str, message: str, response: Response | None = None) -> None: ...

class _Answered(Protocol):
    @property
    def headers(self) -> Mapping[str, str]: ...

def parse_retry_after(response: _Answered) -> int | None: ...
def post(
    write_key: str,
    host: str | None = None,
    gzip: bool = False,
    timeout: float = 15,
    proxies: Mapping[str, str] | None = None,
    oauth_manager: OauthManager | None = None,
    retry_count: int = 0,
    **body: Any,
) -> Response: ...
