"""Where the published descriptions err, as data. `docs/contracts.md` lists the same places."""

from __future__ import annotations

from tests.contract.descriptions import MISSING, Bare, KnownError, Undescribed, Wrong

_SCHEMAS = ("components", "schemas")
_PAGING = "limit and offset are described in prose only"

COBOT: tuple[KnownError, ...] = (
    Undescribed(
        "/spaces/{spaceId}/invoices",
        ("page[size]", "page[number]"),
        "paging is described in prose only, for all lists together",
    ),
)

SEVDESK: tuple[KnownError, ...] = (
    Wrong(
        (*_SCHEMAS, "saveVoucher", "required"),
        found=["voucher", "voucherPos"],
        instead=["voucher", "voucherPosSave"],
        reason="`required` names voucherPos, the property is voucherPosSave",
    ),
    Wrong(
        (*_SCHEMAS, "Model_Voucher", "required", 1),
        found="taxType",
        instead="taxRule",
        reason="both tax systems are required at once; version 2.0 has taxRule only",
    ),
    Wrong(
        (*_SCHEMAS, "Model_VoucherPos", "required"),
        found=[
            "accountDatev",
            "accountingType",
            "voucher",
            "taxRate",
            "sumGross",
            "sumNet",
            "net",
            "mapAll",
            "objectName",
        ],
        instead=["accountDatev", "taxRate", "net", "mapAll", "objectName"],
        reason=(
            "accountingType is of version 1.0; voucher is read-only; of sumNet and sumGross only "
            "the one that `net` names counts"
        ),
    ),
    *(
        Wrong(
            (*_SCHEMAS, model, "properties", "taxRule", "properties", "id", "enum"),
            found=["1", "2", "3", "4", "5", "11"],
            instead=["1", "2", "3", "4", "5", "11", "17"],
            reason="the prose allows rule 17 for vouchers, the list leaves it out",
        )
        for model in ("Model_Voucher", "Model_VoucherResponse")
    ),
    *(
        Wrong(
            (*_SCHEMAS, "Model_Voucher", "properties", field, "format"),
            found="date-time",
            instead=MISSING,
            reason="the format says date-time, examples and prose say dd.mm.yyyy",
        )
        for field in ("voucherDate", "deliveryDate", "paymentDeadline")
    ),
    Wrong(
        (
            "paths",
            "/Voucher/Factory/uploadTempFile",
            "post",
            "requestBody",
            "content",
        ),
        found={
            "form-data": {
                "schema": {
                    "properties": {
                        "file": {
                            "description": "The file to upload",
                            "type": "string",
                            "format": "binary",
                        }
                    },
                    "type": "object",
                }
            }
        },
        instead={"multipart/form-data": {}},
        reason="`form-data` is no media type",
    ),
    *(
        Wrong(
            (*_SCHEMAS, "Model_VoucherPosResponse", "properties", field, "type"),
            found="boolean",
            instead="string",
            reason='booleans are read as "0" and "1"',
        )
        for field in ("net", "isAsset")
    ),
    Undescribed("/CheckAccount", ("limit",), _PAGING),
    Undescribed("/Contact", ("limit", "offset"), _PAGING),
    Undescribed(
        "/Contact", ("name",), "seen in other integrations only; a person chooses among the hits"
    ),
    Undescribed("/ContactAddress", ("limit", "offset"), _PAGING),
    Undescribed("/Voucher", ("limit", "offset"), _PAGING),
    Undescribed("/CommunicationWay", ("limit", "offset"), _PAGING),
    Undescribed(
        "/CommunicationWay",
        ("value",),
        "seen in other integrations only; every hit is compared again",
    ),
    Undescribed(
        "/CostCentre",
        ("limit", "offset"),
        "the list exists, the path is not described",
        is_whole_path=True,
    ),
    Undescribed(
        "/StaticCountry",
        ("code", "limit", "offset"),
        "prose names the list, the path is not described",
        is_whole_path=True,
    ),
    *(
        Bare(path, status, "write answers come inside `objects`, the description shows them bare")
        for path, status in (
            ("/Contact", "201"),
            ("/ContactAddress", "201"),
            ("/CommunicationWay", "201"),
            ("/Voucher/Factory/saveVoucher", "201"),
            ("/Tag/Factory/create", "200"),
        )
    ),
)
