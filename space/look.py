"""What the page looks like: system fonts, light and dark, from a phone's width upwards.

Text colours stand at 4.5:1 or more on their grounds (WCAG 2.2, 1.4.3); outcomes differ in words and
signs too, never in colour alone.
"""

from __future__ import annotations

import gradio as gr

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica", "Arial", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Gradio's plainest theme on the reader's own fonts: no font is fetched."""
    fonts = [gr.themes.Font(name) for name in SANS]
    return gr.themes.Base(font=fonts, font_mono=[gr.themes.Font(name) for name in MONO])


CSS = """
:root {
  --ng-ink: #16202b; --ng-soft: #4a5665; --ng-line: #c9d1db; --ng-ground: #ffffff;
  --ng-accept: #0b5c3b; --ng-accept-ground: #e5f5ec;
  --ng-abstain: #7a4300; --ng-abstain-ground: #fff3dc;
  --ng-refused: #8c1d18; --ng-refused-ground: #fdeceb;
  --ng-phantom: #ffffff; --ng-phantom-ground: #9b1c3f; --ng-bar: #2f6fb0;
}
.dark {
  --ng-ink: #eef2f6; --ng-soft: #b4c0cd; --ng-line: #3a4653; --ng-ground: #12181f;
  --ng-accept: #8fe3b6; --ng-accept-ground: #0c3020;
  --ng-abstain: #ffd089; --ng-abstain-ground: #3a2604;
  --ng-refused: #ffb4ad; --ng-refused-ground: #421310;
  --ng-phantom: #ffffff; --ng-phantom-ground: #9b1c3f; --ng-bar: #6fa8dc;
}
.gradio-container, body { background: var(--ng-ground) !important; }
.gradio-container { overflow: clip !important; }  /* hidden would end stickiness */
.gradio-container .main { max-width: 60rem !important; margin: 0 auto; padding: 0 1rem 2rem; }
.ng, .ng .html-container { padding: 0 !important; }
#upload .or { color: inherit; }
.ng { color: var(--ng-ink); font-size: 1rem; line-height: 1.45; overflow: visible !important; }
.ng h1 { font-size: 1.5rem; font-weight: 700; margin: .6rem 0 .2rem; }
.ng h2 { font-size: 1.6rem; font-weight: 700; line-height: 1.2; margin: .2rem 0 .4rem; }
.ng h3 { font-size: 1.05rem; font-weight: 700; margin: 1.2rem 0 .4rem; }
.ng p { margin: .2rem 0; }
.ng code { font-size: .85em; overflow-wrap: anywhere; background: none; padding: 0; }
.ng-small { color: var(--ng-soft); font-size: .875rem; }
#result { scroll-margin-top: 11rem; }
#strip { position: sticky; top: 0; z-index: 20; }
.ng-strip { background: var(--ng-ground); border-bottom: 1px solid var(--ng-line);
  padding: .4rem 0; }
.ng-notice { font-weight: 700; }
.ng-phantom { background: var(--ng-phantom-ground); color: var(--ng-phantom) !important;
  font-weight: 700; padding: .25rem .6rem; border-radius: .3rem; margin: .25rem 0; }
.ng-revision { color: var(--ng-soft); font-size: .8rem; }
.ng-needs h3 { margin: 0 0 .3rem !important; }
.ng-needs ul { list-style: none; padding: 0; margin: 0; display: flex; flex-wrap: wrap;
  gap: .3rem .4rem; }
.ng-needs li { border: 1px solid var(--ng-line); border-radius: 1rem; padding: 0 .6rem;
  font-size: .8125rem; }
.ng-waiting { border: 1px dashed var(--ng-line); border-radius: .5rem; padding: 1rem;
  color: var(--ng-soft); }
.ng-band { border-left: .6rem solid; border-radius: .5rem; padding: .8rem 1.1rem; }
.ng-accept { background: var(--ng-accept-ground); border-color: var(--ng-accept); }
.ng-abstain { background: var(--ng-abstain-ground); border-color: var(--ng-abstain); }
.ng-refused { background: var(--ng-refused-ground); border-color: var(--ng-refused); }
.ng-accept h2, .ng-accept .ng-kicker { color: var(--ng-accept); }
.ng-abstain h2, .ng-abstain .ng-kicker { color: var(--ng-abstain); }
.ng-refused h2, .ng-refused .ng-kicker { color: var(--ng-refused); }
.ng-kicker { font-weight: 700; }
.ng-warnings { border: 1px solid var(--ng-abstain); border-radius: .5rem; padding: .1rem 1rem .5rem;
  margin-top: .8rem; }
.ng-gates { list-style: none; padding: 0; margin: 0; display: grid; gap: .4rem; }
.ng-gates li { display: flex; gap: .7rem; border: 1px solid var(--ng-line); border-radius: .5rem;
  padding: .4rem .8rem; }
.ng-sign { font-size: 1.2rem; font-weight: 700; flex: none; width: 1.2rem; text-align: center; }
.ng-passed .ng-sign { color: var(--ng-accept); }
.ng-stopped { border-color: var(--ng-abstain) !important; border-width: 2px !important; }
.ng-stopped .ng-sign, .ng-partly .ng-sign { color: var(--ng-abstain); }
.ng-not_asked { color: var(--ng-soft); }
.ng-table { border-collapse: collapse; width: 100%; font-size: .9rem; }
.ng-table caption { text-align: left; color: var(--ng-soft); padding: .2rem 0; }
.ng-table th, .ng-table td { text-align: left; padding: .25rem .6rem .25rem 0; vertical-align: top;
  border-bottom: 1px solid var(--ng-line); font-weight: 400; }
.ng-table thead th { font-weight: 700; }
.ng-table thead { position: sticky; top: 0; background: var(--ng-ground); }
.ng-table thead button { all: unset; cursor: pointer; font-weight: 700; }
.ng-table thead button:focus-visible { outline: 2px solid var(--ng-bar); outline-offset: 2px; }
.ng-table [aria-sort=ascending] button::after { content: " ▲" / ""; }
.ng-table [aria-sort=descending] button::after { content: " ▼" / ""; }
.ng-choice tbody button { cursor: pointer; font-weight: 700; color: var(--ng-ink);
  background: none; border: 1px solid var(--ng-soft); border-radius: .3rem; padding: .2rem .8rem; }
.ng-choice tbody button:focus-visible { outline: 2px solid var(--ng-bar); outline-offset: 2px; }
.ng-probabilities th { width: 30%; }
.ng-probabilities td:last-child { width: 6.5rem; text-align: right; white-space: nowrap; }
.ng-bar span { display: block; height: .8rem; min-width: 1px; margin-top: .3rem;
  background: var(--ng-bar); border-radius: .2rem; }
.ng-scroll { overflow: auto; max-height: 24rem; }
.ng-columns { display: grid; gap: 0 1.5rem; grid-template-columns: repeat(auto-fit,
  minmax(min(100%, 22rem), 1fr)); }
.ng-pictures { display: flex; flex-wrap: wrap; gap: .8rem; }
.ng-pictures figure { margin: 0; max-width: 100%; }
.ng-pictures figure div { display: flex; gap: .25rem; }
.ng-pictures img { width: 14rem; min-width: 0; height: auto; object-fit: contain;
  border-radius: .25rem; background: #000; }
.ng-many { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); }
.ng-many img { width: 100%; }
.ng-many figure div img { flex: 1 1 0; }
.ng-layers { position: relative; }
.ng-one .ng-layers, .ng-one .ng-layers + img { flex: 0 1 22rem; min-width: 0; }
.ng-one figure { width: min(100%, 22rem); }
.ng-one figure:has(.ng-layers + img) { width: min(100%, 44.25rem); }
.ng-layers img { display: block; width: 100%; }
.ng-layers .ng-map { position: absolute; inset: 0; height: 100%; background: none;
  opacity: var(--ng-opacity, 1); }
.ng-slides { display: flex; flex-wrap: wrap; gap: .2rem 1.5rem; margin: .3rem 0; }
.ng-slide { display: flex; align-items: center; gap: .6rem; font-size: .9rem;
  flex: 0 1 24rem; }
.ng-slide input { flex: 1 1 4rem; min-width: 0; accent-color: var(--ng-bar); }
.ng-slide input:focus-visible { outline: 2px solid var(--ng-bar); outline-offset: 2px; }
.ng-slide input + span { min-width: 4.5rem; color: var(--ng-soft); }
@media screen and (scripting: enabled) {  /* in one place, so that nothing moves */
  .ng-one { display: grid; }
  .ng-one figure { grid-area: 1 / 1; }
  .ng-one figure:not(.ng-on) { visibility: hidden; }
}
@media print { .ng-slides, .ng-take { display: none; } .ng-one figure { width: 14rem; } }
.ng-pictures figcaption { color: var(--ng-soft); font-size: .85rem; }
.ng-chart { margin: 0 0 .6rem; }
.ng-chart figcaption { font-size: .9rem; }
.ng-chart svg { display: block; width: 100%; height: auto; }
.ng-chart text { font-size: 11px; fill: var(--ng-soft); }
@media (max-width: 40rem) { .ng-chart text { font-size: 20px; } }
.ng-chart .ng-above { fill: var(--ng-bar); }
.ng-chart .ng-below { fill: var(--ng-abstain); }
.ng-chart .ng-none { fill: var(--ng-line); }
.ng-chart .ng-limit { stroke: var(--ng-ink); stroke-width: 1.5; stroke-dasharray: 5 3; }
.ng-stop { align-self: flex-start; flex: none !important; }
.gradio-container:not(:has(.ng-working)) .ng-stop { display: none; }
.ng-next { margin-top: .4rem !important; }
.ng-gauges { list-style: none; padding: 0; margin: 0; display: grid; gap: .3rem; }
.ng-gauge { display: grid; grid-template-columns: minmax(7rem, 14rem) minmax(5rem, 1fr) auto;
  gap: .8rem; align-items: center; font-size: .9rem; }
.ng-gauge-track { position: relative; height: .7rem; background: var(--ng-line);
  border-radius: .35rem; }
.ng-gauge-track span { display: block; height: 100%; min-width: 2px; border-radius: .35rem;
  background: var(--ng-accept); }
.ng-missed .ng-gauge-track span { background: var(--ng-abstain); }
.ng-gauge-track i { position: absolute; top: -.2rem; bottom: -.2rem; width: 2px;
  background: var(--ng-ink); }
.ng-take a { display: inline-block; margin-right: 1rem; text-decoration: underline; }
.ng a:focus-visible { outline: 2px solid var(--ng-bar); outline-offset: 2px; }
.ng-promises { padding-left: 1.1rem; margin: 0; }
.ng-promises li { margin-bottom: .5rem; }
.ng details { margin-top: 1.2rem; }
.ng summary { cursor: pointer; font-weight: 700; }
.ng summary:focus-visible { outline: 2px solid var(--ng-bar); outline-offset: 2px; }
"""
