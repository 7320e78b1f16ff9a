"""Addresses of Redis, with TLS as strict as it should be."""

from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import SecretStr

# Left out, kombu believes whoever answers, and redis-py before 6 a certificate for any other host.
_CHECKS = {"ssl_cert_reqs": "required", "ssl_check_hostname": "true"}


def redis_url(setting: SecretStr) -> str:
    """Return an address with every check of a certificate turned on that it does not turn off itself."""
    url = setting.get_secret_value()
    if not url.startswith("rediss://"):
        return url
    parts = urlsplit(url)
    return parts._replace(query=urlencode(_CHECKS | dict(parse_qsl(parts.query)))).geturl()
