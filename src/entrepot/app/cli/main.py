"""The command line: nouns and verbs, each in its own module, loaded when it is called.

entrepot serve | connect | login | agent | verify | backup | restore | gc | maintenance on|off|status | keys rotate
entrepot jobs list|show|retry | policy explain | admin account create|list|root-key | admin whoami
admin network bind|unbind|list|dns
admin oidc list|show|set-jwks|unset-jwks|set-ca|unset-ca | admin service-principal create|list|show|delete
robot create|list|show|revoke|print-model
admin anonymous-pull allow|deny|list
k8s print-config | version
"""

from __future__ import annotations

import gc
import sys

import typer

from entrepot import __version__
from entrepot.app.cli.account import account
from entrepot.app.cli.agent import agent
from entrepot.app.cli.anonymous_pull import anonymous_pull
from entrepot.app.cli.backup import backup, restore
from entrepot.app.cli.connect import connect
from entrepot.app.cli.gc import gc as collect_garbage
from entrepot.app.cli.job import jobs
from entrepot.app.cli.k8s import k8s
from entrepot.app.cli.key import keys
from entrepot.app.cli.login import login
from entrepot.app.cli.maintenance import maintenance
from entrepot.app.cli.network import network
from entrepot.app.cli.oidc import oidc
from entrepot.app.cli.output import fail, say
from entrepot.app.cli.policy import policy
from entrepot.app.cli.robot import robot
from entrepot.app.cli.serve import serve
from entrepot.app.cli.service_principal import service_principal
from entrepot.app.cli.verify import verify
from entrepot.app.cli.whoami import whoami

app = typer.Typer(
    name="entrepot",
    help="A self-hosted Amazon ECR: the ECR API and an OCI registry on one source of truth.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
admin = typer.Typer(help="Change accounts and keys on the server's own machine, running or not.", no_args_is_help=True)
admin.add_typer(account, name="account")
admin.add_typer(network, name="network")
admin.add_typer(oidc, name="oidc")
admin.add_typer(anonymous_pull, name="anonymous-pull")
admin.add_typer(service_principal, name="service-principal")
admin.command()(whoami)
app.add_typer(admin, name="admin")
app.command()(serve)
app.command()(connect)
app.command()(login)
app.command()(agent)
app.command()(verify)
app.command()(backup)
app.command()(restore)
app.add_typer(maintenance, name="maintenance")
app.add_typer(keys, name="keys")
app.add_typer(jobs, name="jobs")
app.add_typer(k8s, name="k8s")
app.add_typer(policy, name="policy")
app.add_typer(robot, name="robot")
app.command("gc")(collect_garbage)


@app.command()
def version() -> None:
    """Print the version."""
    say(__version__)


def run() -> None:
    """The `entrepot` program."""
    gc.disable()  # imports make much that stays and little garbage; the server enables it before it serves
    for argument in sys.argv:
        if any("\ud800" <= sign <= "\udfff" for sign in argument):  # how Python shows bytes that are not UTF-8
            fail(f"the argument {argument!a} is not UTF-8", 2)
    app()
