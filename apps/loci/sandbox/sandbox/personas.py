"""The people of the sandbox. None of them exists; their ids are always the same."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

HEALTH = {"id": 1, "label": "pgs_health", "description": "Health"}
ANCESTRY = {"id": 2, "label": "pgs_ancestry", "description": "Ancestry"}


@dataclass(frozen=True)
class Profile:
    id: str
    first_name: str
    last_name: str
    sex: str  # XX or XY
    is_genotyped: bool = True
    is_ancestry_only: bool = False

    @property
    def services(self) -> list[dict[str, object]]:
        return [ANCESTRY] if self.is_ancestry_only else [HEALTH, ANCESTRY]


@dataclass(frozen=True)
class Persona:
    key: str
    account_id: str
    first_name: str
    last_name: str
    about: str
    profiles: tuple[Profile, ...]

    @property
    def email(self) -> str:
        return f"{self.key}@synthetic.invalid"


def stable_id(*names: str) -> str:
    """Sixteen hexadecimal letters, as the API's own ids."""
    return sha256("/".join(("loci sandbox", *names)).encode()).hexdigest()[:16]


def _profile(key: str, name: str, sex: str, **flags: bool) -> Profile:
    first_name, last_name = name.split()
    return Profile(stable_id("profile", key), first_name, last_name, sex, **flags)


PERSONAS: dict[str, Persona] = {
    persona.key: persona
    for persona in (
        Persona(
            "ada",
            stable_id("account", "ada"),
            "Ada",
            "Lark",
            "One profile, genotyped.",
            (_profile("ada", "Ada Lark", "XX"),),
        ),
        Persona(
            "brook",
            stable_id("account", "brook"),
            "Brook",
            "Marsh",
            "Three profiles; the kit of one has not been analysed yet.",
            (
                _profile("brook", "Brook Marsh", "XY"),
                _profile("linden", "Linden Marsh", "XX"),
                _profile("wren", "Wren Marsh", "XX", is_genotyped=False),
            ),
        ),
        Persona("cleo", stable_id("account", "cleo"), "Cleo", "Finch", "An account without any profile.", ()),
        Persona(
            "esme",
            stable_id("account", "esme"),
            "Esme",
            "Vale",
            "One profile, with the ancestry service only.",
            (_profile("esme", "Esme Vale", "XX", is_ancestry_only=True),),
        ),
        Persona(
            "demo",
            "demo_account_id",
            "Erin",
            "Mendel",
            "The demonstration account of the API's documentation.",
            (Profile("demo_profile_id", "Erin", "Mendel", "XX"),),
        ),
    )
}

# Version 1 shows these two at /1/demo/ to whoever has a token.
ANONYMOUS = Persona(
    "anonymous",
    stable_id("account", "anonymous"),
    "Demonstration",
    "Account",
    "",
    (
        _profile("anonymous one", "Anonymous One", "XX"),
        _profile("anonymous two", "Anonymous Two", "XY"),
    ),
)


def owner_of(profile_id: str) -> Persona | None:
    """Whose profile it is, or None when there is no such profile."""
    for persona in PERSONAS.values():
        if any(profile.id == profile_id for profile in persona.profiles):
            return persona
    return None
