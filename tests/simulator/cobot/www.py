"""www.cobot.me: the login, the exchange of codes, tokens, users and spaces (API 1)."""

import base64
import hashlib
import hmac
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, redirect, request

from tests.simulator.checks import Json
from tests.simulator.cobot.access import Access, Refusal, refuse
from tests.simulator.cobot.answers import body_fields, plain, plain_refusal
from tests.simulator.cobot.login_page import login_page, wrong_app_page
from tests.simulator.cobot.scopes import ALL_SCOPES
from tests.simulator.cobot.shapes import space_v1, user_v1
from tests.simulator.cobot.state import CobotSide, OAuthClient
from tests.simulator.cobot.tokens import LoginCode, Token
from tests.simulator.simulator import Simulator

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def www_blueprint(simulator: Simulator, access: Access) -> Blueprint:
    """Return the routes below the base of www.cobot.me."""
    bp = Blueprint("cobot_www", __name__)
    bp.register_error_handler(Refusal, plain_refusal)

    def side() -> CobotSide:
        return simulator.world.cobot

    @bp.route("/oauth/authorize", methods=["GET", "POST"])
    def authorize() -> Response:
        client = side().clients.get(request.args.get("client_id", ""))
        target = _redirect_uri(client)
        if client is None or target is None:
            return Response(wrong_app_page(), 400, content_type="text/html; charset=utf-8")
        problem = _authorize_problem()
        if problem:
            return _back(target, {"error": problem})
        if request.method == "GET":
            page = login_page(
                list(side().users.values()), side().spaces, client.client_id, _asked_scopes()
            )
            return Response(page, content_type="text/html; charset=utf-8")
        if request.form.get("decision") == "deny":
            return _back(target, {"error": "access_denied"})
        user = side().users.get(request.form.get("user_id", ""))
        if user is None:
            return Response(wrong_app_page(), 400, content_type="text/html; charset=utf-8")
        code = side().tokens.make_code(
            user_id=user.id,
            client_id=client.client_id,
            redirect_uri=target,
            scopes=_asked_scopes(),
            challenge=request.args.get("code_challenge"),
        )
        return _back(target, {"code": code.value})

    @bp.post("/oauth/access_token")
    def access_token() -> Response:
        client = side().clients.get(request.form.get("client_id", ""))
        # Cobot documents the secret in the form only; a basic header is not looked at, so it fails.
        secret = request.form.get("client_secret", "").encode()
        if client is None or not hmac.compare_digest(secret, client.client_secret.encode()):
            return plain({"error": "invalid_client"}, 401)
        if request.form.get("grant_type") != "authorization_code":
            return plain({"error": "unsupported_grant_type"}, 400)
        code = side().tokens.take_code(request.form.get("code", ""))
        if code is None or not _code_fits(code, client):
            return plain({"error": "invalid_grant"}, 400)
        token = side().tokens.make_token(
            user_id=code.user_id, client_id=client.client_id, scopes=code.scopes
        )
        response = plain({"access_token": token.value, "token_type": "bearer"})
        response.headers["Cache-Control"] = "no-store"
        return response

    @bp.get("/api/user")
    def user() -> Response:
        token = access.caller("read_user")
        person = access.person_of(token)
        if person is None:
            refuse(403, "nobody stands behind this token")
        return plain(user_v1(side(), person, simulator.addresses))

    @bp.get("/api/spaces/<subdomain>")
    def space(subdomain: str) -> Response:
        found = side().space_by_subdomain(subdomain)
        if found is None:
            refuse(404, "not found")
        return plain(space_v1(found, simulator.addresses))

    @bp.post("/api/access_tokens/<value>/space")
    def space_token(value: str) -> Response:
        caller = access.caller()
        source = _own_token(side(), caller, value)
        space_id = body_fields().get("space_id")
        found = side().spaces.get(space_id) if isinstance(space_id, str) else None
        if found is None:
            refuse(422, "is invalid", "space_id")
        access.enter(caller, found)
        token = side().tokens.make_token(
            user_id=source.user_id,
            client_id=source.client_id,
            scopes=source.scopes,
            space_id=found.id,
        )
        shown: Json = {
            "token": token.value,
            "scope": list(token.scopes),
            "client_id": token.client_id,
        }
        return plain(shown, 201)

    @bp.get("/api/access_tokens/<value>")
    def read_token(value: str) -> Response:
        return plain({"scope": list(_own_token(side(), access.caller(), value).scopes)})

    @bp.delete("/api/access_tokens/<value>")
    def revoke_token(value: str) -> Response:
        side().tokens.revoke(_own_token(side(), access.caller(), value).value)
        return Response(status=204)

    return bp


def _own_token(side: CobotSide, caller: Token, value: str) -> Token:
    """Return the token in the address; it must be of the caller's app and person."""
    token = side.tokens.find(value)
    if token is None:
        refuse(404, "not found")
    if (token.client_id, token.user_id) != (caller.client_id, caller.user_id):
        refuse(403, "this token is not yours")
    return token


def _redirect_uri(client: OAuthClient | None) -> str | None:
    """Return where the login may send the browser, or None for an address not registered."""
    wanted = request.args.get("redirect_uri")
    if client is None:
        return None
    if wanted is None:
        return (
            client.redirect_uris[0]
            if len(client.redirect_uris) == 1 and not client.any_loopback
            else None
        )
    if client.any_loopback:
        target = urlsplit(wanted)
        is_loopback = target.scheme in ("http", "https") and target.hostname in LOOPBACK_HOSTS
        return wanted if is_loopback and not target.fragment else None
    return wanted if wanted in client.redirect_uris else None


def _asked_scopes() -> tuple[str, ...]:
    return tuple(dict.fromkeys(request.args.get("scope", "").split()))


def _authorize_problem() -> str | None:
    if request.args.get("response_type") != "code":
        return "unsupported_response_type"
    if not set(_asked_scopes()) <= ALL_SCOPES:
        return "invalid_scope"
    has_challenge = "code_challenge" in request.args
    method = request.args.get("code_challenge_method")
    if has_challenge != (method is not None) or (has_challenge and method != "S256"):
        return "invalid_request"
    return None


def _back(target: str, answer: dict[str, str]) -> Response:
    """Send the browser back to the app with the answer and the state that the app gave."""
    state = request.args.get("state")
    pairs = answer if state is None else {**answer, "state": state}
    joint = "&" if urlsplit(target).query else "?"
    response = redirect(f"{target}{joint}{urlencode(pairs)}", 302)
    return Response(response.get_data(), 302, headers=list(response.headers))


def _code_fits(code: LoginCode, client: OAuthClient) -> bool:
    """Say whether this exchange is the continuation of that login.

    Cobot's own example leaves redirect_uri out of the exchange, so only another one is refused.
    """
    if code.client_id != client.client_id:
        return False
    if request.form.get("redirect_uri", code.redirect_uri) != code.redirect_uri:
        return False
    verifier = request.form.get("code_verifier")
    if code.challenge is None or verifier is None:
        return code.challenge is None and verifier is None
    digest = hashlib.sha256(verifier.encode()).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(expected.encode(), code.challenge.encode())
