"""The login page: one button per user, no password."""

from html import escape

from tests.simulator.cobot.state import Space, User

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;background:#f3f4f6;color:#1f2937;margin:0}"
    "main{max-width:30rem;margin:4rem auto;background:#fff;padding:2rem;border-radius:.5rem;"
    "box-shadow:0 1px 4px #0002}h1{font-size:1.4rem;margin-top:0}form{margin:.75rem 0}"
    "button{width:100%;text-align:left;padding:.75rem 1rem;font:inherit;border:1px solid #cbd5e1;"
    "border-radius:.375rem;background:#fff;cursor:pointer}button:hover,button:focus{border-color:#1d4ed8}"
    "small{color:#4b5563;display:block}"
)
# "same-origin" keeps the login's query out of the Referer; the page itself loads nothing.
PAGE = (
    '<!doctype html><html lang="de"><head><meta charset="utf-8"><title>{title}</title>'
    '<meta name="viewport" content="width=device-width">'
    '<meta name="referrer" content="same-origin">'
    "<style>{style}</style></head><body><main>{main}</main></body></html>"
)


def login_page(
    users: list[User], spaces: dict[str, Space], app: str, scopes: tuple[str, ...]
) -> str:
    """Return the page that asks who is signing in; each form posts to the page's own address."""
    forms = []
    for user in users:
        names = ", ".join(spaces[id_].name for id_ in user.admin_of) or "keine Spaces"
        forms.append(
            '<form method="post">'
            f'<input type="hidden" name="user_id" value="{escape(user.id)}">'
            f'<button type="submit">{escape(user.name)} ({escape(user.email)})'
            f"<small>Admin von: {escape(names)}</small></button></form>"
        )
    listed = escape(", ".join(scopes)) or "nichts weiter"
    main = (
        f"<h1>Bei Cobot anmelden</h1><p>Die App „{escape(app)}“ möchte in deinem Namen auf Cobot "
        "zugreifen. "
        "Mit der Anmeldung erlaubst du es ihr.</p>"
        + ("".join(forms) or "<p>Es gibt hier noch keine Nutzer.</p>")
        + f"<details><summary>Angefragte Rechte</summary><small>{listed}</small></details>"
        "<p><small>Simulierte Anmeldung: ein Klick genügt, ein Passwort gibt es nicht.</small></p>"
    )
    return PAGE.format(title="Anmelden – Cobot", style=STYLE, main=main)


def wrong_app_page() -> str:
    """Return the page for an unknown app, redirect URI or user: nobody is sent on."""
    main = (
        "<h1>Das hat nicht geklappt</h1><p>Die App, ihre Rücksprungadresse oder der Nutzer ist "
        "bei Cobot nicht bekannt.</p>"
    )
    return PAGE.format(title="Fehler – Cobot", style=STYLE, main=main)
