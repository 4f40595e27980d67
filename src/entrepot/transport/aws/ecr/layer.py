"""Layer operations: the three steps of an upload, availability and download URLs.

Spec: ECR API, version 2015-09-21.
"""

from __future__ import annotations

from typing import Any

from entrepot.domain.digest import Digest
from entrepot.domain.error import DigestInvalid
from entrepot.domain.limit import LAYER_PART_BYTES_SUGGESTED
from entrepot.domain.upload import UploadKind
from entrepot.transport.aws.call import Call
from entrepot.transport.aws.wording import IMAGE_DIGEST_PATTERN, is_ecr_digest


async def initiate_layer_upload(call: Call) -> dict[str, Any]:
    upload = await call.services.upload.start(call.registry, call.repository, call.caller.principal, UploadKind.ECR)
    return {"uploadId": upload.id, "partSize": LAYER_PART_BYTES_SUGGESTED}


async def upload_layer_part(call: Call) -> dict[str, Any]:
    given = call.parameters
    received = await call.services.upload.append_part(
        call.registry,
        call.repository,
        call.caller.account_id,
        given["uploadId"].lower(),
        given["partFirstByte"],
        given["partLastByte"],
        given["layerPartBlob"],
    )
    return _names(call) | {"uploadId": given["uploadId"], "lastByteReceived": received}


async def complete_layer_upload(call: Call) -> dict[str, Any]:
    upload_id = call.parameters["uploadId"]
    digests = [Digest.parse(text) for text in call.parameters["layerDigests"]]
    digest = await call.services.upload.complete_layer(
        call.registry, call.repository, call.caller.account_id, upload_id.lower(), digests
    )
    return _names(call) | {"uploadId": upload_id, "layerDigest": str(digest)}


async def batch_check_layer_availability(call: Call) -> dict[str, Any]:
    texts = list(dict.fromkeys(call.parameters["layerDigests"]))
    known = {text: digest for text in texts if (digest := _find_digest(text)) is not None}
    found = await call.services.blob.check_layers(call.registry, call.repository, list(known.values()))
    # Digests in a form that AWS takes and we never store are layers that are not here.
    foreign = [text for text in texts if text not in known and is_ecr_digest(text)]
    layers = [
        {
            "layerDigest": str(layer.digest),
            "layerAvailability": "AVAILABLE" if layer.is_available else "UNAVAILABLE",
            "layerSize": layer.size if layer.is_available else None,
            "mediaType": layer.media_type if layer.is_available else None,
        }
        for layer in found
    ]
    layers += [{"layerDigest": text, "layerAvailability": "UNAVAILABLE"} for text in foreign]
    return {"layers": layers, "failures": [_failure(text) for text in texts if not is_ecr_digest(text)]}


async def get_download_url_for_layer(call: Call) -> dict[str, Any]:
    digest = Digest.parse(call.parameters["layerDigest"])
    passage = call.passage
    path = await call.services.blob.sign_download(
        call.registry, call.repository, digest, passage.endpoint_id if passage else ""
    )
    host = passage.download_url if passage else call.registry_url.endpoint(call.registry)
    return {"downloadUrl": host + path, "layerDigest": str(digest)}


def _find_digest(text: str) -> Digest | None:
    try:
        return Digest.parse(text)
    except DigestInvalid:
        return None


def _failure(text: str) -> dict[str, Any]:
    if not text:
        return {
            "failureCode": "MissingLayerDigest",
            "failureReason": "Invalid request parameters: layer digest is empty",
        }
    reason = f"Invalid request parameters: layer digest should satisfy the regex '{IMAGE_DIGEST_PATTERN}'"
    return {"layerDigest": text, "failureCode": "InvalidLayerDigest", "failureReason": reason}


def _names(call: Call) -> dict[str, Any]:
    return {"registryId": call.registry.account_id, "repositoryName": call.repository}
