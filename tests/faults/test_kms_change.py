"""A change of a KMS key, its policy or its grants holds from the next request on, on every worker and both engines."""

from __future__ import annotations

import json
from typing import Any

from tests.support.iam_rows import document
from tests.support.registry_client import RegistryClient
from tests.support.server import ACCESS_KEY_ID, ACCOUNT, SECRET_ACCESS_KEY
from tests.support.two_workers import Asker, asking, client_of, make_ana

ROOT = {"AccessKeyId": ACCESS_KEY_ID, "SecretAccessKey": SECRET_ACCESS_KEY}
USER = f"arn:aws:iam::{ACCOUNT}:user/ana"


def policy(*users: str) -> str:
    """The default policy, and what these may do."""
    root = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"}
    more = [{**root, "Principal": {"AWS": user}, "Action": "kms:Encrypt"} for user in users]
    return json.dumps({"Version": "2012-10-17", "Statement": [root, *more]})


def test_what_becomes_of_a_key(client: RegistryClient) -> None:
    kms, iam = (client_of(client.server, service, ROOT) for service in ("kms", "iam"))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    with asking(client, "faults", make_ana(iam)) as ana:
        assert ana.hears_of_key(key) == "denied"
        _grants(kms, ana, key)
        _policies(kms, iam, ana, key)
        _states(kms, ana, key)


def _grants(kms: Any, ana: Asker, key: str) -> None:
    for end in ("revoked", "retired"):
        made = kms.create_grant(KeyId=key, GranteePrincipal=USER, Operations=["Encrypt"])
        assert ana.hears_of_key(key) == "open", "granted"
        given = {"KeyId": key, "GrantId": made["GrantId"]}
        if end == "revoked":
            kms.revoke_grant(**given)
        else:
            kms.retire_grant(**given)
        assert ana.hears_of_key(key) == "denied", end


def _policies(kms: Any, iam: Any, ana: Asker, key: str) -> None:
    kms.put_key_policy(KeyId=key, Policy=policy(USER))
    assert ana.hears_of_key(key) == "open", "named by the policy"
    kms.put_key_policy(KeyId=key, Policy=policy())
    assert ana.hears_of_key(key) == "denied", "no more"
    iam.put_user_policy(UserName="ana", PolicyName="a", PolicyDocument=document("kms:Encrypt"))
    assert ana.hears_of_key(key) == "open", "the key's policy leaves it to those of the user"


def _states(kms: Any, ana: Asker, key: str) -> None:
    kms.disable_key(KeyId=key)
    assert ana.hears_of_key(key) == "disabled"
    kms.enable_key(KeyId=key)
    assert ana.hears_of_key(key) == "open"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert ana.hears_of_key(key) == "going"
    kms.cancel_key_deletion(KeyId=key)
    assert ana.hears_of_key(key) == "disabled"


def test_an_alias_that_moves_takes_who_asks_for_it_along(client: RegistryClient) -> None:
    """Who may use one key gets no other by the name that they share in turn."""
    kms, iam = (client_of(client.server, service, ROOT) for service in ("kms", "iam"))
    mine, other = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    kms.create_alias(AliasName="alias/a", TargetKeyId=mine)
    alias = f"{mine.rpartition(':')[0]}:alias/a"
    with asking(client, "faults", make_ana(iam)) as ana:
        iam.put_user_policy(UserName="ana", PolicyName="a", PolicyDocument=document("kms:Encrypt", Resource=mine))
        assert ana.hears_of_key(alias) == "open"
        kms.update_alias(AliasName="alias/a", TargetKeyId=other)
        assert ana.hears_of_key(alias) == "denied"
        kms.update_alias(AliasName="alias/a", TargetKeyId=mine)
        assert ana.hears_of_key(alias) == "open"
