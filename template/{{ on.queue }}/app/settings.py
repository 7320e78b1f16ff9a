"""Settings: `settings.toml` holds the defaults; secret files, `.env` and the environment override them."""

import math
from functools import cache
from pathlib import Path

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from app.urls import STARTS

_ROOT = Path(__file__).parents[1]
_SECRETS = Path("/run/secrets")  # where containers find theirs, one file for each setting


class Settings(BaseSettings):
    """Every setting of this service; `.env.example` explains each for operators."""

    model_config = SettingsConfigDict(
        toml_file=_ROOT / "settings.toml",
        env_file=_ROOT / ".env",
        secrets_dir=_SECRETS if _SECRETS.is_dir() else None,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # a URL that does not fit may hold a password
    )

    service: str
    broker_url: SecretStr
    job_store_url: SecretStr
    log_level: str = "INFO"
    data_dir: Path = _ROOT / "data"

    worker_processes: int = Field(ge=1)
    soft_limit_s: int = Field(ge=1)
    drain_s: int = Field(ge=0)
    recycle_after_jobs: int = Field(ge=0, description="0: never")
    memory_limit_mb: int = Field(ge=0, description="A worker process above it is replaced; 0: never")
    heartbeat_dir: Path = Path("/tmp/worker-heartbeat")  # noqa: S108 - a tmpfs in the container

    max_waiting_jobs: int = Field(ge=1)
    lease_s: float = Field(default=15, ge=1)
    retention_s: int = Field(default=7 * 24 * 3600, ge=60)

    webhook_secret: SecretStr = SecretStr("change-me")
    webhook_hosts: frozenset[str] = frozenset({"localhost", "127.0.0.1"})

    @field_validator("broker_url", "job_store_url")
    @classmethod
    def _leads_to_a_server(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        starts = STARTS[str(info.field_name)]
        if not url.get_secret_value().startswith(starts):
            raise ValueError(f"has to start with {' or '.join(starts)}")
        return url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        defaults = TomlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, dotenv_settings, file_secret_settings, defaults


def hard_limit_s(soft_limit_s: float) -> int:
    """Return when a job that ignored its soft limit is ended, in seconds."""
    return max(math.ceil(soft_limit_s * 1.2), math.ceil(soft_limit_s) + 1)


@cache
def get_settings() -> Settings:
    """Return the settings of this process, read once."""
    return Settings()
