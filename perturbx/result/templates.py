"""The HTML templates of the notebook view and of pages; every value is escaped."""

from __future__ import annotations

from functools import cache
from typing import Any

from perturbx._validation import needed

_NEEDS = "jinja2", "HTML", '"perturbx[report]"'


def render(name: str, room: str = "perturbx.result", **values: Any) -> str:
    """A template of a room, which may import those of this one, filled with values.

    Raises
    ------
    ImportError
        Without jinja2, which the extra `report` installs.
    """
    return str(_environment(room).get_template(name).render(values))


@cache
def _environment(room: str) -> Any:
    jinja = needed(*_NEEDS)
    rooms = dict.fromkeys([room, "perturbx.result"])
    environment = jinja.Environment(
        loader=jinja.ChoiceLoader([jinja.PackageLoader(name) for name in rooms]),
        autoescape=True,
        undefined=jinja.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return environment
