"""The events: everything that is ever tracked, in one place. `[track_events.go, tracks.go]`

An event is named after its class, split at the capitals; `name=` is given where the established name is another,
since dashboards and destinations know it by that one. Its ids come with the scope that it inherits from. Abstract
bases hold what several events share: first of all whose contact is to be shown with them.
"""

from __future__ import annotations

from examples.porter.analytics.scopes import (
    ApplicationScope,
    ClusterScope,
    ProjectScope,
    RegistryScope,
    UserScope,
)
from instrument import Track


class Contact(Track, abstract=True):
    """An event that shows whom to write to: the name is the first and the last one, joined by a space."""

    email: str  # instrument: ignore[IP401] - whoever is shown the event writes to them
    name: str
    company: str


# Users and projects


class UserCreate(Contact, UserScope, name="New User"):
    """A user registered."""

    referral_method: str


class UserVerifyEmail(Track, UserScope, name="User Verified Email"):
    """A user showed that the e-mail address is theirs."""

    email: str  # instrument: ignore[IP401] - it is what was shown


class ProjectCreate(Contact, ProjectScope, name="New Project Event"):
    """A project was made."""


class ProjectConnect(Contact, ProjectScope, name="Project Connected to Sandbox"):
    """A project was given a place in the sandbox."""


class ProjectDelete(Contact, ProjectScope, name="Project Deleted"):
    """A project was deleted."""


class ClusterDelete(Contact, ProjectScope, name="Cluster Deleted"):
    """A cluster of a project was deleted."""


# Onboarding: costs, credentials, the cloud provider's account


class CostConsent(Contact, UserScope, abstract=True):
    """A step in agreeing to the costs of a provider."""

    provider: str


class CostConsentOpened(CostConsent):
    """A user looked at the costs."""


class CostConsentComplete(CostConsent):
    """A user agreed to the costs."""


class CredentialStepComplete(Track, UserScope):
    """A user gave the provider's credentials."""


class PreProvisionCheck(Contact, ProjectScope, name="Pre Provision Check Started"):
    """The checks before provisioning began."""


class AWSAccount(Contact, ProjectScope, abstract=True):
    """A step in connecting an account of AWS."""

    account_id: str


class AWSInputted(AWSAccount, name="AWS Account ID Inputted"):
    """The account's id was given."""


class AWSCloudformationRedirect(AWSAccount):
    """The user was sent to AWS, to grant a role by CloudFormation."""

    cloudformation_url: str
    external_id: str


class AWSLoginRedirect(AWSAccount):
    """The user was sent to AWS, to log in."""

    login_url: str


class AWSCreateIntegrationSuccess(AWSAccount):
    """The account was connected."""


class AWSCreateIntegrationFailure(AWSAccount):
    """The account could not be connected."""

    error_message: str
    external_id: str


class CloudProviderPermissionsGranted(Contact, ProjectScope):
    """A cloud provider granted what provisioning needs."""

    cloud_provider: str
    cloud_provider_credential_identifier: str


# Provisioning


class InRegion(Contact, ProjectScope, abstract=True):
    """Something about a provider's region."""

    region: str
    provider: str


class QuotaIncreaseRequested(InRegion, name="AWS Quota Increase Requested"):
    """The provider was asked for more."""


class ProvisioningAttempted(InRegion):
    """A user asked for a cluster."""


class ProvisioningFailure(Contact, ProjectScope):
    """The cluster that a user asked for cannot be had."""

    error_message: str
    region: str


class OfCluster(Track, abstract=True):
    """Something about the infrastructure of a cluster."""

    cluster_type: str
    infra_id: int


class ClusterProvisioningStart(OfCluster, ProjectScope, name="Cluster Provisioning Started"):
    """Provisioning of a cluster began; it has no id yet."""


class ClusterProvisioningError(OfCluster, ProjectScope):
    """Provisioning of a cluster failed."""


class ClusterProvisioningSuccess(OfCluster, ClusterScope):
    """A cluster was provisioned."""


class ClusterDestroyingStart(OfCluster, ClusterScope):
    """Tearing down of a cluster began."""


class ClusterDestroyingSuccess(OfCluster, ClusterScope):
    """A cluster was torn down."""


class OfRegistry(Track, abstract=True):
    """Something about the infrastructure of a registry."""

    registry_type: str
    infra_id: int


class RegistryProvisioningStart(OfRegistry, ProjectScope, name="Registry Provisioning Started"):
    """Provisioning of a registry began; it has no id yet."""


class RegistryProvisioningError(OfRegistry, ProjectScope):
    """Provisioning of a registry failed."""


class RegistryProvisioningSuccess(OfRegistry, RegistryScope):
    """A registry was provisioned."""


class ClusterTrouble(Contact, ProjectScope, abstract=True):
    """Something that went wrong with a cluster of a provider."""

    error_message: str
    cluster_name: str
    cloud_provider: str


class ClusterPreflightChecksFailed(ClusterTrouble):
    """The checks before provisioning found something."""


class ClusterUpdateFailed(ClusterTrouble):
    """A cluster could not be changed."""


# Connecting what exists already


class ClusterConnectionStart(Track, ProjectScope, name="Cluster Connection Started"):
    """Connecting of a cluster began; so far it is a candidate."""

    cc_id: int


class ClusterConnectionSuccess(Track, ClusterScope):
    """A cluster was connected."""

    cc_id: int


class RegistryConnectionStart(Track, ProjectScope, name="Registry Connection Started"):
    """Connecting of a registry began."""

    flow_id: str


class RegistryConnectionSuccess(Track, RegistryScope):
    """A registry was connected."""

    flow_id: str


class GithubConnectionStart(Track, UserScope, name="Github Connection Started"):
    """Connecting of a GitHub account began."""


class GithubConnectionSuccess(Track, UserScope):
    """A GitHub account was connected."""


# Applications


class ApplicationLaunchStart(Track, ClusterScope, name="Application Launch Started"):
    """Launching of an application began; it has no release yet."""

    flow_id: str


class ApplicationLaunchSuccess(Track, ApplicationScope):
    """An application was launched."""

    flow_id: str


class ApplicationDeploymentWebhook(Track, ApplicationScope, name="Triggered Re-deploy via Webhook"):
    """A webhook had an application deployed again."""

    image_uri: str


# Stacks


class WithStacks(Contact, ProjectScope, abstract=True):
    """Something about a stack, or about the wish to have one."""

    validate_apply_v2: bool


class OfStack(WithStacks, abstract=True):
    """Something about a stack that has its name."""

    stack_name: str


class StackLaunchStart(WithStacks, name="Stack Launch Started"):
    """A user set out to launch a stack."""


class StackLaunchComplete(OfStack):
    """A user gave all that a launch needs."""


class StackLaunchSuccess(OfStack):
    """A stack was launched."""


class StackLaunchFailure(OfStack):
    """A stack could not be launched."""

    error_message: str


class StackDeletion(OfStack):
    """A stack was deleted, perhaps with the workflow file that deployed it."""

    delete_workflow_file: bool


class StackBuildProgressing(OfStack):
    """A build of a stack began."""


class StackBuildSuccess(OfStack):
    """A build of a stack succeeded."""


class StackBuildFailure(OfStack):
    """A build of a stack failed, or was given up; its logs go along, in base 64."""

    error_message: str
    b64_build_logs: str


class PorterAppUpdateFailure(OfStack):
    """A stack could not be changed."""

    error_message: str
    error_stack_trace: str
