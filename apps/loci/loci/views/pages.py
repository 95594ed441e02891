"""The pages that people come for."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from .. import gateway, grants, karyogram
from ..visit import Visit, load, login_required

FIRST_ACCESSION = "NC_000004.11"


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Chromosome 4 for whoever is signed in, and what Loci is for everybody else."""
    grant = grants.current(request)
    if grant is None:
        return render(request, "loci/landing.html", _illustration())
    return _sequence(request, load(request, grant), FIRST_ACCESSION, "loci/hello.html")


def _illustration() -> dict[str, object]:
    drawn = karyogram.illustration()
    return {
        "chromosomes": drawn,
        "first": next(item.accession for item in drawn if item.accession.chromosome == "4"),
    }


@require_safe
@login_required
def accession(request: HttpRequest, visit: Visit, accession_id: str) -> HttpResponse:
    return _sequence(request, visit, accession_id, "loci/accession.html")


def _sequence(request: HttpRequest, visit: Visit, accession_id: str, template: str) -> HttpResponse:
    shown, all_of_them = gateway.accession(accession_id), gateway.accessions()
    context = {
        "visit": visit,
        "accession": shown,
        "facts": karyogram.facts(shown, all_of_them),
        "chromosomes": karyogram.draw(all_of_them, shown.id),
    }
    return render(request, template, context)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The start page's old address."""
    return redirect("index")
