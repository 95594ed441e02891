"""Long numbers, in groups of three for the eye and in one piece for whoever copies them."""

from __future__ import annotations

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def grouped(number: int) -> SafeString:
    groups = format_html_join("", "<span>{}</span>", ((group,) for group in f"{number:,}".split(",")))
    return format_html('<data class="number" value="{}">{}</data>', number, groups)
