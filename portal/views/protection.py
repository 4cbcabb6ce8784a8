"""What every answer carries and every request must show: headers, CSRF, limits."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, abort, redirect, request
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response

from portal.core import core
from portal.views.access import MACHINE_ENDPOINTS, admin_or_none

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
STRICT_TRANSPORT = "max-age=31536000; includeSubDomains"
LARGEST_FORM = 64 * 1024
LOGIN_LIMIT = "10 per minute"

sender = get_remote_address
"""The visitor's address; behind proxies of ours the one that they name (PROXY_HOPS)."""
csrf = CSRFProtect()
limiter = Limiter(
    sender,
    # A queue that is away must cost a login nothing: count in memory then, and never fail.
    in_memory_fallback_enabled=True,
    swallow_errors=True,
    storage_options={"socket_connect_timeout": 1, "socket_timeout": 1},
)


def storage_uri(redis_url: str) -> str:
    """Return the queue's address in the spelling of `limits`, which has its own for sockets."""
    return "redis+" + redis_url if redis_url.startswith("unix:") else redis_url


def insist_on_https() -> ResponseReturnValue | None:
    """Send a page asked for without https to its https address.

    Only where the scheme is known: without PROXY_HOPS a proxy that ends TLS cannot be told from
    none, and the way would lead in a circle. Machines are not sent on: what they sent has been
    seen by others then, and a repeat would hide that.
    """
    config = core().config
    if not config.is_https or request.is_secure or not config.proxy_hops:
        return None
    if request.method not in {"GET", "HEAD"} or request.endpoint in MACHINE_ENDPOINTS:
        return None
    return redirect(config.public_url + request.full_path.rstrip("?"), 308)


def refuse_foreign_origin() -> None:
    """Turn away what another site sent, before anything else looks at it: 403."""
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        if site not in {"same-origin", "none"}:
            abort(403)
    elif origin is not None and origin not in _own_origins():
        abort(403)


def _own_origins() -> set[str]:
    public = urlsplit(core().config.public_url)
    return {f"{public.scheme}://{public.netloc}", request.host_url.rstrip("/")}


def check_token() -> None:
    """Demand the form's token of somebody signed in; for a view that is exempt from it else.

    Who is not signed in has no session that could hold one: a page for nobody writes nothing.
    """
    if admin_or_none() is not None:
        csrf.protect()


def headers_of_all() -> dict[str, str]:
    """Return the headers that every answer carries."""
    if core().config.is_https:
        return {**HEADERS, "Strict-Transport-Security": STRICT_TRANSPORT}
    return HEADERS


def add_headers(response: Response) -> Response:
    for name, value in headers_of_all().items():
        response.headers.setdefault(name, value)
    return response


def register_origin_check(app: Flask) -> None:
    app.before_request(insist_on_https)
    app.before_request(refuse_foreign_origin)


def register_protection(app: Flask) -> None:
    config = app.extensions["portal"].config
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_FORM,
        MAX_FORM_PARTS=100,
        # Oldest first: the last one signs, all are taken. Flask's own list is not looked at.
        WTF_CSRF_SECRET_KEY=[*app.config["SECRET_KEY_FALLBACKS"], app.config["SECRET_KEY"]],
        # A log page may stay open for hours; the token lives as long as the session.
        WTF_CSRF_TIME_LIMIT=None,
        # Its own check compares the Referer with the Host; ours compares origins.
        WTF_CSRF_SSL_STRICT=False,
        RATELIMIT_STORAGE_URI=storage_uri(config.redis_url.get_secret_value()),
        RATELIMIT_HEADERS_ENABLED=True,
    )
    if config.proxy_hops:
        # Never the host: addresses of ours are built from the setting. The scheme is one word, also
        # behind several proxies, and the nearest has the last say.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app,
            x_for=config.proxy_hops,
            x_proto=1,
            x_host=0,
            x_port=0,
            x_prefix=0,
        )
    app.after_request(add_headers)
    csrf.init_app(app)
    limiter.init_app(app)
