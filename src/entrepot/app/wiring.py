"""Wiring: settings become engines, stores, services and the handler of every plane. Once per worker, after the fork."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import structlog

from entrepot.app import engine
from entrepot.app.deployment import Deployment
from entrepot.app.health import Health
from entrepot.app.job_handler import crons, handlers
from entrepot.app.job_runner import JobRunner
from entrepot.app.protection import Protectors, open_protectors
from entrepot.app.schedule import Periodic
from entrepot.auth.authorize import Authorizer
from entrepot.auth.failed_login import FailedLogins
from entrepot.auth.web_identities import WebIdentities
from entrepot.domain.account_setting import AWS_DEFAULTS, DEFAULTS
from entrepot.domain.bearer_host import BearerHosts
from entrepot.domain.passage import Gate
from entrepot.domain.promise import BlobPromise
from entrepot.domain.registry import Registry
from entrepot.remote.issuer import Issuers
from entrepot.remote.outbound import Allowance, Outbound
from entrepot.service.access import AccessService
from entrepot.service.account_setting import AccountSettingService
from entrepot.service.anonymous_pull import AnonymousPullService
from entrepot.service.anonymous_token import AnonymousTokenService
from entrepot.service.blob import BlobService
from entrepot.service.context import Context
from entrepot.service.event import EventService
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
from entrepot.service.kms.grant import KmsGrantService
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
from entrepot.service.services import Services
from entrepot.service.session import SessionService
from entrepot.service.storage import Storage
from entrepot.service.upload import UploadService
from entrepot.service.vpc.endpoint import VpcEndpointService
from entrepot.service.vpc.listening import ListeningService
from entrepot.service.vpc.network import VpcNetworkService
from entrepot.service.vpc.passage import PassageService
from entrepot.service.vpc.tag import Ec2TagService
from entrepot.store.blob.base import BlobStore
from entrepot.store.metadata.base import Database
from entrepot.store.metadata.maintenance import ClientDatabase
from entrepot.transport.aws.gateway import AwsGateway
from entrepot.transport.connection import Handler, LaneOpener
from entrepot.transport.exchange import Plane
from entrepot.transport.middleware import Access, Middleware
from entrepot.transport.oci.access import Access as DockerAccess
from entrepot.transport.oci.download import Downloads
from entrepot.transport.oci.route import OciPlane
from entrepot.transport.oci.token import TokenEndpoint
from entrepot.transport.quick import QuickAnswers
from entrepot.transport.router import Router
from entrepot.transport.watchdog import Watchdog

log = structlog.get_logger(__name__)

NOTE_FLUSH_SECONDS = 90.0
KEY_REFRESH_SECONDS = 300.0


@dataclass(slots=True)
class Application:
    """Everything that one worker has open."""

    database: Database
    storage: Storage
    services: Services
    middleware: Middleware
    jobs: JobRunner
    protectors: Protectors
    quick_plane: Plane | None = None
    """What may answer in the call that brought a request: the data plane, where the database answers in the loop."""
    schedule: list[Periodic] = field(default_factory=list)

    def handler(self, listener: str, gate: Gate | None = None) -> Handler:
        """What serves the requests of a listener, named by its URL, perhaps that of an endpoint."""
        return self.middleware.handler(listener, gate)

    def open_lane(self, listener: str, gate: Gate | None = None) -> LaneOpener | None:
        """What gives the connections of a listener their quick way, if there is one."""
        plane = self.quick_plane
        return QuickAnswers(plane, self.middleware, listener, gate).open_lane if plane else None

    async def close(self) -> None:
        """Write what waits in memory and let go of everything."""
        try:
            await self.services.image.pulls.flush(is_final=True)
            await self.services.iam_access_key.uses.flush(is_final=True)
            await self.services.robot_login.uses.flush(is_final=True)
        finally:
            await self.storage.close()
            await self.protectors.close()
            await self.database.close()


async def open_application(deployment: Deployment) -> Application:
    """Open database, keys and store, and put the services together.

    Raises:
        MasterKeyMissing, MasterKeyWrong: the keys of the database cannot be opened.
    """
    settings, context = deployment.settings, Context()
    database = engine.open_database(settings, deployment.directory)
    try:
        keys = await engine.open_keys(database, context, settings, deployment.directory)
    except BaseException:
        await database.close()
        raise
    return assemble(deployment, database, context, keys, engine.open_blob_store(settings, deployment.directory))


def assemble(
    deployment: Deployment, database: Database, context: Context, keys: KeyService, store: BlobStore
) -> Application:
    """Put the services together and the planes on top of them; tests bring their own database and clock."""
    settings = deployment.settings
    protectors = open_protectors(settings, database, context, keys)
    is_encrypting = settings.storage_encryption == "frames"
    storage = Storage(store, keys, context, protectors.repository_keys, is_encrypting=is_encrypting)
    services = _services(deployment, database, context, keys, storage, protectors)
    authorizer = Authorizer(services.access, context.now)
    failed_logins = FailedLogins(settings.failed_logins_per_minute, context.now)
    issuers = Issuers(Outbound(Allowance.parse(settings.outbound_allow)), time.monotonic)
    web_identities = WebIdentities(services.iam_provider, issuers, context.now)
    bearer_hosts = BearerHosts(settings.bearer_hosts, Registry(settings.account_id, settings.region))
    docker_access = DockerAccess(services, authorizer, failed_logins, bearer_hosts)
    data_plane = OciPlane(services, docker_access, bearer_hosts)
    router = Router(
        oci=data_plane,
        downloads=Downloads(services.blob, services.passage, context),
        tokens=TokenEndpoint(docker_access, services, bearer_hosts),
        aws=AwsGateway(services, authorizer, failed_logins, deployment.registry_url, web_identities).handle,
        probes=Health(database, store).probes(),
    )
    middleware = Middleware(
        router,
        trusted_proxies=settings.trusted_proxies,
        watchdog=Watchdog(settings.stall_timeout_seconds),
        on_access=_log_access if settings.access_log else None,
    )
    works = handlers(services, EventService(database, context))
    runner = JobRunner(services.job, works, crons(settings), settings.parallel_jobs, context.new_uuid())
    quick_plane = data_plane if database.looks_up_inline else None
    return Application(database, storage, services, middleware, runner, protectors, quick_plane, _schedule(services))


def _services(
    deployment: Deployment,
    database: Database,
    context: Context,
    keys: KeyService,
    storage: Storage,
    protectors: Protectors,
) -> Services:
    settings, aws, clients = deployment.settings, deployment.aws_policies, ClientDatabase(database)
    promise = BlobPromise(settings.blob_promise_seconds)
    tokens = RegistryTokenService(database, context, keys, settings.token_lifetime_seconds)
    robots = RobotLogins(database, context)
    account_setting = AccountSettingService(clients, context, AWS_DEFAULTS if settings.aws_defaults else DEFAULTS)
    return Services(
        context=context,
        key=keys,
        identity=IdentityService(database, context, keys),
        access=AccessService(database, aws),
        iam_user=IamUserService(clients, context, aws),
        iam_group=IamGroupService(clients, context),
        iam_provider=IamProviderService(clients, context),
        iam_role=IamRoleService(clients, context, aws),
        iam_instance_profile=IamInstanceProfileService(clients, context),
        session=SessionService(database, context, keys, aws),
        iam_access_key=IamAccessKeyService(clients, context, keys),
        iam_tag=IamTagService(clients, deployment.aws_policies),
        iam_policy=IamPolicyService(clients, context, aws),
        iam_policy_version=IamPolicyVersionService(clients, context, aws),
        iam_inline_policy=IamInlinePolicyService(clients),
        iam_attachment=IamAttachmentService(clients, context, aws),
        iam_boundary=IamBoundaryService(clients, aws),
        iam_account=IamAccountService(clients),
        iam_simulation=IamSimulationService(database, aws),
        iam_authorization_detail=IamAuthorizationDetailService(database, aws),
        registry_token=tokens,
        robot_token=RobotTokenService(clients, context),
        robot_login=robots,
        registry_login=RegistryLogins(tokens, robots),
        anonymous_token=AnonymousTokenService(context, keys),
        anonymous_pull=AnonymousPullService(clients, context),
        repository=RepositoryService(
            clients,
            context,
            keys,
            protection=protectors.protection,
            repository_keys=protectors.repository_keys,
            has_dsse_everywhere=not settings.aws_defaults,
        ),
        repository_policy=RepositoryPolicyService(clients),
        registry_policy=RegistryPolicyService(clients, context, account_setting),
        account_setting=account_setting,
        resource_tag=ResourceTagService(clients),
        blob=BlobService(
            clients,
            context,
            keys,
            storage,
            account_setting,
            promise=promise,
            redirects=settings.redirect_downloads,
        ),
        upload=UploadService(clients, context, storage, promise=promise),
        image=ImageService(clients, context, promise=promise, keys=protectors.repository_keys),
        referrer=ReferrerService(database),
        garbage=GarbageService(database, context, promise=promise),
        job=JobService(database, context),
        kms_keys=protectors.kms_keys,
        kms_cryptography=protectors.cryptography,
        kms_grant=KmsGrantService(clients, context),
        vpc_endpoint=VpcEndpointService(clients, context),
        vpc_network=VpcNetworkService(clients),
        ec2_tag=Ec2TagService(clients),
        passage=PassageService(database),
        listening=ListeningService(database),
        kms_lifecycle=KmsLifecycleService(clients, context, keys),
        kms_policy=KmsPolicyService(clients),
        kms_alias=KmsAliasService(clients, context),
        kms_rotation=KmsRotationService(clients, context, keys),
        kms_tag=KmsTagService(clients),
    )


def _schedule(services: Services) -> list[Periodic]:
    return [
        Periodic("pull-flush", NOTE_FLUSH_SECONDS, services.image.pulls.flush),
        Periodic("key-use-flush", NOTE_FLUSH_SECONDS, services.iam_access_key.uses.flush),
        Periodic("robot-use-flush", NOTE_FLUSH_SECONDS, services.robot_login.uses.flush),
        Periodic("key-refresh", KEY_REFRESH_SECONDS, services.key.refresh),
    ]


def _log_access(access: Access) -> None:
    log.info(
        "request",
        id=access.request_id,
        method=access.method,
        path=access.path,
        status=access.status,
        seconds=round(access.seconds, 4),
        address=access.address,
        listener=access.listener,
    )
