import json

from portal.sync.causes import Cause


def test_causes_with_the_same_code_and_parameters_are_equal_and_hash_alike():
    first, second = (Cause("rule_not_allowed", {"number": "4400", "rate": "7"}) for _ in range(2))
    assert first == second
    assert {first, second} == {first}
    assert first != Cause("rule_not_allowed", {"number": "4400", "rate": "19"})


def test_cause_keeps_its_own_copy_of_the_parameters():
    params = {"code": "Bar"}
    cause = Cause("account_missing", params)
    params["code"] = "Meeting"
    assert cause.params == {"code": "Bar"}


def test_cause_is_kept_as_json():
    cause = Cause("account_missing", {"code": "Küche"})
    assert json.loads(json.dumps(cause.to_json())) == {
        "code": "account_missing",
        "params": {"code": "Küche"},
    }
    assert Cause("code_empty").to_json() == {"code": "code_empty", "params": {}}
