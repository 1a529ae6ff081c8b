"""Which settings are there? The only reader of the environment: every name below is read as ``STVG_<NAME>``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from backend.addresses import AddressError, at_host, origin
from stvg_core import setting_text
from stvg_core.demo import MODEL_DIR
from stvg_core.errors import StvgError
from stvg_core.presets import UnknownPreset, check
from stvg_core.setting_layers import Chosen, Place, choose, with_values
from stvg_core.settings import GroundingSettings

MEBIBYTE = 1024 * 1024


class SettingsError(StvgError):
    """A setting is missing or cannot be read; the message names it."""


class MethodSettings(BaseSettings):
    """Which model is used, and how: all that a command reads which grounds without a database."""

    model_config = SettingsConfigDict(env_prefix="STVG_", extra="ignore")

    model: str = str(MODEL_DIR)
    device: str | None = None
    """``cpu``, ``cuda``, ``cuda:1``, or ``auto`` to spread one model over all GPUs."""
    preset: str | None = None
    """Settings of the method under a name (:mod:`stvg_core.presets`), over the model's own preset."""
    set: str = ""
    """Further settings of the method over that, ``NAME=VALUE`` with spaces in between."""
    precision: Literal["auto", "float32", "bfloat16", "float16", "4bit"] | None = None
    proposer: Literal["embedded", "grounding_dino"] | None = None
    detector: str | None = None
    tracker: str | None = None
    decomposer: Literal["model", "endpoint", "rules"] | None = None
    """These and the next one are parts of the method; None leaves them to the preset."""
    decomposer_model: str | None = None
    locator: Literal["attention", "speak", "marks", "pick"] | None = None
    """Who says which object it is and when; a part of the method too. See docs/locators.md."""
    llm_model: str | None = None
    """The name of the model behind the endpoint: for a locator that uses words, and for splitting sentences there."""
    llm_url: str | None = None
    llm_key: SecretStr | None = None
    llm_timeout_s: float = Field(default=120.0, gt=0)
    """For connecting to the endpoint with pictures, and for each read."""
    llm_parallel: int = Field(default=4, ge=1, le=64)
    """So many requests with pictures are under way at once."""

    _line: Place = PrivateAttr(default=Place(said=("--preset", "--set")))

    @field_validator(
        "preset", "device", "precision", "proposer", "detector", "tracker", "decomposer", "decomposer_model", "locator",
        "llm_model", "llm_url", "llm_key", mode="before",
    )  # fmt: skip
    @classmethod
    def _unset_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("preset")
    @classmethod
    def _is_a_preset(cls, value: str | None) -> str | None:
        try:
            return None if value is None else check(value)
        except UnknownPreset as error:
            raise ValueError(str(error).rstrip(".")) from None

    @field_validator("set")
    @classmethod
    def _are_settings(cls, value: str) -> str:
        with_values(GroundingSettings(), setting_text.parse_all(GroundingSettings, value.split()))
        return value

    def with_line(self, preset: str | None, texts: Sequence[str], options: dict[str, Any] | None = None) -> Self:
        """The same with what the command line chose: it wins over the environment.

        Args:
            preset: of ``--preset``.
            texts: of ``--set``, ``NAME=VALUE`` each.
            options: settings of the method that have an option of their own.

        Raises:
            SettingsError: a name or a value that is not there; the message says what is.
        """
        try:
            values = setting_text.parse_all(GroundingSettings, texts)
        except setting_text.NotAllowed as error:
            raise SettingsError(f"--set: {error}.") from None
        for name, value in (options or {}).items():
            if values.setdefault(name, value) != value:
                raise SettingsError(f"--{name.replace('_', '-')} {value} and --set {name}={values[name]} contradict.")
        new = self.model_copy()
        new._line = Place(None if preset is None else check(preset), values, self._line.said)
        return new

    def line(self) -> list[str]:
        """What the command line chose, as options for another command."""
        chosen = [] if self._line.preset is None else ["--preset", self._line.preset]
        return chosen + [part for item in self._line.values.items() for part in ("--set", _assignment(*item))]

    def single(self) -> dict[str, Any]:
        """The environment's single settings of the method. Raises SettingsError where two variables contradict."""
        found = setting_text.parse_all(GroundingSettings, self.set.split())
        for name in ("precision", "proposer", "detector", "tracker", "decomposer", "decomposer_model", "locator"):
            value = getattr(self, name)
            if value is not None and found.setdefault(name, value) != value:
                raise SettingsError(f"STVG_{name.upper()}={value} and {name}={found[name]} in STVG_SET contradict.")
        return found

    def chosen(self) -> Chosen:
        """The settings of the method and where each comes from (:mod:`stvg_core.setting_layers`).

        Raises:
            ModelError: the model's own preset cannot be used.
            SettingsRefused: values that cannot be used together.
        """
        preset = self.preset if self._line.preset is None else None  # one preset at a time: --preset is in its place
        places = Place(preset, self.single(), ("STVG_PRESET", "environment")), self._line
        return choose(self.model, *places, endpoint_model=self.llm_model or "")


