"""A bare app with the sevdesk side of one small world."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.simulator.sevdesk import (
    SevdeskSide,
    sevdesk_blueprint,
    sevdesk_control_blueprint,
)

TOKEN, OTHER_TOKEN, STRANGERS_TOKEN = "a" * 32, "b" * 32, "c" * 32
TODAY = date(2025, 2, 28)
API, CONTROL = "/sevdesk/api/v1", "/_control/sevdesk"


def small_world() -> list[dict[str, Any]]:
    return [
        {
            "token": TOKEN,
            "client_id": "77",
            "contacts": [
                {
                    "id": "501",
                    "customerNumber": "1005",
                    "name": "XYZ Design",
                    "email": "x@example.org",
                },
                {"id": "502", "customerNumber": "1006", "surename": "Jörg", "familyname": "Müller"},
            ],
            "cost_centres": [{"id": "9", "number": "100", "name": "Haus"}],
        },
        {"token": OTHER_TOKEN, "client_id": "77"},
        {"token": STRANGERS_TOKEN, "client_id": "78", "accounts": [], "next_customer_number": 5},
    ]


class Sevdesk:
    """The API with a token, as a caller has it."""

    def __init__(self, side: SevdeskSide) -> None:
        self.side = side
        self.search_lag_seconds = 0.0
        app = Flask("sevdesk")
        app.register_blueprint(sevdesk_blueprint(lambda: self.side), url_prefix=API)
        app.register_blueprint(sevdesk_control_blueprint(lambda: self.side), url_prefix=CONTROL)

        @app.before_request
        def set_lag() -> None:
            g.search_lag_seconds = self.search_lag_seconds

        self.http: FlaskClient = app.test_client()

    def call(self, method: str, path: str, token: str = TOKEN, **more: Any) -> TestResponse:
        return self.http.open(API + path, method=method, headers={"Authorization": token}, **more)

    def get(self, path: str, **more: Any) -> Any:
        """Return what stands under "objects"; the call has to succeed."""
        response = self.call("GET", path, **more)
        assert response.status_code == 200, response.text
        return response.json["objects"]

    def post(self, path: str, body: object, token: str = TOKEN) -> TestResponse:
        return self.call("POST", path, token, json=body)

    def control(self, method: str, path: str, body: object = None) -> TestResponse:
        return self.http.open(CONTROL + path, method=method, json=body)

    def upload(
        self, content: bytes = b"%PDF-1.4 made up", name: str = "2531.pdf"
    ) -> dict[str, Any]:
        response = self.call(
            "POST", "/Voucher/Factory/uploadTempFile", data={"file": (io.BytesIO(content), name)}
        )
        assert response.status_code == 201
        return response.json["objects"]

    def save(self, body: object) -> dict[str, Any]:
        """Return the saved voucher."""
        response = self.post("/Voucher/Factory/saveVoucher", body)
        assert response.status_code == 201, response.text
        return response.json["objects"]["voucher"]

    def refusal(self, body: object) -> str:
        """Return the message with which saveVoucher refuses the body; nothing may be stored."""
        before = self.side.to_world()
        response = self.post("/Voucher/Factory/saveVoucher", body)
        assert response.status_code == 422, response.text
        assert response.json["error"]["exceptionUUID"]
        assert self.side.to_world() == before
        return response.json["error"]["message"]


def voucher_body(**header: Any) -> dict[str, Any]:
    """Return the voucher of Cobot's help page, ready to be saved; None takes a field away."""
    fields = {
        "objectName": "Voucher",
        "mapAll": True,
        "voucherType": "VOU",
        "creditDebit": "D",
        "status": 100,
        "voucherDate": "28.02.2025",
        "deliveryDate": "28.02.2025",
        "paymentDeadline": "30.03.2025",
        "description": "2531-Ljnk-278",
        "currency": "EUR",
        "taxRule": {"id": "1", "objectName": "TaxRule"},
        "supplier": {"id": 501, "objectName": "Contact"},
        "costCentre": {"id": 9, "objectName": "CostCentre"},
    }
    voucher = {key: value for key, value in {**fields, **header}.items() if value is not None}
    return {"voucher": voucher, "voucherPosSave": [position()], "voucherPosDelete": None}


def position(**fields: Any) -> dict[str, Any]:
    line = {
        "objectName": "VoucherPos",
        "mapAll": True,
        "net": True,
        "sumNet": 220.00,
        "taxRate": 19,
        "accountDatev": {"id": 3631, "objectName": "AccountDatev"},
        "comment": "Desk, March",
    }
    return {key: value for key, value in {**line, **fields}.items() if value is not None}


@pytest.fixture
def sevdesk() -> Sevdesk:
    return Sevdesk(SevdeskSide.from_world(small_world(), lambda: TODAY))


@pytest.fixture
def sevdesk_of() -> Callable[[list[dict[str, Any]]], Sevdesk]:
    return lambda world: Sevdesk(SevdeskSide.from_world(world, lambda: TODAY))
