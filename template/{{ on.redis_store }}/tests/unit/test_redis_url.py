import pytest
from pydantic import SecretStr

from app.jobs.redis_url import redis_url


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("redis://redis:6379/0", "redis://redis:6379/0"),
        ("rediss://:p%40ss@host:1/0", "rediss://:p%40ss@host:1/0?ssl_cert_reqs=required&ssl_check_hostname=true"),
        ("rediss://h?ssl_check_hostname=false", "rediss://h?ssl_cert_reqs=required&ssl_check_hostname=false"),
    ],
)
def test_certificates_are_checked_unless_the_address_says_otherwise(given: str, used: str) -> None:
    assert redis_url(SecretStr(given)) == used
