"""Service models are read whole, fast, and without botocore's own code."""

from __future__ import annotations

import subprocess
import sys

from entrepot.transport.aws.model import VERSIONS, known_regions, service_model


def test_the_models_have_the_operations_that_the_design_counted() -> None:
    counts = {name: len(service_model(name).operation_names) for name in VERSIONS}

    assert counts == {"ec2": 15, "ecr": 62, "entrepot": 3, "iam": 180, "kms": 56, "sts": 11}
    assert service_model("ecr").target_prefix == "AmazonEC2ContainerRegistry_V20150921"
    assert service_model("ecr").signing_name == "ecr"
    assert service_model("kms").target_prefix == "TrentService"
    assert service_model("sts").xml_namespace == "https://sts.amazonaws.com/doc/2011-06-15/"


def test_an_operation_names_its_shapes_and_errors() -> None:
    operation = service_model("ecr").operation("PutImage")

    assert operation.input is not None
    assert operation.input.required == ("repositoryName", "imageManifest")
    assert operation.input.members["imageManifest"].maximum == 4_194_304
    assert "ImageTagAlreadyExistsException" in operation.errors
    assert service_model("sts").operation("GetCallerIdentity").result_wrapper == "GetCallerIdentityResult"


def test_codes_of_errors_are_those_on_the_wire() -> None:
    """STS calls them otherwise than their shapes."""
    assert "MalformedPolicyDocument" in service_model("sts").operation("AssumeRole").errors


def test_regions_are_real_ones() -> None:
    regions = known_regions()

    assert {"us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"} <= regions
    assert not {"aws-global", "us-east-99", "local"} & regions


def test_reading_a_model_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from entrepot.transport.aws.model import service_model\n"
        "service_model('ecr')\n"
        "print(sorted({'boto3', 'botocore', 'urllib3'} & set(sys.modules)))\n"
    )

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"
