"""One self-contained HTML page of an explanation (extra `report`: jinja2)."""

from perturbx.report.page import report as report

__all__ = ["report"]
