"""See :mod:`polyhost.drum_compat.custom_task.secrets`."""

from __future__ import annotations

from polyhost.drum_compat.custom_task.secrets import (
    AdlsGen2OauthSecret,
    ApiTokenSecret,
    AzureSecret,
    AzureServicePrincipalSecret,
    BasicSecret,
    DatabricksAccessTokenAccountSecret,
    GCPSecret,
    OauthSecret,
    S3Secret,
    SnowflakeKeyPairUserAccountSecret,
    SnowflakeOauthUserAccountSecret,
    TableauAccessTokenSecret,
)

__all__ = [
    "AdlsGen2OauthSecret",
    "ApiTokenSecret",
    "AzureSecret",
    "AzureServicePrincipalSecret",
    "BasicSecret",
    "DatabricksAccessTokenAccountSecret",
    "GCPSecret",
    "OauthSecret",
    "S3Secret",
    "SnowflakeKeyPairUserAccountSecret",
    "SnowflakeOauthUserAccountSecret",
    "TableauAccessTokenSecret",
]
