from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from portal.money import CENT
from portal.sevdesk.records import VoucherPosition
from portal.sync.sums import CentAdjustment, Sums, SumsDiffer, settle_sums, sevdesk_total


def positions(*amounts, rate=19):
    return tuple(VoucherPosition(Decimal(amount), rate, 3631, "Desk") for amount in amounts)


@pytest.mark.parametrize(
    ("amounts", "rate", "is_net", "total"),
    [
        (["220.00"], 19, True, "261.80"),
        (["261.80"], 19, False, "261.80"),
        (["0.50"], 19, True, "0.60"),  # 0.095 tax becomes 0.10
        (["-0.50"], 19, True, "-0.60"),
        (["0.10", "0.10", "0.10"], 19, True, "0.36"),  # 0.019 each becomes 0.02
        (["0.12", "0.12", "0.12"], 19, False, "0.36"),
        (["9.99", "0.01"], 7, True, "10.70"),
        (["100.00"], 0, True, "100.00"),
        ([], 19, True, "0.00"),
    ],
)
def test_sevdesk_is_assumed_to_round_the_tax_of_each_position(amounts, rate, is_net, total):
    assert sevdesk_total(positions(*amounts, rate=rate), is_net) == Decimal(total)


def settle(net, gross, total, *, cent_difference=False):
    return settle_sums(
        positions(*net),
        None if gross is None else positions(*gross),
        Decimal(total),
        cent_difference=cent_difference,
    )


def test_net_is_taken_when_both_modes_are_right():
    assert settle(["220.00"], ["261.80"], "261.80") == Sums(positions("220.00"), is_net=True)


def test_gross_is_taken_when_only_gross_is_right():
    gross = ["0.12", "0.12", "0.12"]
    assert settle(["0.10"] * 3, gross, "0.36") == Sums(positions(*["0.10"] * 3), is_net=True)
    # Cobot rounded the tax on the sum, then the lines' gross tells the total.
    found = settle(["33.61", "33.61", "33.62"], ["40.00", "40.00", "40.00"], "120.00")
    assert found == Sums(positions("40.00", "40.00", "40.00"), is_net=False)


def test_neither_mode_right_names_the_nearer_total():
    assert settle(["220.00"], ["261.79"], "261.70") == SumsDiffer(Decimal("261.79"))
    assert settle(["220.00"], None, "261.70") == SumsDiffer(Decimal("261.80"))


def test_gross_mode_is_not_used_where_gross_amounts_may_not_be():
    assert settle(["100.00"], None, "120.00") == SumsDiffer(Decimal("119.00"))


def test_cent_difference_goes_on_the_biggest_position():
    found = settle(["10.00", "200.00"], ["11.90", "238.00"], "249.91", cent_difference=True)
    assert found == Sums(
        positions("10.00", "200.01"), is_net=True, cent_adjustments=(CentAdjustment(1, CENT),)
    )


def test_cent_difference_is_used_only_where_the_total_becomes_right():
    # Net 0.02 gives 0.02 and net 0.03 gives 0.04, so only gross mode comes to 0.03.
    found = settle(["0.02"], ["0.02"], "0.03", cent_difference=True)
    assert found == Sums(
        positions("0.03"), is_net=False, cent_adjustments=(CentAdjustment(0, CENT),)
    )


@pytest.mark.parametrize("total", ["261.78", "261.82", "250.00"])
def test_more_than_a_cent_for_each_line_is_not_put_right(total):
    found = settle(["220.00"], ["261.80"], total, cent_difference=True)
    assert found == SumsDiffer(Decimal("261.80"))


def test_lines_without_amount_do_not_widen_the_cent_difference():
    net, gross = ["220.00", "0.00", "0.00"], ["261.80", "0.00", "0.00"]
    assert isinstance(settle(net, gross, "261.82", cent_difference=True), SumsDiffer)
    assert isinstance(settle(["0.00"], ["0.00"], "0.01", cent_difference=True), SumsDiffer)


def test_cent_difference_turns_with_the_sign_of_a_correction():
    found = settle(["-220.00"], ["-261.80"], "-261.81", cent_difference=True)
    assert isinstance(found, Sums)
    assert found.cent_adjustments == (CentAdjustment(0, -CENT),)


AMOUNTS = st.decimals("-2000", "2000", places=2)
POSITIONS = st.lists(
    st.builds(
        VoucherPosition,
        amount=AMOUNTS,
        tax_rate=st.sampled_from([0, 7, 19]),
        account_id=st.just(1),
        comment=st.just(""),
    ),
    min_size=1,
    max_size=12,
)


@given(POSITIONS, st.booleans())
@hypothesis_settings(deadline=None)
def test_a_correction_is_the_mirror_image_of_its_invoice_to_the_cent(found, is_net):
    mirrored = [VoucherPosition(-p.amount, p.tax_rate, 1, "") for p in found]
    assert sevdesk_total(mirrored, is_net) == -sevdesk_total(found, is_net)


@given(POSITIONS, st.integers(-15, 15))
@hypothesis_settings(deadline=None)
def test_cent_difference_is_exact_small_and_on_one_position(found, cents):
    total = sevdesk_total(found, is_net=True) + cents * CENT
    settled = settle_sums(found, None, total, cent_difference=True)
    if isinstance(settled, SumsDiffer):
        assert cents != 0
        return
    assert sevdesk_total(settled.positions, settled.is_net) == total
    changed = [
        (place, after.amount - before.amount)
        for place, (before, after) in enumerate(zip(found, settled.positions, strict=True))
        if before != after
    ]
    assert changed == [(a.position, a.amount) for a in settled.cent_adjustments]
    assert len(changed) <= 1
    assert sum(abs(amount) for _, amount in changed) <= len(found) * CENT
