"""The records, in Heroku's terms. What they say is the truth; disk and processes follow.

Secrets (config vars) are stored sealed, tokens as digests.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q

from baton.base.ids import new_key


class Record(models.Model):
    """A UUID for the API and two timestamps, as every Heroku resource has."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: object) -> User:
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save()
        return user


class User(AbstractBaseUser, Record):
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_admin = models.BooleanField(default=False)

    USERNAME_FIELD = "email"
    objects: ClassVar[UserManager] = UserManager()


class Token(Record):
    """An OAuth authorization with its access token; only the token's digest is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    digest = models.CharField(max_length=64, unique=True)
    description = models.CharField(max_length=200, blank=True)
    scope = models.JSONField(default=list)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)


class App(Record):
    name = models.CharField(max_length=30, unique=True)
    key = models.CharField(max_length=12, unique=True, default=new_key)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="apps")
    number = models.PositiveIntegerField(unique=True)  # its Unix users are computed from it
    maintenance = models.BooleanField(default=False)
    stack = models.CharField(max_length=30, default="heroku-24")
    region = models.CharField(max_length=30, default="here")
    repo_size = models.BigIntegerField(null=True)
    slug_size = models.BigIntegerField(null=True)
    released_at = models.DateTimeField(null=True)
    destroyed_at = models.DateTimeField(null=True)  # set first, row removed last; a start finishes it

    @property
    def uid(self) -> int:
        return 200_000 + 2 * self.number

    @property
    def build_uid(self) -> int:
        return self.uid + 1


class ConfigVar(models.Model):
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="config")
    name = models.CharField(max_length=128)
    sealed = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["app", "name"], name="one_value_a_config_var")]


class BuildpackInstallation(models.Model):
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="buildpacks")
    ordinal = models.PositiveIntegerField()
    url = models.CharField(max_length=500)  # as given: heroku/python, a git URL, an archive, a path

    class Meta:
        ordering = ["ordinal"]


class Source(Record):
    """Where a client puts a tarball before it asks for a build."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    size = models.BigIntegerField(null=True)  # bytes; null until it is uploaded
    checksum = models.CharField(max_length=80, blank=True)  # SHA256:<hex>


class Slug(Record):
    """An immutable tree plus its process types."""

    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="slugs")
    path = models.CharField(max_length=400, blank=True)  # empty: not uploaded yet, or collected
    process_types = models.JSONField(default=dict)
    mounts = models.JSONField(default=list)
    static = models.JSONField(null=True)
    buildpack_provided_description = models.CharField(max_length=200, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    commit_description = models.CharField(max_length=200, blank=True)
    size = models.BigIntegerField(null=True)
    checksum = models.CharField(max_length=80, blank=True)
    stack = models.CharField(max_length=30, default="heroku-24")


class Build(Record):
    class Status(models.TextChoices):
        PENDING = "pending"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="builds")
    user = models.ForeignKey(User, on_delete=models.PROTECT)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    commit = models.CharField(max_length=64, blank=True)
    source_url = models.CharField(max_length=2000, blank=True)
    version = models.CharField(max_length=200, blank=True)
    slug = models.ForeignKey(Slug, null=True, on_delete=models.SET_NULL)
    release = models.ForeignKey("Release", null=True, on_delete=models.SET_NULL, related_name="builds")
    buildpacks = models.JSONField(default=list)
    error = models.CharField(max_length=200, blank=True)


class Release(Record):
    class Status(models.TextChoices):
        PENDING = "pending"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        EXPIRED = "expired"

    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="releases")
    version = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    current = models.BooleanField(default=False)  # the newest one that succeeded: what is served
    description = models.CharField(max_length=200)
    user = models.ForeignKey(User, on_delete=models.PROTECT)
    slug = models.ForeignKey(Slug, null=True, on_delete=models.SET_NULL, related_name="releases")
    sealed_config = models.TextField()  # the config vars it runs with, one sealed JSON object

    class Meta:
        ordering = ["version"]
        constraints = [
            models.UniqueConstraint(fields=["app", "version"], name="one_release_a_version"),
            models.UniqueConstraint(
                fields=["app"], condition=Q(current=True), name="one_current_release_an_app"
            ),
        ]


class Formation(Record):
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="formation")
    type = models.CharField(max_length=50)
    quantity = models.PositiveIntegerField(default=0)
    size = models.CharField(max_length=30, default="Basic")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["app", "type"], name="one_formation_a_type")]


class Dyno(Record):
    """A one-off dyno that was asked for. Formation dynos live in the supervisor and are read from it."""

    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="dynos")
    name = models.CharField(max_length=50)
    type = models.CharField(max_length=50, default="run")
    command = models.TextField()
    size = models.CharField(max_length=30, default="Basic")
    release = models.ForeignKey(Release, null=True, on_delete=models.SET_NULL)


class Domain(Record):
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="domains")
    hostname = models.CharField(max_length=253, unique=True)
    kind = models.CharField(max_length=10, default="custom")  # custom | heroku


class LogSession(Record):
    app = models.ForeignKey(App, on_delete=models.CASCADE)
    lines = models.PositiveIntegerField(default=100)
    tail = models.BooleanField(default=False)
    dyno = models.CharField(max_length=50, blank=True)
    source = models.CharField(max_length=50, blank=True)


class Operation(Record):
    """One thing being done to an app: written before it acts, closed when it is finished or undone.

    At most one build and one other change are open an app: a long build keeps nobody from scaling or from
    setting config vars. Its owner (process id and that process's start time) tells whether it is alive.
    """

    class Kind(models.TextChoices):
        BUILD = "build"
        RELEASE = "release"
        FORMATION = "formation"
        RESTART = "restart"
        DESTROY = "destroy"

    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="operations")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    state = models.CharField(max_length=20)  # see baton.control.states
    user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)
    build = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL)
    release = models.ForeignKey(Release, null=True, on_delete=models.SET_NULL)
    owner_pid = models.IntegerField()
    owner_started = models.CharField(max_length=40)
    ended_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["app"], condition=Q(ended_at__isnull=True, kind="build"), name="one_open_build_an_app"
            ),
            models.UniqueConstraint(
                fields=["app"],
                condition=Q(ended_at__isnull=True) & ~Q(kind="build"),
                name="one_open_change_an_app",
            ),
        ]