def _assignment(name: str, value: Any) -> str:
    return f"{name}={setting_text.shown(value)}"


class Settings(MethodSettings):
    """All settings with their defaults; secrets never show in ``repr`` or in logs."""

    database_url: str = Field(default="sqlite:///stvg.sqlite3", repr=False)
    data_dir: Path = Path("stvg-data")
    """Where fetched videos are kept."""

    host: str = "127.0.0.1"
    port: int = Field(default=9090, ge=1, le=65535)
    web_threads: int = Field(default=8, ge=2)
    max_body_bytes: int = 64 * MEBIBYTE
    """Label Studio sends all tasks of a project in one ``/predict`` call."""
    interactive_wait_s: float = Field(default=20.0, ge=0)
    """How long an annotator's own question waits for its tube before the answer is empty."""

    username: str | None = None
    password: SecretStr | None = None
    api_token: SecretStr | None = None
    webhook_token: SecretStr | None = None
    """Good for ``/webhook`` only, so that the header stored in Label Studio opens nothing else."""

    secret_key: SecretStr | None = None
    """Signs the review pages' sessions; where it is not set, a key is made and kept in the data folder."""
    session_hours: float = Field(default=12.0, gt=0, le=24 * 365)
    trusted_proxies: int = Field(default=0, ge=0)
    """Number of trusted reverse proxies in front: what they say of the caller's address and of https is used."""

    label_studio_url: str | None = None
    label_studio_aliases: str = ""
    """Comma-separated other addresses of the same Label Studio, the one that people open first: LABEL_STUDIO_HOST."""
    label_studio_token: SecretStr | None = None
    document_root: Path | None = None
    """Label Studio's local-files root, where this machine sees the same folder: files are read without a download."""

    max_video_bytes: int = 4096 * MEBIBYTE
    media_cache_bytes: int = 20480 * MEBIBYTE
    media_timeout_s: float = 30.0
    media_deadline_s: float = 1800.0
    media_allowed_origins: str = ""
    """Comma-separated origins (``http://files.intern:8000``) that may have private addresses."""

    fetch_seconds: float = Field(default=300.0, ge=0)
    """A download of which nothing comes for so long is ended, with its process. 0: fetch in the process itself."""
    fetch_memory_bytes: int = Field(default=1024 * MEBIBYTE, ge=0)
    """Address space of a process that fetches. 0: no limit."""

    decode_seconds: float = Field(default=300.0, ge=0)
    """A decoder that does not move on for so long is ended, and the job fails. 0: decode in the process itself."""
    decode_memory_bytes: int = Field(default=4096 * MEBIBYTE, ge=0)
    """Address space of a decoding process. 0: no limit."""

    lease_seconds: float = Field(default=60.0, gt=0)
    stall_seconds: float = Field(default=600.0, gt=0)
    """A job that shows no progress for so long is not held any longer; above the longest single step of the model."""
    load_seconds: float = Field(default=1800.0, gt=0)
    """A worker of ``stvg prelabel`` that has not loaded its model after so long is ended, and another one started."""
    max_attempts: int = Field(default=3, ge=1)
    max_deaths: int = Field(default=5, ge=1)
    """A job is given up after so many workers in a row were gone at the same stage of it: killed, out of memory."""
    shared_sentences: int = Field(default=8, ge=1)
    """So many sentences about one video are answered together at most. 1: each alone."""
    ahead: int = Field(default=1, ge=0, le=1)
    """So many videos are fetched and decoded while another one is grounded."""
    keyframe_iou: float = Field(default=0.9, gt=0, le=1)
    """A found tube is stored as keyframes whose straight lines have at least this IoU with it on every frame."""
    retry_seconds: float = 15.0
    poll_seconds: float = Field(default=0.5, gt=0)
    handout_seconds: float = 120.0
    """A prediction given in a ``/predict`` reply is not given again for so long; above Label Studio's 100 s limit."""
    reconcile_seconds: float = 300.0
    """How often annotations are compared with Label Studio's own list, because webhooks can be lost. 0: never."""

    keep_events_days: float | None = Field(default=None, ge=0, le=36500)
    """``stvg prune`` empties the bodies of webhooks that were read longer ago. None: everything is kept."""
    keep_jobs_days: float | None = Field(default=None, ge=0, le=36500)
    """``stvg prune`` removes jobs that were done longer ago and stand for no task. None: everything is kept."""
    keep_videos_days: float | None = Field(default=None, ge=0, le=36500)
    """``stvg prune`` removes fetched videos that were last used longer ago. None: ``media_cache_bytes`` decides."""

    log_level: str = "INFO"
    log_format: Literal["text", "json"] = "text"
    """``json``: one object per line, for programs that collect logs."""
    worker_metrics_host: str = "127.0.0.1"
    worker_metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """Where a worker shows its own ``/metrics``; it opens no port where this is not set."""

    @field_validator(
        "username", "label_studio_url", "document_root", "keep_events_days", "keep_jobs_days", "keep_videos_days",
        "worker_metrics_port", mode="before",
    )  # fmt: skip
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("password", "api_token", "webhook_token", "label_studio_token", "secret_key", mode="before")
    @classmethod
    def _empty_secret_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("label_studio_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        return _address(value) if value else None

    @field_validator("label_studio_aliases", "media_allowed_origins")
    @classmethod
    def _are_http(cls, value: str) -> str:
        return ",".join(_address(part) for part in value.split(",") if part.strip())

    @field_validator("host")
    @classmethod
    def _without_brackets(cls, value: str) -> str:
        return value.strip().removeprefix("[").removesuffix("]")

    def allowed_origins(self) -> list[str]:
        return self.media_allowed_origins.split(",") if self.media_allowed_origins else []

    def aliases(self) -> list[str]:
        return self.label_studio_aliases.split(",") if self.label_studio_aliases else []

    def label_studio_names(self) -> list[str]:
        """All addresses of Label Studio that are set; none where none is."""
        return [name for name in (self.label_studio_url, *self.aliases()) if name]

    def public_label_studio_url(self) -> str | None:
        """The address for people's browsers: the first of the other names, else the one that the service calls."""
        return next(iter(self.aliases()), self.label_studio_url)

    def task_in_label_studio(self, project_id: int, ls_task_id: int) -> str | None:
        """Where a browser opens a task there; its address names no frame. None for one of a local project."""
        base = self.public_label_studio_url()
        if base is None or project_id < 0:
            return None
        return f"{base}/projects/{project_id}/data?task={ls_task_id}"

    def own_url(self) -> str:
        """Where this machine reaches the service: loopback where it listens on every address."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104
        return at_host("http", host, self.port)

    def secrets(self) -> Iterator[str]:
        """Every secret in clear, for the log filter."""
        from sqlalchemy import make_url  # who only grounds does without it
        from sqlalchemy.exc import ArgumentError

        named = (self.password, self.api_token, self.webhook_token, self.label_studio_token, self.llm_key)
        for secret in (*named, self.secret_key):
            if secret is not None:
                yield secret.get_secret_value()
        try:
            database_password = make_url(self.database_url).password
        except ArgumentError:
            return
        if database_password:
            yield str(database_password)


def _address(value: str) -> str:
    value = value.strip().rstrip("/")
    parts = value.partition("://")[2].partition("/")[0]
    if "@" in parts or "?" in value or "#" in value:
        raise ValueError("an address there has no user name, no ? and no #")
    try:
        origin(value)
    except AddressError:
        raise ValueError("must be an address like http://127.0.0.1:8080 or https://tools.example/label") from None
    return value


def load_settings() -> Settings:
    """Settings from the environment; :class:`SettingsError` naming each variable that cannot be read, not its value."""
    return _read(Settings)


def load_method_settings() -> MethodSettings:
    """Only what a command without a database reads. Raises as :func:`load_settings`."""
    return _read(MethodSettings)


_Read = TypeVar("_Read", bound=MethodSettings)


def _read(kind: type[_Read]) -> _Read:
    try:
        settings = kind()
        settings.single()
        return settings
    except ValidationError as error:
        faults = "; ".join(f"STVG_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"The settings cannot be used. {faults}.") from None
