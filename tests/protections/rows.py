"""The protections: what we do, where it stands, and which test fails without it.

`items` are those of OWASP ASVS 5.0. `old` is the protection as it stands in `file`, exactly once;
`new` is the same place without it. `python -m tests.protections` tries each one.
"""

from __future__ import annotations

from dataclasses import dataclass

SESSIONS = "portal/services/sessions.py"
PROTECTION = "portal/views/protection.py"
ACCESS = "portal/views/access.py"
HEADERS = "tests/web/test_headers.py"
STRICT = f"{HEADERS}::test_strict_headers_are_on_every_answer"


@dataclass(frozen=True)
class Row:
    area: str
    items: str
    level: int
    does: str
    file: str
    old: str
    new: str
    test: str
    on: str = "sqlite"
    """The database its test needs."""


COOKIES = "Cookies and sessions"
CSRF = "Requests from other sites"
BROWSER = "Headers and what the browser keeps"
OAUTH = "Sign-in with Cobot"
TENANTS = "Tenants"
SECRETS = "Secrets"
OUTBOUND = "Calls to others"
LOGS = "Logs and reports"
LIMITS = "Limits"
LOGIC = "Business logic and failing safely"
SUPPLY = "Supply chain and configuration"

ROWS: tuple[Row, ...] = (
    # --- cookies and sessions
    Row(
        COOKIES, "3.3.1", 1, "the cookie is Secure where PUBLIC_URL is https; http is refused but on a loopback host",
        SESSIONS, "    def get_cookie_secure(self, app: Flask) -> bool:\n        return core().config.is_https",
        "    def get_cookie_secure(self, app: Flask) -> bool:\n        return False",
        f"{HEADERS}::test_https_brings_the_host_cookie",
    ),
    Row(
        COOKIES, "3.3.2", 2, "SameSite=Lax; forms need a token besides",
        SESSIONS, 'samesite="Lax",\n            path="/",', 'samesite=None,\n            path="/",',
        f"{HEADERS}::test_https_brings_the_host_cookie",
    ),
    Row(
        COOKIES, "3.3.3", 2, "the name begins with __Host-, path /, no domain",
        SESSIONS, '"__Host-session" if core().config.is_https else "session"', '"session"',
        f"{HEADERS}::test_https_brings_the_host_cookie",
    ),
    Row(
        COOKIES, "3.3.4", 2, "HttpOnly: no script reads the cookie",
        SESSIONS, "httponly=True", "httponly=False",
        f"{HEADERS}::test_https_brings_the_host_cookie",
    ),
    Row(
        COOKIES, "7.2.3", 1, "the cookie is a random id of 256 bits, the content stands sealed on the server",
        SESSIONS, "key = secrets.token_urlsafe(32)", "key = secrets.token_urlsafe(8)",
        "tests/web/test_hardening.py::test_the_id_of_a_session_has_256_random_bits",
    ),
    Row(
        COOKIES, "7.2.4", 1, "a new id at sign-in; what was planted before is worth nothing",
        SESSIONS, "        self.clear()\n        self.key = None\n", "",
        "tests/web/test_sessions.py::test_what_was_in_the_session_before_the_sign_in_is_gone",
    ),
    Row(
        COOKIES, "7.3.1", 2, "ends after 8 hours without a visit; a page's own polls are no visit",
        SESSIONS, "IDLE = timedelta(hours=8)", "IDLE = timedelta(hours=23)",
        "tests/web/test_session_life.py::test_session_ends_after_eight_hours_without_a_visit",
    ),
    Row(
        COOKIES, "7.3.2", 2, "ends after 24 hours, however busy",
        SESSIONS, "LIFE = timedelta(hours=24)", "LIFE = timedelta(hours=240)",
        "tests/web/test_session_life.py::test_session_ends_after_a_day_however_busy",
    ),
    Row(
        COOKIES, "7.4.1", 1, "signing out deletes the row: the id is worth nothing afterwards",
        "portal/views/signin.py", "    cast(ServerSession, session).end()\n", "    session.clear()\n",
        "tests/web/test_signin.py::test_sign_out_ends_the_session_on_the_server",
    ),
    Row(
        COOKIES, "7.4.2", 1, "who no longer has an account at Cobot loses the session with the next look at the rights",
        "portal/services/signin.py", "            return Rights.GONE\n        except RemoteError",
        "            return Rights.CURRENT\n        except RemoteError",
        "tests/web/test_rights.py::test_token_that_cobot_no_longer_takes_ends_the_session",
    ),
    Row(
        COOKIES, "7.4.5", 2, "all sessions of a person end at once: on their page, or with `flask admin forget`",
        SESSIONS, "delete(LoginSession).where(LoginSession.admin_id == admin_id)",
        "delete(LoginSession).where(LoginSession.admin_id < 0)",
        "tests/web/test_session_life.py::test_signing_out_everywhere_ends_every_session_of_this_person_alone",
    ),
    # --- other sites
    Row(
        CSRF, "3.5.1", 1, "every form carries a token bound to the session",
        PROTECTION, "    csrf.init_app(app)\n", "",
        "tests/web/test_access.py::test_form_without_token_is_refused",
    ),
    Row(
        CSRF, "3.5.3", 1, "what another site sends (Sec-Fetch-Site, Origin) is refused before anybody is looked up; no GET changes anything",
        PROTECTION, "    app.before_request(refuse_foreign_origin)\n", "",
        "tests/web/test_access.py::test_form_sent_by_another_site_is_refused_before_anybody_is_looked_up",
    ),
    # --- headers
    Row(
        BROWSER, "3.4.1", 1, "HSTS for a year on every answer where PUBLIC_URL is https",
        PROTECTION, "    if core().config.is_https:\n        return {**HEADERS", "    if False:\n        return {**HEADERS",
        f"{HEADERS}::test_https_brings_hsts_on_every_answer",
    ),
    Row(
        BROWSER, "3.4.3", 2, "a policy without any exception: no inline script or style, nothing from elsewhere",
        PROTECTION, "\"script-src 'self'\"", "\"script-src 'self' 'unsafe-inline'\"", STRICT,
    ),
    Row(
        BROWSER, "3.4.4", 2, "X-Content-Type-Options: nosniff",
        PROTECTION, '    "X-Content-Type-Options": "nosniff",\n', "", STRICT,
    ),
    Row(
        BROWSER, "3.4.5", 2, "Referrer-Policy: no address leaves the site",
        PROTECTION, '    "Referrer-Policy": "same-origin",\n', "", STRICT,
    ),
    Row(
        BROWSER, "3.4.6", 2, "no frame anywhere (frame-ancestors 'none')",
        PROTECTION, "        \"frame-ancestors 'none'\",\n", "", STRICT,
    ),
    Row(
        BROWSER, "3.4.8", 3, "Cross-Origin-Opener-Policy: same-origin",
        PROTECTION, '    "Cross-Origin-Opener-Policy": "same-origin",\n', "", STRICT,
    ),
    Row(
        BROWSER, "14.3.2", 2, "no cache keeps a page",
        ACCESS, '    response.headers.setdefault("Cache-Control", "no-store")\n', "",
        "tests/web/test_access.py::test_tenant_pages_are_kept_by_no_cache_and_fragments_told_apart",
    ),
    Row(
        BROWSER, "14.3.3", 2, "htmx keeps no page in the browser's storage and evaluates nothing",
        "templates/base.html", '"historyCacheSize": 0', '"historyCacheSize": 10',
        "tests/web/test_hardening.py::test_nothing_of_a_page_is_kept_or_run_by_htmx",
    ),
    Row(
        BROWSER, "3.6.1", 3, "scripts and styles are our own files; the one of others is vendored and hashed",
        "static/vendor/vendor.lock", "2OatzQy1", "2OatzQy2",
        "tests/unit/test_supply.py::test_vendored_files_are_those_of_the_lock",
    ),
    # --- sign-in
    Row(
        OAUTH, "10.1.2, 10.2.1", 2, "state and PKCE (S256), both bound to the session and good once",
        "portal/oauth.py", '            "code_challenge_method": "S256",\n', "",
        "tests/web/test_oauth.py::test_code_of_another_sign_in_is_refused_though_the_state_is_right",
    ),
    Row(
        OAUTH, "10.1.1", 2, "tokens stay on the server; the browser holds a random id",
        "portal/app.py", "    app.session_interface = DatabaseSessions()\n", "",
        "tests/web/test_oauth.py::test_verifier_never_reaches_the_browser",
    ),
    Row(
        OAUTH, "10.2.3", 3, "only the scopes that are needed",
        "portal/oauth.py", '    "read_urls",\n', '    "read_urls",\n    "write_invoices",\n',
        "tests/web/test_hardening.py::test_only_the_scopes_that_are_needed_are_asked_for",
    ),
    Row(
        OAUTH, "10.5.2", 2, "a person is known by Cobot's user id, never by e-mail",
        "portal/services/signin.py", "where(Admin.cobot_user_id == user.id)", "where(Admin.email == user.email)",
        "tests/web/test_oauth.py::test_person_is_known_by_cobots_id_not_by_the_mail",
    ),
    Row(
        OAUTH, "10.2.1", 2, "the address to come back to is built from PUBLIC_URL, never from the Host header",
        "portal/views/signin.py", 'core().config.public_url + url_for("signin.callback")',
        'request.host_url.rstrip("/") + url_for("signin.callback")',
        "tests/web/test_signin.py::test_redirect_address_never_comes_from_the_host_header",
    ),
    # --- tenants
    Row(
        TENANTS, "8.2.2", 1, "every page of a space asks for the right in the session; strangers get 404",
        "portal/services/directory.py", 'SpaceAdmin.admin_id == bindparam("admin"), Space.subdomain == bindparam("subdomain")',
        'Space.subdomain == bindparam("subdomain")',
        "tests/web/test_access.py::test_stranger_gets_404_on_every_route_of_a_space",
    ),
    Row(
        TENANTS, "8.3.2", 3, "rights are read anew every hour; a lost one takes effect on pages and open forms",
        "portal/services/signin.py", "RIGHTS_HOLD = timedelta(hours=1)", "RIGHTS_HOLD = timedelta(hours=23)",
        "tests/web/test_rights.py::test_right_lost_in_cobot_closes_the_space_within_the_hour",
    ),
    Row(
        TENANTS, "8.4.1", 2, "a hook names an object of its own space only, read with that space's token",
        "portal/cobot/webhooks.py", "names_origin != own_origin or ", "",
        "tests/clients/test_webhooks.py::test_any_other_address_is_refused_with_a_reason",
    ),
    Row(
        TENANTS, "8.4.1", 2, "no statement on a table of spaces runs unless each of its tables is held to a space that was entered (both databases)",
        "portal/database.py", "            guard.check(found, reach, context)\n", "",
        "tests/services/test_tenancy.py::test_no_statement_on_a_table_runs_without_its_space",
    ),
    Row(
        TENANTS, "8.2.2, 8.4.1", 2, "an id of another space is refused although its statement carries a space",
        "portal/spaceguard.py", "if not reach.holds(", "if False and not reach.holds(",
        "tests/services/test_tenancy.py::test_a_row_is_read_changed_and_written_within_its_space_only",
    ),
    Row(
        TENANTS, "8.2.2", 1, "support sees of a space only what the person's own visit opens, and enters none",
        "portal/services/support.py",
        "            SupportVisit.admin_id == admin.id,\n            SupportVisit.space_id == space.id,\n",
        "            SupportVisit.space_id == space.id,\n",
        "tests/web/test_other_spaces.py::test_support_reads_no_space_but_the_one_it_visits_and_enters_none",
    ),
    Row(
        TENANTS, "8.4.1", 2, "PostgreSQL refuses other spaces' rows besides, to the owner of the tables too (row level security with FORCE)",
        "portal/rowsecurity.py", '        f"ALTER TABLE {quoted} FORCE ROW LEVEL SECURITY",\n', "",
        "tests/services/test_rowsecurity.py::test_every_table_of_spaces_has_its_policy_and_nobody_is_above_it",
        on="postgresql",
    ),
    Row(
        TENANTS, "8.4.1", 2, "a forgotten condition in plain SQL gives the own space only, and nothing before a space was entered",
        "portal/rowsecurity.py", "USING ({EVERYTHING} OR {column} = {ENTERED})", "USING (true)",
        "tests/services/test_rowsecurity.py::test_a_forgotten_where_gives_the_own_space_and_changes_no_other",
        on="postgresql",
    ),
    Row(
        TENANTS, "8.4.1", 2, "what was entered holds for one transaction: nothing stays on the connection",
        "portal/rowsecurity.py", "set_config('app.space_id', %s, true), set_config('app.all_spaces', %s, true)",
        "set_config('app.space_id', %s, false), set_config('app.all_spaces', %s, false)",
        "tests/services/test_rowsecurity.py::test_nothing_stays_on_a_connection_for_the_next_transaction",
        on="postgresql",
    ),
    Row(
        TENANTS, "13.2.2", 2, "the portal works as a role that owns nothing and can only add to the history",
        "portal/rowsecurity.py", 'connection.exec_driver_sql(f"REVOKE {kept} ON {table} FROM {app}")', "pass",
        "tests/services/test_rowsecurity.py::test_the_portals_role_adds_to_the_history_and_nothing_else",
        on="postgresql",
    ),
    Row(
        TENANTS, "8.4.1", 2, "neither a space nor a right stays on a pooled connection after an error or a rollback, whatever the table",
        "portal/rowsecurity.py", "f'SET LOCAL ROLE \"{prune_role(role)}\"'", "f'SET ROLE \"{prune_role(role)}\"'",
        "tests/services/test_nothing_entered.py::test_nothing_stays_on_a_pooled_connection_whatever_went_wrong",
        on="postgresql",
    ),
    Row(
        TENANTS, "8.4.1", 2, "before a space was entered no row of any table is read, changed, deleted or added",
        "portal/rowsecurity.py", "f\"CREATE POLICY {POLICY} ON {quoted} USING ({EVERYTHING} OR {column} = {ENTERED})\"",
        "f\"CREATE POLICY {POLICY} ON {quoted} USING ({EVERYTHING} OR {column} = {ENTERED}) WITH CHECK (true)\"",
        "tests/services/test_nothing_entered.py::test_no_space_entered_means_no_row_of_any_table",
        on="postgresql",
    ),
    # --- secrets
    Row(
        SECRETS, "11.5.1", 2, "the secret of the hooks has 256 random bits, and is another after a reconnect",
        "portal/services/connection.py", "secret = secrets.token_urlsafe(32)", "secret = secrets.token_urlsafe(8)",
        "tests/services/test_hook_secret.py::test_it_has_256_random_bits_and_is_another_in_each_space",
    ),
    Row(
        SECRETS, "11.3.2, 11.3.3", 2, "AES-256-GCM, bound to row and field: a value moved elsewhere does not open",
        "portal/services/vault.py", 'return f"space|{cobot_id}|{field}"', 'return "space"',
        "tests/services/test_keys.py::test_a_stolen_value_opens_neither_in_another_space_nor_in_another_field",
    ),
    Row(
        SECRETS, "13.3.1", 2, "keys come from the environment; without one the start is refused",
        "portal/config.py", "    token_keys: Annotated[tuple[SecretStr, ...], NoDecode]\n",
        "    token_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()\n",
        "tests/services/test_keys.py::test_the_start_is_refused_without_keys_and_no_value_is_said",
    ),
    Row(
        SECRETS, "13.3.4", 3, "keys are changed while everything runs: the first seals, all open, `flask keys rotate`",
        "portal/crypto.py", "cipher = self._ciphers.get(key_id)", "cipher = self._ciphers.get(self._first)",
        "tests/services/test_keys.py::test_after_a_rotation_the_old_key_opens_nothing_and_the_new_one_all",
    ),
    Row(
        SECRETS, "14.2.1", 1, "the two addresses that must hold a secret (hooks, Cobot's token calls) are blotted out wherever they are written",
        "portal/redaction.py", '    r"(/hooks/cobot/|/access_tokens/)[^/\\s?\\"\']+"  # the two addresses that hold a secret\n',
        '    r"(never)[^/]+"\n',
        "tests/unit/test_logs.py::test_secrets_in_addresses_are_seen_by_their_place",
    ),
    Row(
        SECRETS, "14.2.1", 1, "the web server writes no addresses down",
        "gunicorn.conf.py", "accesslog = None", 'accesslog = "-"',
        "tests/web/test_hardening.py::test_the_web_server_writes_no_addresses_down",
    ),
    # --- calls to others
    Row(
        OUTBOUND, "1.3.6, 13.2.4", 2, "only hosts that the settings name are called",
        "portal/connections.py", "if self._allowed is not None and not self._allowed.allows", "if False and not self._allowed.allows",
        "tests/clients/test_outbound.py::test_a_host_that_no_setting_names_is_never_reached",
    ),
    Row(
        OUTBOUND, "13.2.5", 2, "no redirect is followed",
        "portal/exchange.py", "allow_redirects=False", "allow_redirects=True",
        "tests/clients/test_outbound.py::test_a_redirect_is_not_followed",
    ),
    Row(
        OUTBOUND, "12.3.2", 2, "certificates are verified, whatever the environment says",
        "portal/connections.py", "session.verify = self._ca_bundle or True", "session.verify = False",
        "tests/clients/test_connections.py::test_certificates_are_verified_and_the_environment_names_no_proxy",
    ),
    Row(
        OUTBOUND, "1.3.6", 2, "an answer is bounded in size",
        "portal/exchange.py", "            if len(parts) > limit:\n", "            if False:\n",
        "tests/clients/test_connections.py::test_an_endless_fast_body_ends_at_the_size_limit",
    ),
    Row(
        OUTBOUND, "1.3.6", 2, "of a hook's address only the id is used, and only if it looks like one",
        "portal/cobot/webhooks.py", '    if not _ID.fullmatch(found):\n        raise BadHook("wrong_id")\n', "",
        "tests/clients/test_webhooks.py::test_any_other_address_is_refused_with_a_reason",
    ),
    # --- logs
    Row(
        LOGS, "16.4.1", 2, "no value makes a line or moves the cursor: CR, LF, ANSI, direction signs are escaped",
        "portal/redaction.py", "    if text.isprintable():\n", "    if True:\n",
        "tests/unit/test_logs.py::test_what_people_are_called_never_makes_a_line",
    ),
    Row(
        LOGS, "16.2.5", 2, "known secrets are blotted out of every line, by value",
        "portal/logs.py", "    never_write(*config.secrets)\n", "",
        "tests/unit/test_logs.py::test_no_secret_is_written",
    ),
    Row(
        LOGS, "16.2.5", 2, "tokens that were opened in this process are known too",
        "portal/crypto.py", "        remember_secret(text)\n        nonce", "        nonce",
        "tests/unit/test_logs.py::test_no_secret_is_written",
    ),
    Row(
        LOGS, "16.2.5", 2, "reports of errors pass the same cleaning, whole",
        "portal/reporting.py", "        before_send=_before_send,\n", "",
        "tests/unit/test_reporting.py::test_errors_are_reported_without_secrets",
    ),
    Row(
        LOGS, "16.2.1", 2, "each line names time, request and job",
        "portal/views/tracing.py", "    start_tracing(g.request_id)\n", "",
        "tests/web/test_tracing.py::test_a_hook_is_kept_with_its_request",
    ),
    Row(
        LOGS, "16.3.1", 2, "sign-ins are written down, those that fail as well",
        "portal/views/signin.py", '        log.warning("sign-in refused", why=err.error if err.error in SAID else "other")\n', "",
        "tests/web/test_hardening.py::test_sign_ins_are_written_down_good_and_bad",
    ),
    Row(
        LOGS, "16.3.2, 16.3.3", 2, "who is turned away is written down: strangers, missing form tokens, too many tries",
        "portal/views/errors.py", '        log.warning("request refused", status=error.code, endpoint=request.endpoint, who=_who())\n', "        pass\n",
        "tests/web/test_tracing.py::test_who_tries_doors_is_seen",
    ),
    # --- limits
    Row(
        LIMITS, "2.4.1", 2, "ten sign-ins a minute and address, and per account over all addresses",
        PROTECTION, 'LOGIN_LIMIT = "10 per minute"', 'LOGIN_LIMIT = "1000 per minute"',
        "tests/web/test_signin.py::test_eleventh_try_in_a_minute_is_told_to_wait",
    ),
    Row(
        LIMITS, "2.4.1", 2, "a guessed hook secret costs one read and no lock, and its body is not waited for; known ones are never limited",
        "portal/views/webhooks.py", "    if refusal is not None:\n        return refusal\n", "",
        "tests/web/test_unknown_hooks.py::test_no_writer_waits_for_a_guess",
    ),
    Row(
        LIMITS, "2.4.1", 2, "a request has ten seconds to arrive, however it drips in",
        "gunicorn.conf.py", "worker_class = Worker\n", 'worker_class = "gthread"\n',
        "tests/e2e/test_slow_senders.py::test_connections_that_fall_silent_hold_the_portal_for_seconds_only",
    ),
    Row(
        LIMITS, "2.4.1", 2, "a form holds 64 KB at the most",
        PROTECTION, "        MAX_CONTENT_LENGTH=LARGEST_FORM,\n", "",
        "tests/web/test_errors.py::test_form_larger_than_64_kb_is_refused",
    ),
    Row(
        LIMITS, "2.4.1", 2, "without the queue the limits count in memory",
        PROTECTION, "    in_memory_fallback_enabled=True,\n", "",
        "tests/web/test_signin.py::test_login_works_while_the_queue_is_away",
    ),
    Row(
        LIMITS, "2.4.1", 2, "a visitor behind a proxy is counted by their own address, and nobody can claim another",
        PROTECTION, "            x_for=config.proxy_hops,\n", "            x_for=config.proxy_hops + 1,\n",
        "tests/web/test_proxies.py::test_what_the_visitor_says_before_the_proxy_does_not_count",
    ),
    # --- business logic
    Row(
        LOGIC, "2.3.3", 2, "a state and what led to it are committed together, only while the lock is held",
        "portal/services/work.py", "        self.lock.confirm()\n        due = None\n", "        due = None\n",
        "tests/services/test_space.py::test_a_worker_whose_lock_is_gone_commits_nothing",
    ),
    Row(
        LOGIC, "2.3.4, 15.4.2", 3, "one worker per space: no two act on what both have read",
        "portal/services/locks.py", "        yield None\n        return\n    lock = _LeaseLock", "        pass\n    lock = _LeaseLock",
        "tests/services/test_space.py::test_two_workers_never_hold_the_same_space",
    ),
    Row(
        LOGIC, "16.5.2", 2, "without the queue hooks are kept all the same",
        "portal/jobqueue.py", "        except RedisError as err:\n            log.warning(\"queue is away, upkeep", "        except ZeroDivisionError as err:\n            log.warning(\"queue is away, upkeep",
        "tests/jobs/test_workers.py::test_a_wake_up_while_the_queue_is_away_is_no_error",
    ),
    Row(
        LOGIC, "16.5.3", 2, "a session that cannot be read lets nobody in",
        ACCESS, "        raise DatabaseAway\n", "        return None\n",
        "tests/web/test_sessions.py::test_database_away_is_said_on_a_page_of_ours",
    ),
    Row(
        LOGIC, "16.5.3", 2, "rights that cannot be read for two hours open no space",
        ACCESS, "        raise RightsUnknown\n", "        pass\n",
        "tests/web/test_rights.py::test_after_two_hours_without_cobot_no_space_opens",
    ),
    Row(
        LOGIC, "16.5.1", 2, "a fault of ours shows a reference, never a trace",
        "portal/views/errors.py", "    app.register_error_handler(InternalServerError, _server_error)\n", "    app.register_error_handler(500, lambda error: repr(error.original_exception))\n",
        "tests/web/test_errors.py::test_fault_of_ours_shows_a_reference_and_no_stack_trace",
    ),
    Row(
        LOGIC, "1.2.10", 3, "no cell of a CSV file is run as a formula",
        "portal/views/tables.py", 'return text if is_number else "\'" + text', "return text",
        "tests/web/test_data.py::test_each_table_is_given_out_as_csv_that_a_spreadsheet_does_not_run",
    ),
    # --- supply
    Row(
        SUPPLY, "15.1.1", 1, "every package is locked with hashes, also in the image; `make audit` compares with known faults",
        "Dockerfile", "pip install --require-hashes", "pip install",
        "tests/unit/test_deployment.py::test_every_package_comes_with_a_hash",
    ),
    Row(
        SUPPLY, "15.1.2", 2, "a bill of materials (CycloneDX) lies in the image",
        "Dockerfile", "tools/packages.py sbom > sbom.cdx.json", "--version",
        "tests/unit/test_deployment.py::test_the_image_holds_what_runs_and_nothing_else",
    ),
    Row(
        SUPPLY, "13.4.2", 2, "debugging is off where others can reach it, whatever the environment says",
        "portal/app.py", "        app.debug = False  # whatever", "        pass  # whatever",
        "tests/web/test_hardening.py::test_debugging_is_off_whatever_the_environment_says",
    ),
    Row(
        SUPPLY, "13.4.5", 2, "figures are for who has the token, compared in constant time; without one there is no page",
        "portal/views/health.py", "not hmac.compare_digest(given.encode(), wanted)", "False",
        "tests/web/test_metrics.py::test_the_wrong_token_sees_nothing",
    ),
    Row(
        SUPPLY, "13.2.2", 2, "containers run as nobody special, without rights, and write nothing",
        "Dockerfile", "USER portal\n", "USER root\n",
        "tests/unit/test_deployment.py::test_the_image_runs_as_nobody_special",
    ),
)  # fmt: skip
