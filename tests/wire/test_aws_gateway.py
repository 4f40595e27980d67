"""What every request of the AWS planes meets before and around its operation."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import HeadersDict
from multidict import CIMultiDict, CIMultiDictProxy

from entrepot.service.repository import RepositoryService
from entrepot.transport.aws.gateway import SMALL_BODY_BYTES, SMALL_BUDGET_BYTES
from entrepot.transport.message import BodyTooLarge, HttpRequest, HttpResponse
from tests.support.aws import FORM, JSON, TARGET, AwsClient, AwsWorld, parse
from tests.support.registry import HOME
from tests.support.signing import changed, message, presigned, signed

URL = "http://127.0.0.1:5000/"
STS_QUERY = "?Action=GetCallerIdentity&Version=2011-06-15"


def error_of(response: HttpResponse) -> tuple[int, str, str]:
    """Status, code and message of a JSON error; each of the three places of the code agrees."""
    document = json.loads(response.body)
    assert response.headers["Content-Type"] == JSON
    assert response.headers["x-amzn-errortype"] == document["__type"]
    assert len(response.headers["x-amzn-RequestId"]) == 36
    return response.status, document["__type"], document["message"]


def xml_error_of(response: HttpResponse, protocol: str = "query") -> tuple[int, str, str]:
    raw = {"status_code": response.status, "headers": HeadersDict(response.headers), "body": response.body}
    error = parse(None, response, protocol).parsed["Error"]
    assert raw["headers"]["x-amzn-requestid"]
    return response.status, error["Code"], error["Message"]


def listing(client: AwsClient, **headers: str) -> HttpRequest:
    """A signed ListImages."""
    given = {"Content-Type": JSON, "X-Amz-Target": f"{TARGET}.ListImages"} | headers
    return client.sign("ecr", given, b'{"repositoryName": "team/app"}')


async def unread(limit_bytes: int) -> bytes:
    raise AssertionError("the body was read")


async def test_bodies_that_do_not_come_take_nobodys_share(aws: AwsWorld) -> None:
    never = asyncio.Event()

    async def wait_for_ever(limit_bytes: int) -> bytes:
        await never.wait()
        return b""

    silent = replace(changed(listing(aws.client), Content_Length=str(SMALL_BODY_BYTES)), read_body=wait_for_ever)
    waiting = [
        asyncio.create_task(aws.client.answer(silent)) for _ in range(SMALL_BUDGET_BYTES // SMALL_BODY_BYTES + 1)
    ]
    try:
        response = await asyncio.wait_for(aws.client.answer(listing(aws.client)), 10)
        assert error_of(response)[1] == "RepositoryNotFoundException"
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


# ── identity ─────────────────────────────────────────────────────────────────────────────────


async def test_caller_identity_by_post_get_and_presigned_url(aws: AwsWorld) -> None:
    now, key, scope = aws.registry.clock.now(), aws.client.key, ("eu-west-1", "sts")
    posted = await aws.client.sts("GetCallerIdentity")
    got = await aws.client.answer(signed("GET", URL + STS_QUERY, now, key=key, scope=scope))
    linked = await aws.client.answer(
        presigned("GET", URL + STS_QUERY, now, {"x-k8s-aws-id": "c"}, key=key, scope=scope)
    )

    identity = {"UserId": HOME.account_id, "Account": HOME.account_id, "Arn": f"arn:aws:iam::{HOME.account_id}:root"}
    posted.parsed.pop("ResponseMetadata")
    assert posted.parsed == identity
    assert posted.response.headers["Content-Type"] == "text/xml"
    for response in (got, linked):
        assert response.status == 200
        assert f"<Account>{HOME.account_id}</Account>".encode() in response.body


async def test_the_arn_is_of_the_regions_partition(aws: AwsWorld) -> None:
    china = replace(aws.client, region="cn-north-1")

    assert (await china.sts("GetCallerIdentity"))["Arn"] == f"arn:aws-cn:iam::{HOME.account_id}:root"


async def test_nothing_of_the_body_is_read_for_a_head_that_cannot_be_right(aws: AwsWorld) -> None:
    now, good, key = aws.registry.clock.now(), listing(aws.client), aws.client.key
    stated = listing(aws.client, **{"X-Amz-Content-Sha256": "0" * 64})
    unsigned = listing(aws.client, **{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"})
    head = {"X-Amz-Target": f"{TARGET}.ListImages", "Content-Type": JSON}
    cases: list[tuple[HttpRequest, str]] = [
        (changed(good, drop=["Authorization"]), "MissingAuthenticationTokenException"),
        (changed(good, Authorization="AWS4-HMAC-SHA256 nonsense"), "IncompleteSignatureException"),
        (listing(replace(aws.client, key=("AKIANOBODY", key[1]))), "UnrecognizedClientException"),
        (listing(replace(aws.client, region="us-east-9")), "InvalidSignatureException"),
        (changed(good, X_Amz_Date="20200101T000000Z"), "InvalidSignatureException"),
        (changed(good, add=[("X-Amz-Meta", "unsigned")]), "InvalidSignatureException"),
        (unsigned, "InvalidSignatureException"),
        (changed(stated, X_Amz_Target=f"{TARGET}.PutImage"), "InvalidSignatureException"),
        (signed("POST", URL, now, head, key=key, token="session"), "UnrecognizedClientException"),
        (signed("POST", URL, now, head, key=key, scope=("us-east-1", "sts")), "InvalidSignatureException"),
    ]
    for request, code in cases:
        status, shown, _ = error_of(await aws.client.answer(replace(request, read_body=unread)))
        assert (status, shown) == (400, code), request


async def test_a_body_that_is_not_the_stated_one(aws: AwsWorld) -> None:
    stated = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    request = listing(aws.client, **{"X-Amz-Content-Sha256": stated})

    _, code, text = error_of(await aws.client.answer(request))

    assert (code, text) == (
        "InvalidSignatureException",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )


async def test_a_stated_body_hash_that_is_right(aws: AwsWorld) -> None:
    await aws.create()
    stated = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    headers = {"Content-Type": JSON, "X-Amz-Target": f"{TARGET}.DescribeRepositories", "X-Amz-Content-Sha256": stated}

    assert (await aws.client.answer(aws.client.sign("ecr", headers, b"{}"))).status == 200


async def test_a_wrong_secret_and_an_old_signature_have_awss_words(aws: AwsWorld) -> None:
    wrong = replace(aws.client, key=(aws.client.key[0], "wrong"))
    _, code, text = error_of(await aws.client.answer(listing(wrong)))
    assert code == "InvalidSignatureException"
    assert text.startswith("The request signature we calculated does not match the signature you provided.")

    request = listing(aws.client)
    aws.registry.clock.advance(15 * 60 + 5)
    status, code, text = error_of(await aws.client.answer(request))
    assert (status, code) == (400, "InvalidSignatureException")
    assert text.startswith("Signature expired: ")
    assert text.endswith(" - 15 min.)")


async def test_a_regional_host_must_agree_with_the_scope(aws: AwsWorld) -> None:
    home = replace(aws.client, url="https://api.ecr.us-east-1.amazonaws.com/")
    abroad = replace(aws.client, url="https://api.ecr.eu-west-1.amazonaws.com/")

    assert (await home.ecr("DescribeRepositories")).status == 200
    refused = await abroad.ecr("DescribeRepositories")
    assert (refused.code, refused.message) == (
        "InvalidSignatureException",
        "Credential should be scoped to a valid region.",
    )


async def test_sts_calls_the_same_failures_otherwise(aws: AwsWorld) -> None:
    nobody = await replace(aws.client, key=("AKIANOBODY", "x")).sts("GetCallerIdentity")
    wrong = await replace(aws.client, key=(aws.client.key[0], "x")).sts("GetCallerIdentity")
    missing = await aws.client.answer(message("POST", URL, {"Content-Type": FORM}, b"Action=GetCallerIdentity"))

    assert (nobody.status, nobody.code) == (403, "InvalidClientTokenId")
    assert (wrong.status, wrong.code) == (403, "SignatureDoesNotMatch")
    assert xml_error_of(missing)[:2] == (403, "MissingAuthenticationToken")


async def test_regions_are_registries_of_their_own(aws: AwsWorld) -> None:
    await aws.create()
    abroad = replace(aws.client, region="eu-west-1")

    assert (await abroad.ecr("DescribeRepositories"))["repositories"] == []
    made = await abroad.ecr("CreateRepository", repositoryName="team/app")
    assert made["repository"]["repositoryArn"] == f"arn:aws:ecr:eu-west-1:{HOME.account_id}:repository/team/app"


# ── the right operation ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("operation", ["PutLifecyclePolicy", "StartImageScan", "Nonsense", "", "x" * 5000])
async def test_operations_that_are_not_here(aws: AwsWorld, operation: str) -> None:
    reply = await aws.client.send(operation, b"{}")

    assert (reply.status, reply.code) == (400, "UnknownOperationException")


async def test_actions_that_are_not_here(aws: AwsWorld) -> None:
    later = await aws.client.sts("GetFederationToken")
    never = await aws.client.sts("Nonsense")
    version = await aws.client.sts("GetCallerIdentity", Version="2010-01-01")

    assert {(r.status, r.code) for r in (later, never, version)} == {(400, "InvalidAction")}
    assert "GetFederationToken yet" in later.message


ADVICE = (
    "Set AWS_ENDPOINT_URL_EC2, AWS_ENDPOINT_URL_ECR, AWS_ENDPOINT_URL_ENTREPOT, AWS_ENDPOINT_URL_IAM, "
    "AWS_ENDPOINT_URL_KMS and "
    "AWS_ENDPOINT_URL_STS to this server instead of AWS_ENDPOINT_URL"
)


async def test_services_that_are_not_here_are_told_so_in_their_own_form(aws: AwsWorld) -> None:
    now, key = aws.registry.clock.now(), aws.client.key

    def scoped(method: str, url: str, service: str, headers: dict[str, str], body: bytes = b"") -> HttpRequest:
        return signed(method, url, now, headers, body, key=key, scope=("us-east-1", service))

    dynamodb = scoped("POST", URL, "dynamodb", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}, b"{}")
    rds = scoped("POST", URL, "rds", {"Content-Type": FORM}, b"Action=DescribeEvents&Version=2014-10-31")
    ec2 = scoped("POST", URL, "ec2", {"Content-Type": FORM}, b"Action=RunInstances&Version=2016-11-15")
    s3 = scoped("GET", URL + "bucket/key", "s3", {})
    function = scoped("GET", URL + "2015-03-31/functions", "lambda", {})

    _, code, text = error_of(await aws.client.answer(dynamodb))
    assert code == "UnknownOperationException"
    assert text == (
        f"This server does not have the service 'dynamodb'. {ADVICE}, or AWS_ENDPOINT_URL_DYNAMODB to a server that "
        "has it."
    )
    assert "'lambda'" in error_of(await aws.client.answer(function))[2]
    assert "AWS_ENDPOINT_URL_RDS" in xml_error_of(await aws.client.answer(rds))[2]
    assert "'s3'" in xml_error_of(await aws.client.answer(s3), "rest-xml")[2]
    assert "'RunInstances'" in xml_error_of(await aws.client.answer(ec2), "ec2")[2]


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "application/json"}, {"Content-Type": FORM}, {"Content-Type": "application/x-amz-json-1.0"}],
)
async def test_a_wrong_content_type(aws: AwsWorld, headers: dict[str, str]) -> None:
    request = listing(aws.client, **headers)

    status, code, text = error_of(await aws.client.answer(request))

    assert (status, code, text) == (
        400,
        "UnknownOperationException",
        "The Content-Type must be application/x-amz-json-1.1",
    )


async def test_a_content_type_with_a_charset_is_fine(aws: AwsWorld) -> None:
    await aws.create()

    request = listing(aws.client, **{"Content-Type": "application/x-amz-json-1.1; charset=utf-8"})

    assert (await aws.client.answer(request)).status == 200


# ── the body ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff", b'{"repositoryName": 5}', b'{"repositoryName": ["a"]}'])
async def test_bodies_that_can_not_be_read(aws: AwsWorld, body: bytes) -> None:
    reply = await aws.client.send("ListImages", body)

    assert (reply.status, reply.code) == (400, "SerializationException")


async def test_a_body_without_what_is_required(aws: AwsWorld) -> None:
    for body in (b"", b"{}", b'{"repositoryName": null}'):
        reply = await aws.client.send("ListImages", body)
        assert (reply.code, reply.message) == (
            "InvalidParameterException",
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'Member must not be null'",
        )


async def test_huge_bodies(aws: AwsWorld) -> None:
    small = await aws.client.send("ListImages", b" " * (1024 * 1024 + 1))
    form = await aws.client.answer(aws.client.sign("sts", {"Content-Type": FORM}, b"a" * (1024 * 1024 + 1)))

    assert (small.status, small.code) == (413, "RequestEntityTooLargeException")
    assert xml_error_of(form)[:2] == (413, "RequestEntityTooLargeException")


async def test_a_chunked_body_is_limited_while_it_is_read(aws: AwsWorld) -> None:
    limits = []

    async def endless(limit_bytes: int) -> bytes:
        limits.append(limit_bytes)
        raise BodyTooLarge

    request = listing(aws.client)
    headers = CIMultiDict(request.headers)
    headers.pop("Content-Length")
    headers["Transfer-Encoding"] = "chunked"
    chunked = replace(request, headers=CIMultiDictProxy(headers), read_body=endless)

    assert error_of(await aws.client.answer(chunked))[:2] == (413, "RequestEntityTooLargeException")
    assert limits == [1024 * 1024]


async def test_the_largest_layer_part_fits(aws: AwsWorld) -> None:
    await aws.create()
    upload_id = (await aws.client.ecr("InitiateLayerUpload", repositoryName="team/app"))["uploadId"]
    ask: dict[str, Any] = {"repositoryName": "team/app", "uploadId": upload_id, "partFirstByte": 0}
    largest = 20_971_520
    blob = base64.b64encode(bytes(largest)).decode()

    part = await aws.client.ecr("UploadLayerPart", partLastByte=largest - 1, layerPartBlob=blob, **ask)
    blob = base64.b64encode(bytes(largest + 1)).decode()
    beyond = await aws.client.ecr("UploadLayerPart", partLastByte=largest, layerPartBlob=blob, **ask)

    assert part["lastByteReceived"] == largest - 1
    assert (beyond.code, beyond.message) == (
        "InvalidParameterException",
        (
            "Invalid parameter at 'layerPartBlob' failed to satisfy constraint: 'Member must have length less than or "
            "equal to 20971520'"
        ),
    )


# ── the unexpected ───────────────────────────────────────────────────────────────────────────


async def test_the_unexpected_is_logged_and_told_nothing_of(
    aws: AwsWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("in the house\nsecond line with a secret")

    monkeypatch.setattr(RepositoryService, "describe", broken)
    with caplog.at_level(logging.ERROR):
        reply = await aws.client.ecr("DescribeRepositories")

    assert (reply.status, reply.code) == (500, "InternalFailure")
    assert "house" not in reply.response.body.decode()
    logged = capsys.readouterr().out + caplog.text
    assert "KeyError" in logged
    assert reply.response.headers["x-amzn-RequestId"] in logged
    for secret in (aws.client.key[1], "Signature="):
        assert secret not in logged


# ── tokens ───────────────────────────────────────────────────────────────────────────────────


async def test_an_authorization_token(aws: AwsWorld) -> None:
    data = (await aws.client.ecr("GetAuthorizationToken"))["authorizationData"]

    user, password = base64.b64decode(data[0]["authorizationToken"]).decode().split(":")
    life = data[0]["expiresAt"] - aws.registry.clock.now()
    assert (len(data), user, data[0]["proxyEndpoint"]) == (1, "AWS", "http://127.0.0.1:5000")
    assert len(password) < 2000
    assert 43_190 < life.total_seconds() <= 43_200
    header = {"Authorization": f"Basic {data[0]['authorizationToken']}"}
    assert (await aws.registry.client.send("GET", "/v2/", header)).status == 200


async def test_tokens_for_any_registries(aws: AwsWorld) -> None:
    ids = [HOME.account_id, "999999999999"]

    data = (await aws.client.ecr("GetAuthorizationToken", registryIds=ids))["authorizationData"]
    none = await aws.client.ecr("GetAuthorizationToken", registryIds=[])
    many = await aws.client.ecr("GetAuthorizationToken", registryIds=["999999999999"] * 11)
    odd = await aws.client.ecr("GetAuthorizationToken", registryIds=["1234"])

    assert len(data) == 2
    assert {reply.code for reply in (none, many, odd)} == {"InvalidParameterException"}
    assert odd.message == (
        "Invalid parameter at 'registryIds' failed to satisfy constraint: "
        "'Member must satisfy constraint: [Member must satisfy regular expression pattern: [0-9]{12}]'"
    )


# ── boto3 itself ─────────────────────────────────────────────────────────────────────────────


async def test_boto3_over_the_wire(aws: AwsWorld) -> None:
    """Paginators, exceptions and types of a real client against the real listener."""
    key_id, secret = aws.client.key

    def use() -> dict[str, Any]:
        session = boto3.session.Session(key_id, secret, region_name="us-east-1")
        ecr = session.client("ecr", endpoint_url=aws.registry.url)
        sts = session.client("sts", endpoint_url=aws.registry.url)
        for name in ("a1", "b1", "c1"):
            ecr.create_repository(repositoryName=name, tags=[{"Key": "k", "Value": "v"}])
        pages = list(ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 2}))
        try:
            ecr.describe_images(repositoryName="no/where")
        except ecr.exceptions.RepositoryNotFoundException as error:
            missing = error.response
        return {
            "pages": [[r["repositoryName"] for r in page["repositories"]] for page in pages],
            "missing": missing["Error"]["Code"],
            "request": missing["ResponseMetadata"]["RequestId"],
            "account": sts.get_caller_identity()["Account"],
        }

    seen = await asyncio.to_thread(use)

    assert seen["pages"] == [["a1", "b1"], ["c1"]]
    assert seen["missing"] == "RepositoryNotFoundException"
    assert len(seen["request"]) == 36
    assert seen["account"] == HOME.account_id
