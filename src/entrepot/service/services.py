"""All services of one process, as `app/wiring.py` builds them and the transports use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entrepot.service.access import AccessService
    from entrepot.service.account_setting import AccountSettingService
    from entrepot.service.anonymous_pull import AnonymousPullService
    from entrepot.service.anonymous_token import AnonymousTokenService
    from entrepot.service.blob import BlobService
    from entrepot.service.context import Context
    from entrepot.service.garbage import GarbageService
    from entrepot.service.iam.access_key import IamAccessKeyService
    from entrepot.service.iam.account import IamAccountService
    from entrepot.service.iam.attachment import IamAttachmentService
    from entrepot.service.iam.authorization_detail import IamAuthorizationDetailService
    from entrepot.service.iam.boundary import IamBoundaryService
    from entrepot.service.iam.group import IamGroupService
    from entrepot.service.iam.inline_policy import IamInlinePolicyService
    from entrepot.service.iam.instance_profile import IamInstanceProfileService
    from entrepot.service.iam.policy import IamPolicyService
    from entrepot.service.iam.policy_version import IamPolicyVersionService
    from entrepot.service.iam.provider import IamProviderService
    from entrepot.service.iam.role import IamRoleService
    from entrepot.service.iam.simulation import IamSimulationService
    from entrepot.service.iam.tag import IamTagService
    from entrepot.service.iam.user import IamUserService
    from entrepot.service.identity import IdentityService
    from entrepot.service.image import ImageService
    from entrepot.service.job import JobService
    from entrepot.service.key import KeyService
    from entrepot.service.kms.alias import KmsAliasService
    from entrepot.service.kms.cryptography import KmsCryptography
    from entrepot.service.kms.grant import KmsGrantService
    from entrepot.service.kms.key import KmsKeys
    from entrepot.service.kms.lifecycle import KmsLifecycleService
    from entrepot.service.kms.policy import KmsPolicyService
    from entrepot.service.kms.rotation import KmsRotationService
    from entrepot.service.kms.tag import KmsTagService
    from entrepot.service.referrer import ReferrerService
    from entrepot.service.registry_login import RegistryLogins
    from entrepot.service.registry_policy import RegistryPolicyService
    from entrepot.service.registry_token import RegistryTokenService
    from entrepot.service.repository import RepositoryService
    from entrepot.service.repository_policy import RepositoryPolicyService
    from entrepot.service.resource_tag import ResourceTagService
    from entrepot.service.robot_login import RobotLogins
    from entrepot.service.robot_token import RobotTokenService
    from entrepot.service.session import SessionService
    from entrepot.service.upload import UploadService
    from entrepot.service.vpc.endpoint import VpcEndpointService
    from entrepot.service.vpc.listening import ListeningService
    from entrepot.service.vpc.network import VpcNetworkService
    from entrepot.service.vpc.passage import PassageService
    from entrepot.service.vpc.tag import Ec2TagService


@dataclass(frozen=True, slots=True)
class Services:
    """One instance per worker."""

    context: Context
    key: KeyService
    identity: IdentityService
    access: AccessService
    iam_user: IamUserService
    iam_group: IamGroupService
    iam_provider: IamProviderService
    iam_role: IamRoleService
    iam_instance_profile: IamInstanceProfileService
    session: SessionService
    iam_access_key: IamAccessKeyService
    iam_tag: IamTagService
    iam_policy: IamPolicyService
    iam_policy_version: IamPolicyVersionService
    iam_inline_policy: IamInlinePolicyService
    iam_attachment: IamAttachmentService
    iam_boundary: IamBoundaryService
    iam_account: IamAccountService
    iam_simulation: IamSimulationService
    iam_authorization_detail: IamAuthorizationDetailService
    registry_token: RegistryTokenService
    robot_token: RobotTokenService
    robot_login: RobotLogins
    registry_login: RegistryLogins
    anonymous_token: AnonymousTokenService
    anonymous_pull: AnonymousPullService
    repository: RepositoryService
    repository_policy: RepositoryPolicyService
    registry_policy: RegistryPolicyService
    account_setting: AccountSettingService
    resource_tag: ResourceTagService
    blob: BlobService
    upload: UploadService
    image: ImageService
    referrer: ReferrerService
    garbage: GarbageService
    job: JobService
    kms_keys: KmsKeys
    vpc_endpoint: VpcEndpointService
    vpc_network: VpcNetworkService
    ec2_tag: Ec2TagService
    passage: PassageService
    listening: ListeningService
    kms_cryptography: KmsCryptography
    kms_grant: KmsGrantService
    kms_lifecycle: KmsLifecycleService
    kms_policy: KmsPolicyService
    kms_alias: KmsAliasService
    kms_rotation: KmsRotationService
    kms_tag: KmsTagService
