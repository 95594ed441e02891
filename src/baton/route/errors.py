"""What can go wrong at the front door.

RouteError
├── DoorError           the door asks for something a document can't say (a host twice, a bad name)
├── NginxMissing        no usable nginx on this machine
├── DocumentRefused     nginx does not accept the document; what is served stays as it was
├── NotSettled          nginx did not take the new document within the time given
└── CertificateError    the authority's file can't be used
"""

from __future__ import annotations

from baton.base.errors import BatonError


class RouteError(BatonError):
    code = "route.error"


class DoorError(RouteError):
    code = "route.door"


class NginxMissing(RouteError):
    code = "route.nginx_missing"


class DocumentRefused(RouteError):
    code = "route.document_refused"


class NotSettled(RouteError):
    code = "route.not_settled"


class CertificateError(RouteError):
    code = "route.certificate"
