"""Whole invoices, made up at random: the receipt's total is Cobot's to the cent."""

from decimal import Decimal

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from portal.money import to_cents
from portal.sync.sums import sevdesk_total
from portal.sync.vouchers import NotBookable, VoucherPlan, plan_voucher
from tests.unit.sync.factories import account, invoice, line, settings

CHART = (account(),)
RATES = st.sampled_from(["0.0", "7.0", "19.0"])
CENTS = st.integers(1, 500_000).map(lambda cents: Decimal(cents) / 100)


@st.composite
def net_priced_lines(draw):
    """Lines as a space with net prices bills them: the tax of each line is rounded."""
    return draw(
        st.lists(
            st.builds(lambda net, rate: line(str(net), rate), CENTS, RATES),
            min_size=1,
            max_size=15,
        )
    )


@st.composite
def gross_priced_lines(draw):
    """Lines as a space with gross prices bills them: the net is taken out and rounded."""

    def priced(gross, rate):
        net = to_cents(gross * 100 / (100 + Decimal(rate)))
        return line(str(net), rate, gross=str(gross))

    return draw(st.lists(st.builds(priced, CENTS, RATES), min_size=1, max_size=15))


@st.composite
def unit_priced_lines(draw):
    """Lines of many units, each unit rounded by itself."""

    def priced(unit, rate, quantity):
        gross = to_cents(unit * (100 + Decimal(rate)) / 100) * quantity
        return line(str(unit * quantity), rate, gross=str(gross), quantity=str(quantity))

    units = st.integers(1, 5_000).map(lambda cents: Decimal(cents) / 100)
    return draw(
        st.lists(st.builds(priced, units, RATES, st.integers(1, 300)), min_size=1, max_size=10)
    )


def booked(lines, **chosen):
    plan = plan_voucher(invoice(*lines), CHART, settings(zero_tax_rule="4", **chosen))
    assert isinstance(plan, VoucherPlan)
    assert sevdesk_total(plan.positions, plan.is_net) == plan.voucher_gross == plan.gross
    assert plan.gross == sum((found.gross for found in lines), Decimal(0))
    assert all(p.amount == to_cents(p.amount) for p in plan.positions)
    return plan


@given(net_priced_lines())
@hypothesis_settings(deadline=None)
def test_net_prices_are_booked_net(lines):
    plan = booked(lines)
    assert plan.is_net is True
    assert [p.amount for p in plan.positions] == [found.net for found in lines]


@given(gross_priced_lines())
@hypothesis_settings(deadline=None)
def test_gross_prices_come_to_the_cent_in_one_of_the_modes(lines):
    plan = booked(lines)
    if not plan.is_net:
        assert [p.amount for p in plan.positions] == [found.gross for found in lines]


@given(unit_priced_lines())
@hypothesis_settings(deadline=None)
def test_unit_prices_come_to_the_cent_in_one_of_the_modes(lines):
    booked(lines)


@given(net_priced_lines(), st.integers(-20, 20))
@hypothesis_settings(deadline=None)
def test_wrong_total_is_refused_or_put_right_by_a_cent_a_line(lines, cents):
    right = sum((found.gross for found in lines), Decimal(0))
    bill = invoice(*lines, gross=str(right + Decimal(cents) / 100))
    if bill.gross <= 0:
        return
    strict = plan_voucher(bill, CHART, settings(zero_tax_rule="4"))
    assert isinstance(strict, VoucherPlan) is (cents == 0)
    lenient = plan_voucher(bill, CHART, settings(zero_tax_rule="4", cent_difference=True))
    if abs(cents) > len(lines):
        assert isinstance(lenient, NotBookable)
        assert lenient.cause.code == "totals_differ"
    else:
        assert isinstance(lenient, VoucherPlan)
        assert sevdesk_total(lenient.positions, lenient.is_net) == bill.gross
