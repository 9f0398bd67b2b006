"""Slices with something laid over them: how strongly it is seen, and which slice, is slid.

Without scripts, and on paper, all slices stand one below the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

# One listener for every pair of sliders that is there or will be.
SCRIPT = """
document.addEventListener("input", event => {
  const slider = event.target.closest(".ng-slide input");
  if (!slider) return;
  const root = slider.closest(".ng-layered"), figures = [...root.querySelectorAll("figure")];
  if (slider.dataset.slides === "opacity")
    root.style.setProperty("--ng-opacity", slider.value / 100);
  else figures.forEach((one, index) => one.classList.toggle("ng-on", index === slider.value - 1));
  const said = slider.dataset.slides === "opacity"
    ? slider.value + " %" : figures[slider.value - 1].dataset.name;
  slider.setAttribute("aria-valuetext", said);
  slider.nextElementSibling.textContent = said;
});
"""


@dataclass(frozen=True, slots=True)
class Layered:
    """One slice and what lies over it.

    Args:
        name: of the slice, for people.
        seen: address of the slice's picture.
        layer: address of a picture of the same shape, transparent where the slice is seen.
        beside: HTML of what stands next to it, or nothing.
    """

    name: str
    seen: str
    layer: str
    beside: str = ""


def html(slices: Sequence[Layered], what: str) -> str:
    """The slices, the first of them in sight, with a slider or two.

    Args:
        slices: at least one.
        what: lies over them, as in "the map".
    """
    sliders = _slider("opacity", f"Opacity of {what}", 0, 100, 100, "100 %")
    if len(slices) > 1:
        sliders += _slider("slice", "Slice", 1, len(slices), 1, slices[0].name)
    figures = "".join(
        _figure(one, what, " class='ng-on'" if number == 0 else "")
        for number, one in enumerate(slices)
    )
    return (
        f'<div class="ng-layered"><div class="ng-slides">{sliders}</div>'
        f'<div class="ng-pictures ng-one">{figures}</div></div>'
    )


def _slider(slides: str, name: str, least: int, most: int, now: int, said: str) -> str:
    return (
        f'<label class="ng-slide"><span>{escape(name)}</span><input type="range" min="{least}" '
        f'max="{most}" value="{now}" data-slides="{slides}" aria-valuetext="{escape(said)}">'
        f'<span aria-hidden="true">{escape(said)}</span></label>'
    )


def _figure(one: Layered, what: str, shown: str) -> str:
    name = escape(one.name)
    return (
        f'<figure data-name="{name}"{shown}><div><div class="ng-layers">'
        f'<img src="{one.seen}" alt="{name} as the model was shown it">'
        f'<img class="ng-map" src="{one.layer}" alt="{escape(what)} over it"></div>'
        f"{one.beside}</div><figcaption>{name}</figcaption></figure>"
    )
