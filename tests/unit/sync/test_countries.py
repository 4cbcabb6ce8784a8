import pytest
from babel import Locale

from portal.sync.contacts import country_code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Germany", "DE"),
        ("Deutschland", "DE"),
        (" deutschland ", "DE"),
        ("Allemagne", "DE"),
        ("Germania", "DE"),
        ("Duitsland", "DE"),
        ("Alemania", "DE"),
        ("de", "DE"),
        ("DEU", "DE"),
        ("Österreich", "AT"),
        ("Oesterreich", "AT"),
        ("Austria", "AT"),
        ("Schweiz", "CH"),
        ("Switzerland", "CH"),
        ("UK", "GB"),
        ("Great Britain", "GB"),
        ("Vereinigtes Königreich", "GB"),
        ("USA", "US"),
        ("United States", "US"),
        ("Holland", "NL"),
        ("The Netherlands", "NL"),
        ("Czech Republic", "CZ"),
        ("Turkey", "TR"),
        ("Türkei", "TR"),
        (None, None),
        ("", None),
        ("Kakanien", None),
        ("Berlin", None),
        ("EU", None),
        ("ZZ", None),
        ("Welt", None),
    ],
)
def test_country_is_known_by_name_or_code(text, code):
    assert country_code(text) == code


@pytest.mark.parametrize("language", ["de", "en", "fr", "it", "nl", "es"])
def test_no_language_calls_one_country_by_the_name_of_another(language):
    for code, name in Locale(language).territories.items():
        if country_code(code) == code:
            assert country_code(name) == code
