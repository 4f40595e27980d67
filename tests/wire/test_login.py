"""Logins to /v2/: challenges, tokens, accounts, regions."""

from entrepot.domain.registry import Registry
from tests.support.registry import OTHER_ACCOUNT, RunningRegistry
from tests.support.wire import basic, digest_of

PATHS = ["/v2/", "/v2", "/v2/_catalog", "/v2/app/tags/list", "/v2/app/manifests/x", "/v2/none/blobs/sha256:x", "/v2/?"]
AWS_HOST = "{}.dkr.ecr.{}.amazonaws.com"


async def test_without_credentials(registry: RunningRegistry) -> None:
    for path in PATHS:
        answer = await registry.client.send("GET", path, {"Authorization": "", "Host": "h:5000"})
        assert (answer.status, answer.body) == (401, b"Not Authorized\n")
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="http://h:5000/",service="ecr.amazonaws.com"'
        assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
        assert answer.headers["Content-Type"].startswith("text/plain")


async def test_with_others_credentials(registry: RunningRegistry) -> None:
    for authorization in ("Basic", "Bearer x", basic("x"), basic("e1.a.b.c"), "Basic e30="):
        answer = await registry.client.send("GET", "/v2/", {"Authorization": authorization})
        assert (answer.status, answer.codes) == (401, ["UNAUTHORIZED"])
        assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


async def test_with_another_user_name(registry: RunningRegistry) -> None:
    password = await registry.password()
    answer = await registry.client.send("GET", "/v2/", {"Authorization": basic(password, user="root")})
    assert answer.status == 401


async def test_a_good_token(registry: RunningRegistry) -> None:
    answer = await registry.client.send("GET", "/v2/")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (200, b"{}", "application/json")
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


async def test_an_altered_token(registry: RunningRegistry) -> None:
    password = await registry.password()
    altered = password[:-1] + ("A" if password[-1] != "A" else "B")
    assert (await registry.client.send("GET", "/v2/", {"Authorization": basic(altered)})).status == 401


async def test_the_401_comes_before_the_body(registry: RunningRegistry) -> None:
    headers = {"Authorization": "", "Expect": "100-continue", "Content-Length": "1000000000"}
    answer = await registry.client.send("PATCH", "/v2/app/blobs/uploads/x", headers)
    assert answer.status == 401
    assert answer.headers["Connection"] == "close"


async def test_an_expired_token(registry: RunningRegistry) -> None:
    authorization = basic(await registry.password())
    registry.clock.advance(13 * 3600)
    answer = await registry.client.send("GET", "/v2/", {"Authorization": authorization})
    assert (answer.status, answer.codes) == (401, ["DENIED"])
    message = "Your authorization token has expired. Reauthenticate and try again."
    assert answer.json()["errors"][0]["message"] == message
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


async def test_a_revoked_token_ends_at_once(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    image = f"/v2/app/manifests/{await registry.client.put_image('app', 'v1')}"
    assert (await registry.client.send("GET", image)).status == 200
    await registry.services.identity.rotate_root_key(registry.home.account_id)
    for path in ("/v2/", image, "/v2/_catalog", "/v2/app/tags/list", f"/v2/app/blobs/{digest_of(b'layer')}"):
        answer = await registry.client.send("GET", path)
        assert (answer.status, answer.codes) == (401, ["DENIED"])


async def test_another_account_is_denied_the_same_way_whatever_exists(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    await registry.client.put_image("app", "v1")
    stranger = basic(await registry.password(OTHER_ACCOUNT))
    host = AWS_HOST.format(registry.home.account_id, registry.home.region)
    bodies = set()
    for path in ("/v2/app/manifests/v1", "/v2/app/manifests/none", f"/v2/app/blobs/{digest_of(b'layer')}"):
        answer = await registry.client.send("GET", path, {"Authorization": stranger, "Host": host})
        assert (answer.status, answer.codes) == (403, ["DENIED"])
    for name in ("app", "none"):
        for method, path in (
            ("GET", f"/v2/{name}/manifests/v1"),
            ("PUT", f"/v2/{name}/manifests/v1"),
            ("DELETE", f"/v2/{name}/manifests/v1"),
            ("GET", f"/v2/{name}/tags/list"),
            ("GET", f"/v2/{name}/referrers/{digest_of(b'')}"),
            ("POST", f"/v2/{name}/blobs/uploads/"),
            ("DELETE", f"/v2/{name}/blobs/{digest_of(b'layer')}"),
        ):
            answer = await registry.client.send(method, path, {"Authorization": stranger, "Host": host}, b"{}")
            assert (answer.status, answer.codes) == (403, ["DENIED"])
            bodies.add(answer.body.replace(f"/{name}".encode(), b"/NAME"))
    assert len(bodies) == 5, bodies  # one for each action
    catalog = await registry.client.send("GET", "/v2/_catalog", {"Authorization": stranger, "Host": host})
    assert catalog.status == 403


async def test_the_host_decides_the_registry(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    await registry.client.put_image("app", "v1")
    home = AWS_HOST.format(registry.home.account_id, registry.home.region)
    assert (await registry.client.send("GET", "/v2/app/manifests/v1", {"Host": home})).status == 200
    elsewhere = await registry.client.send(
        "GET", "/v2/app/manifests/v1", {"Host": AWS_HOST.format(registry.home.account_id, "eu-west-1")}
    )
    assert (elsewhere.status, elsewhere.codes) == (401, ["UNAUTHORIZED"])


async def test_one_account_in_two_regions(registry: RunningRegistry) -> None:
    await registry.create_repository("app")
    away = Registry(registry.home.account_id, "eu-west-1")
    token = basic(await registry.password(registry=away))
    answer = await registry.client.send("GET", "/v2/app/tags/list", {"Authorization": token})
    assert (answer.status, answer.codes) == (404, ["NAME_UNKNOWN"])
    await registry.create_repository("app", registry=away)
    host = AWS_HOST.format(away.account_id, away.region)
    answer = await registry.client.send("GET", "/v2/app/tags/list", {"Authorization": token, "Host": host})
    assert answer.status == 200


async def test_unknown_paths(registry: RunningRegistry) -> None:
    for path in ("/v2/app", "/v2/app/x/y", "/v2/x/manifests/", "/v2/_other"):
        answer = await registry.client.send("GET", path)
        assert (answer.status, answer.codes) == (404, ["UNSUPPORTED"])


async def test_ambiguous_paths(registry: RunningRegistry) -> None:
    for path in ("/v2/a/../b/manifests/x", "/v2//a/tags/list", "/v2/a%2Fb/manifests/x", "/v2/app/manifests/%00"):
        answer = await registry.client.send("GET", path)
        assert (answer.status, answer.codes) == (400, ["NAME_INVALID"])
        assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
