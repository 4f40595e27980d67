"""Account setting operations: GetAccountSetting and PutAccountSetting.

Spec: ECR API, version 2015-09-21.
"""

from __future__ import annotations

from typing import Any

from entrepot.domain.account_setting import check_value, parse_setting
from entrepot.transport.aws.call import Call


async def get_account_setting(call: Call) -> dict[str, Any]:
    setting = parse_setting(call.parameters["name"])
    return {"name": setting, "value": await call.services.account_setting.get(call.registry, setting)}


async def put_account_setting(call: Call) -> dict[str, Any]:
    setting, value = parse_setting(call.parameters["name"]), call.parameters["value"]
    check_value(setting, value)
    await call.services.account_setting.put(call.registry, setting, value)
    return {"name": setting, "value": value}
