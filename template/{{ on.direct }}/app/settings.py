"""Settings: `settings.toml` holds the defaults; secret files, `.env` and the environment override them."""

import math
from functools import cache
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

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
    )

    service: str
    log_level: str = "INFO"
    data_dir: Path = _ROOT / "data"

    concurrency: int = Field(ge=1, description="Jobs that run at once, those that compute aside")
    soft_limit_s: int = Field(ge=1)
    drain_s: int = Field(ge=0)
    recycle_after_jobs: int = Field(ge=0, description="Of a process that computes; 0: never")
    memory_limit_mb: int = Field(ge=0, description="A process that computes is replaced above it; 0: never")

    max_waiting_jobs: int = Field(ge=1)
    kept_jobs: int = Field(default=1000, ge=0, description="Final jobs that are remembered")

    webhook_secret: SecretStr = SecretStr("change-me")
    webhook_hosts: frozenset[str] = frozenset({"localhost", "127.0.0.1"})

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
