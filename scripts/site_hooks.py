"""What mkdocs calls: pages that lie outside of docs/ are pages of the site too, and links lead to them there."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent
NAMES = {"README.md": "index.md", "CHANGELOG.md": "reference/changelog.md"}
NAMES |= {"CONTRIBUTING.md": "contribute/contributing.md", "SECURITY.md": "trust/threats.md", "LICENSE": "license.txt"}
LINK = re.compile(r"\[([^]]*)\]\((?!https?:)([^)#\s]+)(#[^)\s]*)?\)")
FENCED = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)


def outside() -> dict[str, str]:
    """Files outside of docs/ by their path here → where they are on the site."""
    examples = sorted(ROOT.glob("examples/*/README.md"))
    return NAMES | {path.relative_to(ROOT).as_posix(): f"examples/{path.parent.name}.md" for path in examples}


def place_of(path: str) -> str:
    """Where a file of the repository is on the site."""
    return outside().get(path, path.removeprefix("docs/"))


def with_links(text: str, path: str) -> str:
    """The text of a file with links as they are on the site.

    Args:
        path: of the file, from the repository's root.
    """
    here = posixpath.dirname(place_of(path)) or "."

    def link(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), found[2]))
        if (ROOT / target).exists() and not target.startswith("docs/") and target not in outside():
            return found[1]  # a file of the repository that is no page
        return f"[{found[1]}]({posixpath.relpath(place_of(target), here)}{found[3] or ''})"

    parts = FENCED.split(text)
    return "".join(part if index % 2 else LINK.sub(link, part) for index, part in enumerate(parts))


def on_files(files: Any, config: Any) -> Any:
    """Add the pages from outside."""
    for path, place in outside().items():
        text = (ROOT / path).read_text()
        files.append(File.generated(config, place, content=with_links(text, path) if path.endswith(".md") else text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Mend the links of pages in docs/ that lead outside."""
    is_generated = page.file.src_uri in outside().values()
    return markdown if is_generated else with_links(markdown, f"docs/{page.file.src_uri}")
