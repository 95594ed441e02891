"""The account, its OAuth authorizations, and what else an account has at Heroku."""

from __future__ import annotations

import secrets
import threading
from datetime import timedelta

from django.utils import timezone

from baton.base.ids import new_token
from baton.base.secrets import digest
from baton.control.api import find, frame, serialize
from baton.control.api.errors import Forbidden, InvalidParams, Missing, Unauthorized
from baton.control.api.frame import Answer, Call
from baton.control.models import Token, User

LONGEST_LIFE = 10 * 366 * 86400  # seconds; a token without an end has no expires_in
MOST_TOKENS = 500
_making = threading.Lock()


def show(call: Call) -> Answer:
    return Answer(serialize.account(call.user))


def update(call: Call) -> Answer:
    """Only the name can be changed; passwords are the operator's (`baton` on the server)."""
    if "name" in call.body.found:
        call.user.name = call.body.text("name", limit=200) or ""
        call.user.save(update_fields=["name", "updated_at"])
    return show(call)


def show_user(call: Call, user: str) -> Answer:
    _myself(call, user)
    return show(call)


def update_user(call: Call, user: str) -> Answer:
    _myself(call, user)
    return update(call)


def _myself(call: Call, identity: str) -> User:
    if identity.lower() not in {"~", call.user.email.lower(), str(call.user.pk)}:
        raise Missing("user", "Couldn't find that user; an account sees only itself, as `~`.")
    return call.user


def apps_of_user(call: Call, user: str) -> Answer:
    _myself(call, user)
    return call.page(find.apps(call.user), ("name", "id"), lambda app: serialize.app(app, call.machine))


def rate_limits(call: Call) -> Answer:
    """The number is a header of every answer too; asking for it costs one request, as any."""
    return Answer({"remaining": max(0, frame.bucket.take(str(call.user.pk), 0))})


def delinquency(call: Call) -> Answer:
    return Answer({"scheduled_suspension_time": None, "scheduled_deletion_time": None})


def quota(call: Call, user: str) -> Answer:
    """Hours of eco dynos, which a machine of one's own does not count."""
    raise Missing("quota", "Baton counts no dyno hours.")


def authorizations(call: Call) -> Answer:
    if call.identity.token is None:
        raise Unauthorized()  # a password creates authorizations, and does nothing else
    alive = [token for token in call.user.tokens.select_related("user") if not _expired(token)]
    return call.page([_shown(call, token) for token in alive], ("id", "description"))


def create_authorization(call: Call) -> Answer:
    """The only answer that ever holds the new token's text."""
    fields = call.body
    scope = fields.items("scope", 10) if "scope" in fields else ["global"]
    if not scope or any(word not in ("global", "read", "write", "identity") for word in scope):
        raise InvalidParams('scope should be a list of "global", "identity", "read" or "write".')
    if any(word != "global" for word in scope):
        raise InvalidParams('Baton\'s tokens have the scope "global": they may do what their account may do.')
    seconds = fields.whole("expires_in", 1, LONGEST_LIFE)
    secret = new_token()
    token = _create(call.user, secret, fields.text("description", limit=200) or "", list(scope), seconds)
    if call.identity.token is None:
        User.objects.filter(pk=call.user.pk).update(last_login=timezone.now())
    return Answer(serialize.authorization(token, timezone.now(), secret), 201)


def _create(user: User, secret: str, description: str, scope: list[str], seconds: int | None) -> Token:
    now = timezone.now()
    with _making:
        user.tokens.filter(expires_at__lte=now).delete()
        if user.tokens.count() >= MOST_TOKENS:
            raise Forbidden(f"An account has at most {MOST_TOKENS} authorizations.", "Revoke some first.")
        return Token.objects.create(
            user=user,
            digest=digest(secret),
            description=description,
            scope=scope,
            expires_at=now + timedelta(seconds=seconds) if seconds else None,
        )


def authorization(call: Call, token: str) -> Answer:
    return Answer(_shown(call, _token(call, token)))


def update_authorization(call: Call, token: str) -> Answer:
    found = _token(call, token)
    if "client" in call.body:
        raise InvalidParams("Baton has no OAuth clients; an authorization has a description only.")
    found.description = call.body.text("description", limit=200) or found.description
    found.save(update_fields=["description", "updated_at"])
    return Answer(_shown(call, found))


def revoke_authorization(call: Call, token: str) -> Answer:
    found = _token(call, token)
    shown = _shown(call, found)
    found.delete()
    return Answer(shown)


def regenerate_tokens(call: Call, token: str) -> Answer:
    """The old token stops to work with this answer, which holds the new one."""
    found = _token(call, token)
    secret = new_token()
    found.digest = digest(secret)
    found.save(update_fields=["digest", "updated_at"])
    return Answer(serialize.authorization(found, timezone.now(), secret))


def _token(call: Call, identity: str) -> Token:
    """`~` is the account's default authorization at Heroku, which Baton's accounts have not."""
    found = find.token(call.user, identity)
    if _expired(found):
        raise Missing("authorization")
    return found


def _expired(token: Token) -> bool:
    return token.expires_at is not None and token.expires_at <= timezone.now()


def _shown(call: Call, token: Token) -> serialize.Json:
    """Only the caller's own token is spelled out: `heroku logout` finds by it what to revoke."""
    mine = secrets.compare_digest(token.digest, digest(call.identity.secret))
    return serialize.authorization(token, timezone.now(), call.identity.secret if mine else None)


def no_session(call: Call, session: str) -> Answer:
    raise Missing("session", "Tokens of Baton belong to no session; revoke the authorization instead.")


def exchange_token(call: Call) -> Answer:
    raise InvalidParams(
        "Baton gives out no grants and no refresh tokens, so there is nothing to exchange.",
        "Create an authorization (POST /oauth/authorizations) instead.",
    )


def revoke_token(call: Call, token: str) -> Answer:
    found = _token(call, token)
    now = timezone.now()
    shown = {
        "id": str(found.pk),
        "access_token": serialize.authorization(found, now)["access_token"],
        "authorization": {"id": str(found.pk)},
        "client": None,
        "created_at": serialize.moment(found.created_at),
        "grant": {},
        "refresh_token": {},
        "session": {},
        "updated_at": serialize.moment(found.updated_at),
        "user": {"id": str(call.user.pk)},
    }
    found.delete()
    return Answer(shown)
