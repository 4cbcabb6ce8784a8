"""What the command line says, and the addresses that follow from it."""

from dataclasses import dataclass, field

# Ten retries with growing gaps over 20 hours, as Cobot's documentation describes them.
DEFAULT_BACKOFF_SECONDS = (
    60.0,
    120.0,
    300.0,
    600.0,
    1800.0,
    3600.0,
    7200.0,
    10800.0,
    21600.0,
    25920.0,
)


@dataclass(frozen=True)
class Options:
    """How the simulator behaves; 0 calls per minute or second means no limit."""

    latency_ms: int = 0
    cobot_per_minute: int = 60
    sevdesk_per_second: int = 0
    webhook_backoff_seconds: tuple[float, ...] = DEFAULT_BACKOFF_SECONDS
    webhook_delay_ms: int = 0


@dataclass
class Addresses:
    """The base URLs below which both sides answer; the port is known once the socket listens."""

    host: str = "127.0.0.1"
    port: int = field(default=0)

    @property
    def root(self) -> str:
        """Return scheme, host and port. A server on all interfaces is reached by loopback."""
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.port}"

    @property
    def cobot_www(self) -> str:
        """Return the base of www.cobot.me."""
        return f"{self.root}/cobot"

    @property
    def cobot_api(self) -> str:
        """Return the base of api.cobot.me."""
        return f"{self.root}/cobot-api"

    @property
    def sevdesk_api(self) -> str:
        """Return the base of sevdesk's API."""
        return f"{self.root}/sevdesk/api/v1"

    @property
    def control(self) -> str:
        """Return the base of the control calls."""
        return f"{self.root}/_control"

    def cobot_space(self, subdomain: str) -> str:
        """Return the base of <subdomain>.cobot.me."""
        return f"{self.root}/cobot-space/{subdomain}"
