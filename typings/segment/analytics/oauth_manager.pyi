class OauthManager:
    # Of its arguments, those that we give.
    def __init__(
        self,
        client_id: str,
        client_key: str,
        key_id: str,
        auth_server: str = ...,
        scope: str = ...,
        timeout: float = ...,
    ) -> None: ...
    def get_token(self) -> str: ...
    def clear_token(self) -> None: ...
