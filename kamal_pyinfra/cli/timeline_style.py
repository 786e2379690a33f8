"""How the HTML of ``kp timeline`` looks, in light and in dark."""

from __future__ import annotations

COLORS = {
    "build": "#4c78a8",
    "look": "#b8bcc4",
    "lock": "#8a8f98",
    "unlock": "#8a8f98",
    "prepare": "#39a0b5",
    "release": "#3fb6c6",
    "boot": "#e0a030",
    "switch": "#4d9f57",
    "watch": "#6fcf97",
    "retire": "#9a6fb0",
    "revert": "#c8453b",
    "finish": "#6f8fd8",
}
OTHER = "#b08968"
"""Hooks."""

STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #2e7d32; --bad: #c62828; }
@media (prefers-color-scheme: dark) { :root { --good: #81c784; --bad: #ef9a9a; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin: 0; font-size: 1.6rem; overflow-wrap: anywhere; }
h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
a { color: inherit; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.legend span { margin-right: 1rem; white-space: nowrap; }
.legend i { display: inline-block; width: .8rem; height: .8rem; margin-right: .3rem; border-radius: 2px; }
.row { display: flex; align-items: center; gap: .75rem; }
.row b { flex: 0 0 11rem; font-weight: 500; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.lane, .ticks { position: relative; flex: 1; height: 1.6rem; }
.lane { border-bottom: 1px solid var(--line); }
.lane span { position: absolute; top: 2px; bottom: 2px; border-radius: 2px; overflow: hidden; color: #10131a;
  font-size: .75rem; line-height: 1.3rem; padding: 0 .2rem; box-sizing: border-box; min-width: 2px; }
.lane span:empty { padding: 0; }
.lane span.failed { outline: 2px solid var(--bad); outline-offset: -2px; }
.ticks span { position: absolute; font-size: .75rem; opacity: .7; transform: translateX(-50%); white-space: nowrap; }
.ticks span:first-child { transform: none; }
.ticks span:last-child { transform: translateX(-100%); }
.chart { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; }
"""
