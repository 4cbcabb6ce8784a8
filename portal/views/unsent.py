"""What a person typed into a form that could not be taken, so that it can be sent again."""

from __future__ import annotations

from flask import request
from werkzeug.exceptions import ClientDisconnected

NEVER_GIVEN_BACK = frozenset({"csrf_token", "api_token"})
OWN_FORM = "same-origin"


def unsent_fields() -> list[tuple[str, str]]:
    """Return the fields of the form that was sent, without its token and without secrets.

    Empty unless the browser says that a page of ours has sent it: what another site made up is
    not to be offered to a person with a token that is valid. Empty, too, where the form broke off.
    """
    if request.method != "POST" or request.headers.get("Sec-Fetch-Site") != OWN_FORM:
        return []
    try:
        form = request.form
    except ClientDisconnected:
        return []
    return [
        (name, text)
        for name, texts in form.lists()
        for text in texts
        if name not in NEVER_GIVEN_BACK
    ]
