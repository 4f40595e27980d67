"""The AWS CLI under the real names: create, log in, describe, list, delete."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.support.image_layout import ImageLayout
from tests.support.server import ACCOUNT, REGION
from tests.support.world import HOST, World, aws_program


def test_caller_identity(world: World) -> None:
    printed = world.do(aws_program(), "sts", "get-caller-identity", "--output", "text")
    assert printed.split() == [ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT]


def test_a_repository_from_create_to_delete(world: World, images: ImageLayout) -> None:
    address = world.create("cli/life")
    assert address == f"{HOST}/cli/life"
    (described,) = world.aws("describe-repositories", "--repository-names", "cli/life")["repositories"]
    assert described["repositoryArn"] == f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/cli/life"
    world.login("skopeo", "login")
    world.push(images, "busybox", f"{address}:one")
    world.push(images, "busybox", f"{address}:two")
    listed = world.aws("list-images", "--repository-name", "cli/life")["imageIds"]
    digest = images.tags()["busybox"]["digest"]
    assert sorted((each["imageDigest"], each["imageTag"]) for each in listed) == [(digest, "one"), (digest, "two")]

    refused = world.run(aws_program(), "ecr", "delete-repository", "--repository-name", "cli/life")
    assert refused.returncode != 0
    assert "RepositoryNotEmptyException" in refused.stderr
    gone = world.aws("batch-delete-image", "--repository-name", "cli/life", "--image-ids", f"imageDigest={digest}")
    assert gone["failures"] == []
    assert {each["imageDigest"] for each in gone["imageIds"]} == {digest}
    world.aws("delete-repository", "--repository-name", "cli/life")
    missing = world.run(aws_program(), "ecr", "describe-repositories", "--repository-names", "cli/life")
    assert "RepositoryNotFoundException" in missing.stderr


def test_the_token_names_the_registry(world: World) -> None:
    (data,) = world.aws("get-authorization-token")["authorizationData"]
    assert data["proxyEndpoint"] == f"https://{HOST}"
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    assert password


def test_a_token_is_needed(world: World) -> None:
    answer = world.do("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"https://{HOST}/v2/")
    assert answer == "401"


def test_pages_are_followed(world: World, images: ImageLayout) -> None:
    address = world.create("cli/pages")
    world.login("skopeo", "login")
    for number in range(5):
        world.push(images, "busybox", f"{address}:{number}")
    listed = world.aws("list-images", "--repository-name", "cli/pages", "--page-size", "2")["imageIds"]
    assert [each["imageTag"] for each in listed] == ["0", "1", "2", "3", "4"]


def iam(world: World, *arguments: str) -> Any:
    """What `aws iam` prints, read; None of nothing."""
    printed = world.do(aws_program(), "iam", *arguments, "--output", "json")
    return json.loads(printed) if printed.strip() else None


def test_a_user_from_creation_to_deletion(world: World) -> None:
    address = world.create("cli/people")
    made = iam(world, "create-user", "--user-name", "cli-mia", "--path", "/cli/", "--tags", "Key=team,Value=web")
    assert made["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/cli/cli-mia"
    iam(world, "create-group", "--group-name", "cli-pullers")
    policy = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
    iam(world, "attach-group-policy", "--group-name", "cli-pullers", "--policy-arn", policy)
    key = iam(world, "create-access-key", "--user-name", "cli-mia")["AccessKey"]
    own = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    listing = (aws_program(), "ecr", "list-images", "--repository-name", "cli/people")

    arn = world.do(aws_program(), "sts", "get-caller-identity", "--query", "Arn", "--output", "text", env=own)
    assert arn.strip() == made["User"]["Arn"]
    assert "AccessDeniedException" in world.run(*listing, env=own).stderr
    iam(world, "add-user-to-group", "--group-name", "cli-pullers", "--user-name", "cli-mia")
    assert world.run(*listing, env=own).returncode == 0
    assert address.endswith("/cli/people")

    conflict = world.run(aws_program(), "iam", "delete-user", "--user-name", "cli-mia")
    assert "DeleteConflict" in conflict.stderr
    iam(world, "remove-user-from-group", "--group-name", "cli-pullers", "--user-name", "cli-mia")
    assert "AccessDeniedException" in world.run(*listing, env=own).stderr
    iam(world, "delete-access-key", "--user-name", "cli-mia", "--access-key-id", key["AccessKeyId"])
    iam(world, "delete-user", "--user-name", "cli-mia")
    assert "UnrecognizedClientException" in world.run(*listing, env=own).stderr
    iam(world, "detach-group-policy", "--group-name", "cli-pullers", "--policy-arn", policy)
    iam(world, "delete-group", "--group-name", "cli-pullers")


def test_pages_of_iam_are_followed(world: World) -> None:
    names = [f"cli-page-{number}" for number in range(5)]
    for name in names:
        iam(world, "create-group", "--group-name", name)
    listed = iam(world, "list-groups", "--page-size", "2")["Groups"]
    assert [group["GroupName"] for group in listed if group["GroupName"] in names] == names
    for name in names:
        iam(world, "delete-group", "--group-name", name)


def test_a_key_from_create_to_deletion(world: World) -> None:
    def kms(*words: str) -> Any:
        printed = world.do(aws_program(), "kms", *words, "--output", "json")
        return json.loads(printed) if printed.strip() else None

    tags = ("--tags", "TagKey=team,TagValue=cli")
    key_id = kms("create-key", "--description", "of the CLI", *tags)["KeyMetadata"]["KeyId"]
    kms("create-alias", "--alias-name", "alias/cli", "--target-key-id", key_id)
    context = ("--encryption-context", "purpose=test")
    sealed = world.directory / "sealed"
    encrypted = kms("encrypt", "--key-id", "alias/cli", "--plaintext", "a secret", *context)["CiphertextBlob"]
    sealed.write_bytes(base64.b64decode(encrypted))
    decrypt = ("decrypt", "--ciphertext-blob", f"fileb://{sealed}", *context)
    kms("rotate-key-on-demand", "--key-id", key_id)
    assert base64.b64decode(kms(*decrypt)["Plaintext"]) == b"a secret"
    listed = kms("list-aliases", "--page-size", "1")["Aliases"]
    assert ("alias/cli", key_id) in [(alias["AliasName"], alias["TargetKeyId"]) for alias in listed]
    assert [one["RotationType"] for one in kms("list-key-rotations", "--key-id", key_id)["Rotations"]] == ["ON_DEMAND"]

    kms("disable-key", "--key-id", key_id)
    refused = world.run(aws_program(), "kms", *decrypt)
    assert refused.returncode != 0
    assert "DisabledException" in refused.stderr
    kms("delete-alias", "--alias-name", "alias/cli")
    pending = kms("schedule-key-deletion", "--key-id", key_id, "--pending-window-in-days", "7")
    assert (pending["KeyState"], pending["PendingWindowInDays"]) == ("PendingDeletion", 7)
