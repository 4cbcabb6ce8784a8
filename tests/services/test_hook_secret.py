"""The secret in a space's hook addresses."""

from __future__ import annotations

from portal.database import db
from portal.models import Space
from portal.services import vault
from tests.services.conftest import BETA_TOKEN, Remote, connect


def test_it_has_256_random_bits_and_is_another_in_each_space(remote: Remote, alpha: Space) -> None:
    beta = connect(remote, "stranger", "beta", BETA_TOKEN)
    secrets = [vault.get(space, "hook_secret") or "" for space in (alpha, beta)]
    db.session.commit()
    assert secrets[0] != secrets[1]
    assert all(len(secret) >= 43 for secret in secrets)
