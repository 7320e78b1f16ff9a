import pytest
from pydantic import ValidationError

from app.settings import get_settings


@pytest.mark.parametrize("name", ["BROKER_URL", "JOB_STORE_URL"])
@pytest.mark.parametrize("url", ["nonsense", "", "https://user:TOPSECRET@example.org/"])
def test_a_url_that_leads_nowhere_is_told_by_its_setting(name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, url)
    with pytest.raises(ValidationError, match=rf"(?s){name.lower()}.*has to start with \w+://") as raised:
        get_settings()
    assert "TOPSECRET" not in str(raised.value)
